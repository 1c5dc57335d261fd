//! The last step of a rebuilding: the new tables in the place of the old ones.

use std::time::Duration;

use sqlx::{Executor, PgConnection};

use super::{
    StoreError, Trouble,
    postgres::Schema,
    rebuild::{Projection, RebuildError, Replay, run},
    schema,
};

/// How often the tables are tried to be had, and how long others go on in between.
const TRIES_MAX: usize = 50;
const TRY_PERIOD: Duration = Duration::from_millis(100);

/// While nobody appends: the events since, and the new tables in the place of the old ones. All that others may lock is
/// locked at once or not at all, the view, too, which its readers lock before its tables: nobody waits in a circle.
pub(super) async fn swap(
    owner: &mut PgConnection,
    live: &Schema,
    side: &Schema,
    replay: &mut Replay,
    projections: &[Projection],
) -> Result<(), RebuildError> {
    let (schema, live, side) = (live, format!("\"{}\"", live.as_str()), format!("\"{}\"", side.as_str()));
    let replaced: Vec<&str> = Projection::ALL
        .into_iter()
        .filter(|one| projections.contains(one))
        .flat_map(Projection::tables)
        .copied()
        .collect();
    let tables: Vec<String> = replaced.iter().map(|table| format!("{live}.{table}")).collect();
    let locks = format!(
        "begin; lock table {live}.log_head in access exclusive mode nowait;
         lock table {live}.tokens, {} in access exclusive mode nowait; set local search_path to {live}",
        tables.join(", "),
    );
    for attempt in 1.. {
        match run(owner, locks.clone()).await.map_err(StoreError::from) {
            Ok(()) => break,
            // Waiting for them would have everybody else wait, too.
            Err(StoreError::Unable { trouble: Trouble::LockHeld, .. }) if attempt < TRIES_MAX => {
                owner.execute("rollback").await?;
                tokio::time::sleep(TRY_PERIOD).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let rows = replay.since(owner).await?;
    run(owner, format!("set local search_path to {side}")).await?;
    for row in rows {
        replay.push(&row, row.decode()?)?;
    }
    replay.write(owner).await?;
    run(owner, replacement(&live, &side, &replaced, projections)).await?;
    schema::grant(owner, schema).await?;
    owner.execute("commit").await?;
    Ok(())
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
