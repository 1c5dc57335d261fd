//! Whether what is served of tokens that may still be used is what a fold of the log says.

use sqlx::{AssertSqlSafe, Connection, Executor, FromRow, raw_sql};
use uuid::Uuid;

use super::{Database, StoreError, postgres::READS_LIVE};
use crate::domain::{
    Position, Status,
    audit::{Fold, Scope},
};

/// After so many differences the rest is not looked for.
const DIFFERENCES_MAX: usize = 20;

/// What is served of the tokens that are live at the end of a report.
pub(super) struct Served {
    /// In the order in which they were issued.
    tokens: Vec<ServedToken>,
    /// The last rule that is not filled into rows yet. It is laid over whatever is served, so a row may say less than the log.
    unfilled: Option<i64>,
}

#[derive(FromRow)]
struct ServedToken {
    issued_pos: i64,
    jti: Uuid,
    is_suspended: bool,
}

/// Reads it in the snapshot that another session has exported under this name, and what is said there to have been issued past
/// the end of the log.
pub(super) async fn served(
    database: &Database,
    snapshot: &str,
    scope: &Scope,
    end: Position,
) -> Result<Served, StoreError> {
    let mut connection = database.connect_as_writer().await?;
    let begin = format!("begin isolation level repeatable read read only; set transaction snapshot '{snapshot}'");
    connection.execute(raw_sql(AssertSqlSafe(begin))).await?;
    connection.execute(READS_LIVE).await?;
    let unfilled = "select max(position) from revocation_rules where filled_to > 0 and position <= $1";
    let unfilled = sqlx::query_scalar(unfilled).bind(scope.end.0).fetch_one(&mut connection).await?;
    let tokens = sqlx::query_as(include_str!("replay_live.sql")).bind(scope.end.0).bind(scope.judged_at).bind(end.0);
    let tokens = tokens.fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(Served { tokens, unfilled })
}

/// The tokens that are live at the end of a fold and not in the projection as it was then, or the other way round.
pub(super) fn differences(served: &Served, fold: &Fold) -> Vec<(Position, String)> {
    let mut expected = fold.live().into_iter().peekable();
    let mut found = Vec::new();
    for ServedToken { issued_pos, jti, is_suspended } in &served.tokens {
        while let Some((issued, jti, _)) = expected.next_if(|(issued, ..)| issued.0 < *issued_pos) {
            found.push((issued, format!("token {jti} is live, and is not served so")));
        }
        let said = expected.next_if(|(issued, ..)| issued.0 == *issued_pos);
        let is_ended_by_rule = said.is_none() && served.unfilled.is_some_and(|rule| *issued_pos < rule);
        let is_said = said.is_some_and(|(_, said, status)| {
            (said, status) == (*jti, if *is_suspended { Status::Suspended } else { Status::Active })
        });
        if !is_said && !is_ended_by_rule {
            found.push((Position(*issued_pos), format!("token {jti} is served otherwise than the log says")));
        }
    }
    found.extend(expected.map(|(issued, jti, _)| (issued, format!("token {jti} is live, and is not served so"))));
    found.truncate(DIFFERENCES_MAX);
    found
}
