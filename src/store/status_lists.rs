//! Which entries of the status lists are taken. No list gives one away twice: the table's key sees to that, too.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sqlx::{FromRow, PgConnection, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::{StoreError, difference, ordered::Placed, verify::Difference};
use crate::domain::{Command, Position, State, status_list::Entry};

/// Adds what of the open list's entries is taken among those that chance offers to the commands' tokens.
pub(super) async fn load(
    connection: &mut PgConnection,
    state: &mut State,
    commands: &[&Command],
) -> Result<(), StoreError> {
    let Some(open) = state.settings.status_lists.last() else { return Ok(()) };
    let (list, entries) = (open.id, open.entries);
    let draws = commands.iter().filter_map(|command| command.draw());
    let offered: Vec<i32> = draws.flat_map(|draw| draw.indexes).map(|idx| column(idx % entries)).collect();
    if offered.is_empty() {
        return Ok(());
    }
    let taken: Vec<i32> = sqlx::query_scalar(include_str!("status_list_taken.sql"))
        .bind(list)
        .bind(offered)
        .fetch_all(connection)
        .await?;
    for idx in taken {
        state.insert_taken(Entry { list, idx: index(idx) });
    }
    Ok(())
}

/// Binds the entries that a batch gave to tokens, column by column.
pub(super) fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    entries: &BTreeMap<Position, Entry>,
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(entries.values().map(|entry| entry.list).collect::<Vec<_>>())
        .bind(entries.values().map(|entry| column(entry.idx)).collect::<Vec<_>>())
        .bind(entries.keys().map(|position| position.0).collect::<Vec<_>>())
}

/// Every row.
pub(super) static ROWS: &str = include_str!("status_list_all.sql");

#[derive(PartialEq, FromRow, Serialize)]
pub(super) struct EntryRow {
    list: Uuid,
    idx: i32,
    issued_pos: i64,
}

impl Placed for EntryRow {
    fn issued_pos(&self) -> i64 {
        self.issued_pos
    }
}

/// Where the rows differ from the fold.
pub(super) fn differences(rows: Vec<EntryRow>, folded: &BTreeMap<Position, Entry>) -> Vec<Difference> {
    let mut expected: HashMap<Position, Entry> = folded.iter().map(|(position, entry)| (*position, *entry)).collect();
    let mut found = Vec::new();
    for row in rows {
        let issued_pos = row.issued_pos;
        let position = Position(issued_pos);
        let of_entry = |Entry { list, idx }| EntryRow { list, idx: column(idx), issued_pos };
        let what = match expected.remove(&position).map(of_entry) {
            Some(folded) if folded == row => continue,
            Some(folded) => {
                let differs = difference::first(&row, Some(&folded));
                (Some(position), format!("the row of status_list_entries is not what the event says: {differs}"))
            }
            None => (None, format!("the row of status_list_entries at {position} has no event")),
        };
        found.push(what);
    }
    let missing = expected.into_keys();
    found.extend(missing.map(|position| (Some(position), "status_list_entries has no row for the token".to_owned())));
    found
}

/// An index fits: no list has as many entries as would not.
fn column(idx: u32) -> i32 {
    i32::try_from(idx).unwrap_or(i32::MAX)
}

/// And back; the table refuses negative ones.
pub(super) fn index(column: i32) -> u32 {
    column.unsigned_abs()
}
