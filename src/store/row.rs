//! A token as a row of the projection, both ways.

use std::borrow::Borrow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Postgres, postgres::PgArguments, query::Query, types::Json};
use uuid::Uuid;

use super::StoreError;
use crate::domain::{
    Malformed, Position, Token,
    claims::{Scopes, Teams},
    event::{Elevation, First},
    restrictions::{IpRestriction, TimeRestrictions, UsageLimits},
    token::{Lineage, Revocation, Suspension, instant},
};

/// The columns of the view `tokens`.
#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
pub(super) struct TokenRow {
    pub(super) jti: Uuid,
    sub: Option<String>,
    name: Option<String>,
    description: Option<String>,
    reason: Option<String>,
    email: Option<String>,
    full_name: Option<String>,
    aud: Vec<String>,
    kid: String,
    is_admin: bool,
    teams: Option<Vec<String>>,
    namespaces: Vec<String>,
    permissions: Vec<String>,
    server_id: Option<String>,
    restrictions: Json<Restrictions>,
    elevated: Vec<String>,
    path: String,
    out_of_band: bool,
    issued_by: Option<String>,
    policy_version: i32,
    pub(super) issued_pos: i64,
    iat: DateTime<Utc>,
    exp: DateTime<Utc>,
    claims_digest: Option<Vec<u8>>,
    revoked_pos: Option<i64>,
    revoked_at: Option<DateTime<Utc>>,
    effective_from: Option<DateTime<Utc>>,
    revocation_reason: Option<String>,
    revocation_note: Option<String>,
    revoked_by: Option<String>,
    suspended_pos: Option<i64>,
    suspended_at: Option<DateTime<Utc>>,
    family: Option<Uuid>,
    predecessor: Option<Uuid>,
    successor: Option<Uuid>,
    first_path: Option<String>,
    first_iat: Option<DateTime<Utc>>,
    first_kid: Option<String>,
    suspended_by: Option<String>,
    suspended_by_full_admin: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the members of the claim scopes have these names")]
struct Restrictions {
    ip_restrictions: Vec<IpRestriction>,
    time_restrictions: TimeRestrictions,
    usage_limits: UsageLimits,
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn text<T: ToString>(item: Option<&T>) -> Option<String> {
    item.map(ToString::to_string)
}

impl From<&Token> for TokenRow {
    fn from(token: &Token) -> Self {
        let revocation = token.revocation.as_ref();
        let (suspension, first) = (token.suspension.as_ref(), token.lineage.first.as_ref());
        Self {
            jti: token.jti,
            sub: text(token.sub.as_ref()),
            name: text(token.name.as_ref()),
            description: text(token.description.as_ref()),
            reason: text(token.reason.as_ref()),
            email: text(token.email.as_ref()),
            full_name: text(token.full_name.as_ref()),
            aud: texts(&token.aud),
            kid: token.kid.to_string(),
            is_admin: token.is_admin,
            teams: match &token.teams {
                Teams::Every => None,
                Teams::These(teams) => Some(texts(teams)),
            },
            namespaces: texts(&token.namespaces),
            permissions: texts(&token.scopes.permissions),
            server_id: text(token.scopes.server_id.as_ref()),
            restrictions: Json(Restrictions {
                ip_restrictions: token.scopes.ip_restrictions.clone(),
                time_restrictions: token.scopes.time_restrictions.clone(),
                usage_limits: token.scopes.usage_limits.clone(),
            }),
            elevated: token.elevated.iter().map(|elevation| elevation.as_str().to_owned()).collect(),
            path: token.path.to_string(),
            out_of_band: token.out_of_band,
            issued_by: token.issued_by.clone(),
            policy_version: i32::try_from(token.policy_version).unwrap_or(i32::MAX),
            issued_pos: token.issued.0,
            iat: token.issued_at,
            exp: token.expires_at,
            claims_digest: token.claims_digest.map(Vec::from),
            revoked_pos: revocation.map(|r| r.position.0),
            revoked_at: revocation.map(|r| r.at),
            effective_from: revocation.and_then(|r| r.effective_from),
            revocation_reason: revocation.map(|r| r.reason.to_string()),
            revocation_note: revocation.and_then(|r| text(r.note.as_ref())),
            revoked_by: revocation.and_then(|r| r.by.clone()),
            suspended_pos: suspension.map(|s| s.position.0),
            suspended_at: suspension.map(|s| s.at),
            family: token.lineage.family,
            predecessor: token.lineage.predecessor,
            successor: token.lineage.successor,
            first_path: first.map(|first| first.path.as_str().to_owned()),
            first_iat: first.map(|first| instant(first.iat)),
            first_kid: first.map(|first| first.kid.to_string()),
            suspended_by: suspension.and_then(|s| text(s.by.as_ref())),
            suspended_by_full_admin: suspension.is_some_and(|s| s.by_full_admin),
        }
    }
}

/// Binds new rows column by column, in the order in which the statement has them. `unnest` flattens an array of arrays, so a
/// list travels as the text of one.
pub(super) fn bind_issued<'q>(
    query: Query<'q, Postgres, PgArguments>,
    rows: &[TokenRow],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(column(rows, |row| row.jti))
        .bind(column(rows, |row| row.sub.as_deref()))
        .bind(column(rows, |row| row.name.as_deref()))
        .bind(column(rows, |row| row.description.as_deref()))
        .bind(column(rows, |row| row.reason.as_deref()))
        .bind(column(rows, |row| row.email.as_deref()))
        .bind(column(rows, |row| row.full_name.as_deref()))
        .bind(column(rows, |row| list(&row.aud)))
        .bind(column(rows, |row| &*row.kid))
        .bind(column(rows, |row| row.is_admin))
        .bind(column(rows, |row| row.teams.as_deref().map(list)))
        .bind(column(rows, |row| list(&row.namespaces)))
        .bind(column(rows, |row| list(&row.permissions)))
        .bind(column(rows, |row| row.server_id.as_deref()))
        .bind(column(rows, |row| Json(&row.restrictions.0)))
        .bind(column(rows, |row| list(&row.elevated)))
        .bind(column(rows, |row| &*row.path))
        .bind(column(rows, |row| row.out_of_band))
        .bind(column(rows, |row| row.issued_by.as_deref()))
        .bind(column(rows, |row| row.policy_version))
        .bind(column(rows, |row| row.issued_pos))
        .bind(column(rows, |row| row.iat))
        .bind(column(rows, |row| row.exp))
        .bind(column(rows, |row| row.claims_digest.as_deref()))
        .bind(column(rows, |row| row.suspended_pos))
        .bind(column(rows, |row| row.suspended_at))
        .bind(column(rows, |row| row.family))
        .bind(column(rows, |row| row.predecessor))
        .bind(column(rows, |row| row.successor))
        .bind(column(rows, |row| row.first_path.as_deref()))
        .bind(column(rows, |row| row.first_iat))
        .bind(column(rows, |row| row.first_kid.as_deref()))
        .bind(column(rows, |row| row.suspended_by.as_deref()))
        .bind(column(rows, |row| row.suspended_by_full_admin))
}

/// Binds the revocations of those rows that have one.
pub(super) fn bind_revoked<'q>(
    query: Query<'q, Postgres, PgArguments>,
    rows: &[TokenRow],
) -> Query<'q, Postgres, PgArguments> {
    let rows: Vec<&TokenRow> = rows.iter().filter(|row| row.is_revoked()).collect();
    query
        .bind(column(&rows, |row| row.issued_pos))
        .bind(column(&rows, |row| row.revoked_pos))
        .bind(column(&rows, |row| row.revoked_at))
        .bind(column(&rows, |row| row.effective_from))
        .bind(column(&rows, |row| row.revocation_reason.as_deref()))
        .bind(column(&rows, |row| row.revocation_note.as_deref()))
        .bind(column(&rows, |row| row.revoked_by.as_deref()))
}

/// Binds what may change of rows that are there, besides their revocation.
pub(super) fn bind_changed<'q>(
    query: Query<'q, Postgres, PgArguments>,
    rows: &[TokenRow],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(column(rows, |row| row.jti))
        .bind(column(rows, |row| row.suspended_pos))
        .bind(column(rows, |row| row.suspended_at))
        .bind(column(rows, |row| row.successor))
        .bind(column(rows, |row| row.suspended_by.as_deref()))
        .bind(column(rows, |row| row.suspended_by_full_admin))
}

fn column<'a, R: Borrow<TokenRow> + 'a, T>(rows: &'a [R], of: impl Fn(&'a TokenRow) -> T) -> Vec<T> {
    rows.iter().map(|row| of(row.borrow())).collect()
}

/// An array of texts as Postgres writes one.
fn list(items: &[String]) -> String {
    let quoted = items.iter().map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")));
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

impl TryFrom<TokenRow> for Token {
    type Error = StoreError;

    fn try_from(row: TokenRow) -> Result<Self, StoreError> {
        let jti = row.jti;
        row.parse().map_err(|error| StoreError::UnreadableRow { jti, what: error.to_string() })
    }
}

impl TokenRow {
    pub(super) fn is_revoked(&self) -> bool {
        self.revoked_pos.is_some()
    }

    fn parse(self) -> Result<Token, Malformed> {
        let revocation = self.revocation()?;
        let suspension = self.suspension()?;
        let first = self.first()?;
        let Restrictions { ip_restrictions, time_restrictions, usage_limits } = self.restrictions.0;
        Ok(Token {
            jti: self.jti,
            sub: parsed(self.sub)?,
            name: parsed(self.name)?,
            description: parsed(self.description)?,
            reason: parsed(self.reason)?,
            email: parsed(self.email)?,
            full_name: parsed(self.full_name)?,
            aud: each(self.aud)?,
            kid: self.kid.parse()?,
            is_admin: self.is_admin,
            teams: self.teams.map_or(Ok(Teams::Every), |teams| each(teams).map(Teams::These))?,
            namespaces: each(self.namespaces)?,
            scopes: Scopes {
                server_id: parsed(self.server_id)?,
                permissions: each(self.permissions)?,
                ip_restrictions,
                time_restrictions,
                usage_limits,
            },
            elevated: self.elevated.iter().map(|text| elevation(text)).collect::<Result<_, _>>()?,
            path: self.path.parse()?,
            out_of_band: self.out_of_band,
            issued_by: self.issued_by,
            policy_version: u32::try_from(self.policy_version).unwrap_or(0),
            issued: Position(self.issued_pos),
            issued_at: self.iat,
            expires_at: self.exp,
            claims_digest: self.claims_digest.map(digest).transpose()?,
            revocation,
            suspension,
            lineage: Lineage { family: self.family, predecessor: self.predecessor, successor: self.successor, first },
        })
    }

    fn first(&self) -> Result<Option<First>, Malformed> {
        let (Some(path), Some(iat), Some(kid)) = (&self.first_path, self.first_iat, &self.first_kid) else {
            return Ok(None);
        };
        Ok(Some(First { path: path.parse()?, iat: iat.timestamp(), kid: kid.parse()? }))
    }

    fn suspension(&self) -> Result<Option<Suspension>, Malformed> {
        let Some((position, at)) = self.suspended_pos.zip(self.suspended_at) else { return Ok(None) };
        let (by, by_full_admin) = (parsed(self.suspended_by.clone())?, self.suspended_by_full_admin);
        Ok(Some(Suspension { position: Position(position), at, by, by_full_admin }))
    }

    fn revocation(&self) -> Result<Option<Revocation>, Malformed> {
        let (Some(position), Some(at), Some(reason)) = (self.revoked_pos, self.revoked_at, &self.revocation_reason)
        else {
            return Ok(None);
        };
        Ok(Some(Revocation {
            position: Position(position),
            at,
            effective_from: self.effective_from,
            reason: reason.parse()?,
            note: parsed(self.revocation_note.clone())?,
            by: self.revoked_by.clone(),
            by_rule: false,
        }))
    }
}

fn parsed<T: TryFrom<String, Error = Malformed>>(text: Option<String>) -> Result<Option<T>, Malformed> {
    text.map(T::try_from).transpose()
}

pub(super) fn each<T: TryFrom<String, Error = Malformed>>(texts: Vec<String>) -> Result<Vec<T>, Malformed> {
    texts.into_iter().map(T::try_from).collect()
}

fn elevation(text: &str) -> Result<Elevation, Malformed> {
    Elevation::ALL
        .into_iter()
        .find(|elevation| elevation.as_str() == text)
        .ok_or_else(|| Malformed::NotA { value: text.to_owned(), expected: "admin, teams, permissions or email" })
}

fn digest(bytes: Vec<u8>) -> Result<[u8; 32], Malformed> {
    bytes.try_into().map_err(|_| Malformed::Contradiction("claims_digest is not 32 bytes"))
}
