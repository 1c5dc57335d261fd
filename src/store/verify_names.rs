//! That whoever asks for the holders of a name is told of each: the rows of `token_names` against the fold of the log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{difference, ordered::Placed};
use crate::domain::{Position, Rule, Token};

/// Every row.
pub(super) static ROWS: &str = include_str!("token_names.sql");

#[derive(PartialEq, FromRow, Serialize)]
pub(super) struct NameRow {
    issued_pos: i64,
    sub: String,
    name: String,
    exp: DateTime<Utc>,
}

impl Placed for NameRow {
    fn issued_pos(&self) -> i64 {
        self.issued_pos
    }
}

impl NameRow {
    /// That of a token which has a subject and a name.
    fn of(token: &Token) -> Option<Self> {
        let (sub, name) = (token.sub.as_ref()?.to_string(), token.name.as_ref()?.to_string());
        Some(Self { issued_pos: token.issued.0, sub, name, exp: token.expires_at })
    }
}

/// Where the rows differ from what the tokens say. One that is revoked at once may have its row still, or not.
pub(super) fn differences(
    rows: Vec<NameRow>,
    folded: &HashMap<Uuid, Token>,
    rules: &[Rule],
) -> Vec<(Position, String)> {
    let named = folded.values().filter(|token| token.sub.is_some() && token.name.is_some());
    let mut named: HashMap<i64, &Token> = named.map(|token| (token.issued.0, token)).collect();
    let mut found = Vec::new();
    for row in rows {
        let expected = named.remove(&row.issued_pos).and_then(NameRow::of);
        if expected.as_ref() != Some(&row) {
            let differs = difference::first(&row, expected.as_ref());
            let detail = format!("the row of token_names is not what the token says: {differs}");
            found.push((Position(row.issued_pos), detail));
        }
    }
    let is_over = |token: &Token| {
        let is_revoked = token.revocation.as_ref().is_some_and(|revocation| revocation.effective_from.is_none());
        is_revoked || rules.iter().any(|rule| rule.may_have_covered(token))
    };
    let missing = named.into_values().filter(|token| !is_over(token));
    found.extend(missing.map(|token| (token.issued, "token_names has no row for the token".to_owned())));
    found
}
