//! Whether what is served of tokens that may still be used is what a fold of the log says.

use std::pin::pin;

use futures_util::TryStreamExt;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::{Position, Status, audit::Fold};

/// After so many differences the rest is not looked for.
const DIFFERENCES_MAX: usize = 20;

/// The tokens that are live at the end of a fold and not in the projection as it was then, or the other way round. A rule
/// that is not filled into rows yet is laid over whatever is served, so a row may say less than the log.
pub(super) async fn differences(
    connection: &mut PgConnection,
    fold: &Fold,
) -> Result<Vec<(Position, String)>, StoreError> {
    let scope = fold.scope();
    let unfilled = "select max(position) from revocation_rules where filled_to > 0 and position <= $1";
    let unfilled: Option<i64> = sqlx::query_scalar(unfilled).bind(scope.end.0).fetch_one(&mut *connection).await?;
    let mut expected = fold.live().into_iter().peekable();
    let mut found = Vec::new();
    let served = sqlx::query_as(include_str!("replay_live.sql")).bind(scope.end.0).bind(scope.judged_at);
    let mut served = pin!(served.fetch(connection));
    while let Some(row) = served.try_next().await? {
        let (position, jti, is_suspended): (i64, Uuid, bool) = row;
        while let Some((issued, jti, _)) = expected.next_if(|(issued, ..)| issued.0 < position) {
            found.push((issued, format!("token {jti} is live, and is not served so")));
        }
        let said = expected.next_if(|(issued, ..)| issued.0 == position);
        let is_ended_by_rule = said.is_none() && unfilled.is_some_and(|rule| position < rule);
        let is_said = said.is_some_and(|(_, said, status)| {
            (said, status) == (jti, if is_suspended { Status::Suspended } else { Status::Active })
        });
        if !is_said && !is_ended_by_rule {
            found.push((Position(position), format!("token {jti} is served otherwise than the log says")));
        }
        if found.len() >= DIFFERENCES_MAX {
            break;
        }
    }
    found.extend(expected.map(|(issued, jti, _)| (issued, format!("token {jti} is live, and is not served so"))));
    found.truncate(DIFFERENCES_MAX);
    Ok(found)
}
