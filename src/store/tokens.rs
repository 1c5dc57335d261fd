//! Tokens as the projection has them: one, several, or a filtered page.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder, Row, postgres::PgRow};
use uuid::Uuid;

use super::{Head, StoreError, listing, ordered::Placed, postgres::bounded, row::TokenRow, rules};
use crate::domain::{
    Path, Position, Predicate, Rule, Status, Token,
    authority::Sight,
    suspend::Affected,
    text::{Kid, Name, Permission, Subject, TeamId},
};

static BY_JTI: &str = include_str!("tokens_by_jti.sql");
static BESIDE_HEAD: &str = concat!(
    "with head as (",
    include_str!("head_now.sql"),
    "), named as (",
    include_str!("tokens_by_jti.sql"),
    ") select * from head left join named on true"
);
static BY_NAME: &str = include_str!("tokens_by_name.sql");
static OF_FAMILIES: &str = include_str!("tokens_of_families.sql");
pub(super) static LISTED: &str = include_str!("tokens_listed.sql");

/// Which tokens a listing shows: those that meet every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// That whoever asks may know of.
    pub sight: Sight,
    /// Of this subject.
    pub sub: Option<Subject>,
    /// In this status at the time of the listing.
    pub status: Option<Status>,
    /// Issued through this door.
    pub path: Option<Path>,
    /// Of this name.
    pub name: Option<Name>,
    /// That reach this team: they name it, or reach every team.
    pub team: Option<TeamId>,
    /// That may use this permission: they name it or a wildcard over it, or leave everything to their subject's roles.
    pub permission: Option<Permission>,
    /// Signed by this key.
    pub kid: Option<Kid>,
    /// Issued at this instant or later.
    pub issued_after: Option<DateTime<Utc>>,
    /// Issued before this instant.
    pub issued_before: Option<DateTime<Utc>>,
    /// Expired before this instant, then or by now.
    pub expires_before: Option<DateTime<Utc>>,
    /// Of the family that began with this token, which is one of it.
    pub family: Option<Uuid>,
    /// Issued at this position or later.
    pub issued_from: Option<Position>,
    /// Whether door, key and instants of issuance may be those of the first of its family.
    pub successors: bool,
    /// As they were when the log ended there; today when `None`.
    pub as_of: Option<Position>,
}

impl From<&Predicate> for Filter {
    /// The tokens that meet it, whoever asks.
    fn from(predicate: &Predicate) -> Self {
        let Predicate { sub, team, path, kid, permission, name, issued_after, issued_before, family, successors } =
            predicate.clone();
        let filter = Self { sub, path, name, team, permission, kid, issued_after, issued_before, ..Self::default() };
        Self { family, successors, ..filter }
    }
}

impl From<&Rule> for Filter {
    /// The tokens that were issued where the rule says and meet its predicate, whoever asks.
    fn from(rule: &Rule) -> Self {
        Self { issued_from: Some(rule.from), ..Self::from(&rule.predicate) }
    }
}

/// One page of a listing, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The tokens.
    pub tokens: Vec<Token>,
    /// Where the next page begins, if there is one: tokens issued before this position.
    pub next: Option<Position>,
}

/// One token.
///
/// # Errors
/// [`StoreError`]; a token that is not there is `None`.
pub async fn get(pool: &PgPool, jti: Uuid) -> Result<Option<Token>, StoreError> {
    bounded(async { Ok(by_jti(pool, &[jti]).await?.pop()) }).await
}

/// One token as it was when the log ended at a position.
///
/// # Errors
/// [`StoreError`]; a token that was not there is `None`.
pub async fn get_as_of(pool: &PgPool, jti: Uuid, position: Position) -> Result<Option<Token>, StoreError> {
    let mut query = QueryBuilder::new("");
    push_past(&mut query, Some(position));
    query.push(LISTED).push(" where jti = ").push_bind(jti);
    let rows = query.build().persistent(false).fetch_all(pool);
    let rows = bounded(async { Ok(rows.await?) }).await?;
    Ok(read(&rows)?.pop())
}

/// Has what follows read the tokens and rules of a past end of the log under their own names.
fn push_past(query: &mut QueryBuilder<Postgres>, as_of: Option<Position>) {
    let Some(position) = as_of else { return };
    query.push("with tokens as not materialized (select * from tokens_as_of(").push_bind(position.0);
    query.push(")), revocation_rules as not materialized (select * from revocation_rules where position <= ");
    query.push_bind(position.0).push(") ");
}

/// Whether there is any token.
///
/// # Errors
/// [`StoreError`].
pub async fn are_there(pool: &PgPool) -> Result<bool, StoreError> {
    bounded(async { Ok(sqlx::query_scalar("select exists (select from tokens)").fetch_one(pool).await?) }).await
}

/// The tokens of these identifiers, in no order.
pub(super) async fn by_jti(executor: impl PgExecutor<'_>, ids: &[Uuid]) -> Result<Vec<Token>, StoreError> {
    read(&sqlx::query(BY_JTI).bind(ids).fetch_all(executor).await?)
}

/// The end of the log, the time that what is appended to it now is recorded at, and the tokens of these identifiers as of
/// that end.
pub(super) async fn beside_head(
    executor: impl PgExecutor<'_>,
    ids: &[Uuid],
) -> Result<(Head, DateTime<Utc>, Vec<Token>), StoreError> {
    let rows = sqlx::query(BESIDE_HEAD).bind(ids).fetch_all(executor).await?;
    let first = rows.first().ok_or(StoreError::Headless)?;
    // Where there is no token, the head stands beside nulls.
    let is_any: bool = first.try_get::<Option<Uuid>, _>("jti")?.is_some();
    let tokens = if is_any { read(&rows)? } else { Vec::new() };
    Ok((Head::from_row(first)?, first.try_get("now")?, tokens))
}

/// The tokens of rows that one statement has read with the rules that are not filled yet.
fn read(rows: &[PgRow]) -> Result<Vec<Token>, StoreError> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let rules = rules::read_with(first)?;
    rows.iter().map(|row| read_one(row, &rules)).collect()
}

fn read_one(row: &PgRow, rules: &[Rule]) -> Result<Token, StoreError> {
    let mut token = Token::try_from(TokenRow::from_row(row)?)?;
    let by_rule = row.try_get("by_rule")?;
    token.revocation.iter_mut().for_each(|revocation| revocation.by_rule = by_rule);
    for rule in rules {
        token.revoke_by(rule);
    }
    Ok(token)
}

/// The same, each by itself: one whose row cannot be read is an error of its own.
pub(super) async fn each_by_jti(
    connection: &mut PgConnection,
    ids: Vec<Uuid>,
) -> Result<Vec<(Uuid, Result<Token, StoreError>)>, StoreError> {
    let rows = sqlx::query(BY_JTI).bind(ids).fetch_all(connection).await?;
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let rules = rules::read_with(first)?;
    rows.iter().map(|row| Ok((row.try_get("jti")?, read_one(row, &rules)))).collect()
}

/// The tokens that may hold these names at `now`.
pub(super) async fn by_name(
    connection: &mut PgConnection,
    names: &[(&Subject, &Name)],
    now: DateTime<Utc>,
) -> Result<Vec<Token>, StoreError> {
    let (subjects, names): (Vec<&str>, Vec<&str>) =
        names.iter().map(|(sub, name)| (sub.as_str(), name.as_str())).unzip();
    read(&sqlx::query(BY_NAME).bind(subjects).bind(names).bind(now).fetch_all(connection).await?)
}

/// Of each subject at most `limit` tokens that may be active or suspended at `now`: enough to count up to that.
pub(super) async fn kept(
    connection: &mut PgConnection,
    subjects: &[&Subject],
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Uuid>, StoreError> {
    let subjects: Vec<&str> = subjects.iter().map(|sub| sub.as_str()).collect();
    let mut query = QueryBuilder::<Postgres>::new("select kept.jti from unnest(");
    query.push_bind(subjects).push("::text[]) as wanted (sub) cross join lateral (");
    query.push("select jti from tokens where tokens.sub = wanted.sub and exp > ").push_bind(now);
    query.push(" and (revoked_pos is null or effective_from is not null) and not ").push(rules::COVERED);
    query.push(" limit ").push_bind(limit).push(") as kept");
    Ok(query.build_query_scalar().fetch_all(connection).await?)
}

/// At most `limit` tokens of a subject that a change of suspensions may be for at `now`.
pub(super) async fn to_change(
    connection: &mut PgConnection,
    subject: &Subject,
    affected: Affected,
    now: DateTime<Utc>,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let mut query = QueryBuilder::<Postgres>::new("select jti from tokens where sub = ");
    query.push_bind(subject.as_str()).push(match affected {
        Affected::Free => " and suspended_pos is null",
        Affected::Outranked => " and not suspended_by_full_admin",
        Affected::Suspended => " and suspended_pos is not null",
    });
    query.push(" and exp > ").push_bind(now);
    query.push(" and (revoked_pos is null or effective_from > ").push_bind(now);
    query.push(") and not ").push(rules::COVERED);
    query.push(" limit ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    Ok(query.build_query_scalar().fetch_all(connection).await?)
}

/// The tokens of these families that may be active or suspended at `now`.
pub(super) async fn of_families(
    connection: &mut PgConnection,
    families: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, StoreError> {
    Ok(sqlx::query_scalar(OF_FAMILIES).bind(families).bind(now).fetch_all(connection).await?)
}

/// A row whose columns may hold anything.
pub(super) struct LooseRow {
    pub(super) jti: Uuid,
    issued_pos: i64,
    pub(super) whole: Result<TokenRow, sqlx::Error>,
}

impl FromRow<'_, PgRow> for LooseRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let (jti, issued_pos) = (row.try_get("jti")?, row.try_get("issued_pos")?);
        Ok(Self { jti, issued_pos, whole: TokenRow::from_row(row) })
    }
}

impl Placed for LooseRow {
    fn issued_pos(&self) -> i64 {
        self.issued_pos
    }
}

/// A page of at most `limit` tokens issued before `before`, newest first, with their status judged at `now`.
///
/// # Errors
/// [`StoreError`].
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    before: Option<Position>,
    limit: u16,
    now: DateTime<Utc>,
) -> Result<Page, StoreError> {
    let mut query = QueryBuilder::new("");
    push_past(&mut query, filter.as_of);
    listing::push_page(&mut query, filter, before, i64::from(limit) + 1, now);
    // Planned each time for its own values: rare ones and frequent ones may be reached by different ways.
    let rows = query.build().persistent(false).fetch_all(pool);
    let rows = bounded(async { Ok(rows.await?) }).await?;
    let more = rows.len() > usize::from(limit);
    let tokens = read(&rows[..rows.len().min(usize::from(limit))])?;
    let next = tokens.last().filter(|_| more).map(|token| token.issued);
    Ok(Page { tokens, next })
}

/// How the database comes by the first page of a listing, line by line: for measurements.
///
/// # Errors
/// [`StoreError`].
pub async fn explain(
    pool: &PgPool,
    filter: &Filter,
    limit: u16,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut query = QueryBuilder::new("explain (analyze, buffers) ");
    push_past(&mut query, filter.as_of);
    listing::push_page(&mut query, filter, None, i64::from(limit) + 1, now);
    let lines = query.build_query_scalar().persistent(false).fetch_all(pool);
    bounded(async { Ok(lines.await?) }).await
}
