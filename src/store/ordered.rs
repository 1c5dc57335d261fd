//! The rows of a table in the order of the log, a few at a time: a cursor of the transaction that the connection is in.

use std::collections::VecDeque;

use sqlx::{AssertSqlSafe, Executor, FromRow, PgConnection, postgres::PgRow, raw_sql};

use super::StoreError;

/// How many rows are fetched at once.
const ROWS_AT_ONCE: usize = 1_000;

/// A row that is about the token that was issued at a position.
pub(super) trait Placed {
    /// The position.
    fn issued_pos(&self) -> i64;
}

/// What is left of such rows.
pub(super) struct Ordered<R> {
    cursor: &'static str,
    waiting: VecDeque<R>,
    is_over: bool,
}

impl<R: Placed + for<'r> FromRow<'r, PgRow> + Send + Unpin> Ordered<R> {
    /// The rows of a statement that has no order yet. Its name is the cursor's.
    pub(super) async fn of(
        connection: &mut PgConnection,
        cursor: &'static str,
        statement: &str,
    ) -> Result<Self, StoreError> {
        let sql = format!("declare {cursor} no scroll cursor for {statement} order by issued_pos");
        connection.execute(raw_sql(AssertSqlSafe(sql))).await?;
        Ok(Self { cursor, waiting: VecDeque::new(), is_over: false })
    }

    /// The next rows, up to those of a position.
    pub(super) async fn up_to(&mut self, connection: &mut PgConnection, last: i64) -> Result<Vec<R>, StoreError> {
        let mut found = Vec::new();
        loop {
            let reached = self.waiting.partition_point(|row| row.issued_pos() <= last);
            found.extend(self.waiting.drain(..reached));
            if self.is_over || !self.waiting.is_empty() {
                return Ok(found);
            }
            let sql = format!("fetch forward {ROWS_AT_ONCE} from {}", self.cursor);
            let rows = sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(&mut *connection).await?;
            self.is_over = rows.len() < ROWS_AT_ONCE;
            self.waiting.extend(rows);
        }
    }
}
