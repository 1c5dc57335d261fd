//! Rules: added with their event, in force at once for every read, and filled into the rows of the tokens that they cover
//! afterwards.
//!
//! A read takes the rows and the rules that are not filled yet in one statement, and so in one snapshot: whatever a rule
//! covers is revoked by its row or by the rule, at any moment of filling. [`Rule::covers`] decides, and `COVERED` says
//! the same in SQL where a statement chooses rows by their state.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::{
    FromRow, PgConnection, PgExecutor, PgPool, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
    types::Json,
};
use uuid::Uuid;

use super::{StoreError, postgres::bounded};
use crate::domain::{
    Path, Position, Predicate, Rule, Token,
    revoke::RevocationReason,
    text::{Kid, Name, Note, Permission, Subject, TeamId},
};

/// Whether a rule that is not filled yet covers the row of `tokens`, as SQL.
pub(super) static COVERED: &str = "(
        (select exists (select from revocation_rules where filled_to > 0))
        and exists (
            select
              from revocation_rules as rule
             where rule.filled_to > 0
               and rule.position > tokens.issued_pos
               and rule.issued_from <= tokens.issued_pos
               and (rule.sub is null or rule.sub = tokens.sub)
               and (rule.team is null or tokens.teams is null or rule.team = any(tokens.teams))
               and (rule.permission is null or tokens.permissions = '{}' or exists (
                        select
                          from unnest(tokens.permissions) as held (permission)
                         where held.permission = rule.permission
                            or (right(held.permission, 1) = '*' and starts_with(rule.permission, left(held.permission, -1)))
                   ))
               and (rule.name is null or rule.name = tokens.name)
               and (rule.family is null or rule.family = coalesce(tokens.family, tokens.jti))
               and ((
                        (rule.path is null or rule.path = tokens.path)
                        and (rule.kid is null or rule.kid = tokens.kid)
                        and (rule.issued_after is null or rule.issued_after <= tokens.iat)
                        and (rule.issued_before is null or rule.issued_before > tokens.iat)
                   ) or (
                        rule.successors
                        and tokens.first_path is not null
                        and (rule.path is null or rule.path = tokens.first_path)
                        and (rule.kid is null or rule.kid = tokens.first_kid)
                        and (rule.issued_after is null or rule.issued_after <= tokens.first_iat)
                        and (rule.issued_before is null or rule.issued_before > tokens.first_iat)
                   ))
            offset 0
        )
    )";

/// A row of `revocation_rules`, as `to_jsonb` writes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleRow {
    position: i64,
    issued_from: i64,
    sub: Option<Subject>,
    team: Option<TeamId>,
    path: Option<Path>,
    kid: Option<Kid>,
    permission: Option<Permission>,
    name: Option<Name>,
    issued_after: Option<DateTime<Utc>>,
    issued_before: Option<DateTime<Utc>>,
    family: Option<Uuid>,
    successors: bool,
    revoked_at: DateTime<Utc>,
    reason: RevocationReason,
    note: Option<Note>,
    revoked_by: Option<String>,
    /// See the column.
    pub(super) filled_to: i64,
}

impl From<RuleRow> for Rule {
    fn from(row: RuleRow) -> Self {
        let RuleRow { sub, team, path, kid, permission, name, issued_after, issued_before, family, successors, .. } =
            row;
        Self {
            position: Position(row.position),
            from: Position(row.issued_from),
            at: row.revoked_at,
            predicate: Predicate {
                sub,
                team,
                path,
                kid,
                permission,
                name,
                issued_after,
                issued_before,
                family,
                successors,
            },
            reason: row.reason,
            note: row.note,
            by: row.revoked_by,
            is_whole: true,
        }
    }
}

/// The rules that a row of tokens was read with.
pub(super) fn read_with(row: &PgRow) -> Result<Vec<Rule>, sqlx::Error> {
    let rules: Option<Json<Vec<RuleRow>>> = row.try_get("rules")?;
    Ok(rules.map_or_else(Vec::new, |Json(rules)| rules.into_iter().map(Rule::from).collect()))
}

/// A row whose columns may hold anything.
pub(super) struct LooseRule {
    pub(super) position: Position,
    /// Whether it is in the rows of all the tokens that it covers.
    pub(super) is_filled: bool,
    pub(super) whole: Result<Rule, serde_json::Error>,
}

impl FromRow<'_, PgRow> for LooseRule {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(columns): Json<serde_json::Value> = row.try_get("columns")?;
        Ok(Self {
            position: Position(row.try_get("position")?),
            is_filled: row.try_get::<i64, _>("filled_to")? == 0,
            whole: RuleRow::deserialize(columns).map(Rule::from),
        })
    }
}

/// Every row, in the order of the log.
pub(super) async fn all_loose(executor: impl PgExecutor<'_>) -> Result<Vec<LooseRule>, StoreError> {
    Ok(sqlx::query_as(include_str!("rules_all.sql")).fetch_all(executor).await?)
}

/// The rules that are not in the rows of all the tokens that they cover.
pub(super) async fn unfilled(executor: impl PgExecutor<'_>) -> Result<Vec<Rule>, StoreError> {
    let unfilled = "select to_jsonb(rule) from revocation_rules as rule where filled_to > 0";
    Ok(read(executor, unfilled).await?.into_iter().map(Rule::from).collect())
}

/// Every rule, in the order of the log.
pub(super) async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<RuleRow>, StoreError> {
    read(executor, "select to_jsonb(rule) from revocation_rules as rule order by position").await
}

async fn read(executor: impl PgExecutor<'_>, sql: &'static str) -> Result<Vec<RuleRow>, StoreError> {
    let rows: Vec<Json<RuleRow>> = sqlx::query_scalar(sql).fetch_all(executor).await?;
    Ok(rows.into_iter().map(|Json(row)| row).collect())
}

/// Where in the log the rules stand that cover a token, whether or not it was over by then.
///
/// # Errors
/// [`StoreError`].
pub async fn covering(pool: &PgPool, token: &Token) -> Result<Vec<Position>, StoreError> {
    let rules = bounded(all(pool)).await?.into_iter().map(Rule::from);
    Ok(rules.filter(|rule| rule.covers(token)).map(|rule| rule.position).collect())
}

/// Adds the rules of a batch. No row of a token says anything of them yet.
pub(super) async fn insert(connection: &mut PgConnection, rules: &[Rule]) -> Result<(), StoreError> {
    for rule in rules {
        bind(sqlx::query(include_str!("rule_insert.sql")), rule).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Binds the columns of a rule.
pub(super) fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    Rule { position, from, at, predicate, reason, note, by, is_whole: _ }: &'q Rule,
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(position.0)
        .bind(predicate.sub.as_ref().map(Subject::as_str))
        .bind(predicate.team.as_ref().map(TeamId::as_str))
        .bind(predicate.path.map(Path::as_str))
        .bind(predicate.kid.as_ref().map(Kid::as_str))
        .bind(predicate.permission.as_ref().map(Permission::as_str))
        .bind(predicate.name.as_ref().map(Name::as_str))
        .bind(predicate.issued_after)
        .bind(predicate.issued_before)
        .bind(predicate.family)
        .bind(predicate.successors)
        .bind(at)
        .bind(reason.as_str())
        .bind(note.as_ref().map(Note::as_str))
        .bind(by)
        .bind(from.0)
}
