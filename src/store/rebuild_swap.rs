//! The last step of a rebuilding: the new tables in the place of the old ones.

use std::time::Duration;

use sqlx::{Executor, PgConnection};

use super::{
    StoreError, Trouble,
    postgres::Schema,
    rebuild::{Projection, RebuildError, Replay, run},
    schema,
};

/// How often the tables are tried to be had, and how long others go on in between: five minutes.
const TRIES_MAX: usize = 3_000;
const TRY_PERIOD: Duration = Duration::from_millis(100);
/// After so many tries it is told that somebody is waited for.
const TRIES_TOLD: usize = 30;

/// The two schemas, and the sessions at them.
pub(super) struct Schemas<'a> {
    /// Replaces tables.
    pub(super) owner: &'a mut PgConnection,
    /// Reads the log.
    pub(super) reader: PgConnection,
    /// Replays into the second schema.
    pub(super) writer: PgConnection,
    pub(super) live: &'a Schema,
    pub(super) side: &'a Schema,
}

impl Schemas<'_> {
    /// While nobody appends: the events since, and the new tables in the place of the old ones. All that others may lock is
    /// locked at once or not at all, the view, too, which its readers lock before its tables: nobody waits in a circle.
    pub(super) async fn swap(&mut self, replay: &mut Replay, projections: &[Projection]) -> Result<(), RebuildError> {
        let (live, side) = (format!("\"{}\"", self.live.as_str()), format!("\"{}\"", self.side.as_str()));
        let replaced: Vec<&str> = Projection::ALL
            .into_iter()
            .filter(|one| projections.contains(one))
            .flat_map(Projection::tables)
            .copied()
            .collect();
        self.lock(&live, &replaced, replay).await?;
        let owner = &mut *self.owner;
        loop {
            run(owner, format!("set local search_path to {live}")).await?;
            let rows = replay.since(owner).await?;
            if rows.is_empty() {
                break;
            }
            run(owner, format!("set local search_path to {side}")).await?;
            rows.iter().try_for_each(|row| replay.push(row))?;
            replay.write(owner).await?;
        }
        run(owner, replacement(&live, &side, &replaced, projections)).await?;
        schema::grant(owner, self.live).await?;
        owner.execute("commit").await?;
        Ok(())
    }

    /// Begins the transaction in which nobody else can use the tables. Whoever holds one is not waited for with the others
    /// locked, for then everybody else would wait, too.
    async fn lock(&mut self, live: &str, tables: &[&str], replay: &mut Replay) -> Result<(), RebuildError> {
        let tables: Vec<String> = tables.iter().map(|table| format!("{live}.{table}")).collect();
        let locks = format!(
            "begin;
             lock table {live}.log_head in access exclusive mode nowait;
             lock table {live}.tokens, {} in access exclusive mode nowait",
            tables.join(", "),
        );
        for attempt in 0..TRIES_MAX {
            replay.catch_up(&mut self.reader, &mut self.writer).await?;
            match run(self.owner, locks.clone()).await.map_err(StoreError::from) {
                Ok(()) => return Ok(()),
                Err(StoreError::Unable { trouble: Trouble::LockHeld, .. }) => {}
                Err(error) => return Err(error.into()),
            }
            self.owner.execute("rollback").await?;
            if attempt == TRIES_TOLD {
                tracing::warn!("somebody reads the projections, and is waited for");
            }
            tokio::time::sleep(TRY_PERIOD).await;
        }
        Err(RebuildError::InUse)
    }
}

/// The statements that move the new tables in. The view and the function stay the same objects, so that whoever is in the
/// middle of a statement goes on with them: the view looks at the second schema for a moment, and then at the moved tables.
/// Where rules alone come anew, the tokens' rows may not say yet what these rules have revoked.
fn replacement(live: &str, side: &str, tables: &[&str], projections: &[Projection]) -> String {
    let (before, after) = if projections.contains(&Projection::Tokens) {
        (include_str!("rebuild_lean.sql"), include_str!("rebuild_stand.sql"))
    } else if projections.contains(&Projection::Rules) {
        ("update {side}.revocation_rules set filled_to = position;", "")
    } else {
        ("", "")
    };
    let moves = tables.iter().map(|table| include_str!("rebuild_move.sql").replace("{table}", table));
    let statements: String = std::iter::once(before.to_owned()).chain(moves).chain([after.to_owned()]).collect();
    statements.replace("{live}", live).replace("{side}", side)
}
