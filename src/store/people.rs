//! What identity providers said of people last: one row for each, made of its last event.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, Row, postgres::PgRow};

use super::{StoreError, difference, postgres::bounded, verify::Difference};
use crate::domain::{
    Position, State,
    claims::Teams,
    person::PersonSeen,
    text::{Issuer, Permission, Subject, TeamId},
};

/// A row of `people`.
pub(super) struct PersonRow {
    sub: Subject,
    seen: PersonSeen,
    position: Position,
}

impl FromRow<'_, PgRow> for PersonRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let sub: Subject = parsed(row.try_get::<String, _>("sub")?)?;
        let teams: Option<Vec<String>> = row.try_get("teams")?;
        let teams = match teams {
            None => Teams::Every,
            Some(teams) => Teams::These(teams.into_iter().map(parsed::<TeamId>).collect::<Result<_, _>>()?),
        };
        let permissions: Vec<String> = row.try_get("permissions")?;
        let seen = PersonSeen {
            issuer: parsed::<Issuer>(row.try_get("issuer")?)?,
            logged_in: row.try_get("logged_in")?,
            is_admin: row.try_get("is_admin")?,
            teams,
            permissions: permissions.into_iter().map(parsed::<Permission>).collect::<Result<_, _>>()?,
            sub: Some(sub.clone()),
        };
        Ok(Self { sub, seen, position: Position(row.try_get("position")?) })
    }
}

/// A row whose columns may hold anything.
struct LooseRow {
    position: Position,
    whole: Result<PersonRow, sqlx::Error>,
}

impl FromRow<'_, PgRow> for LooseRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { position: Position(row.try_get("position")?), whole: PersonRow::from_row(row) })
    }
}

fn parsed<T: TryFrom<String>>(text: String) -> Result<T, sqlx::Error>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// What is recorded of a person.
///
/// # Errors
/// [`StoreError`].
pub async fn get(pool: &PgPool, sub: &Subject) -> Result<Option<PersonSeen>, StoreError> {
    let query = sqlx::query_as(include_str!("people_by_sub.sql")).bind(vec![sub.as_str()]);
    let row: Option<PersonRow> = bounded(async { Ok(query.fetch_optional(pool).await?) }).await?;
    Ok(row.map(|row| row.seen))
}

/// Adds what is recorded of these people.
pub(super) async fn load(
    connection: &mut PgConnection,
    state: &mut State,
    subjects: &[Subject],
) -> Result<(), StoreError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let subjects: Vec<&str> = subjects.iter().map(Subject::as_str).collect();
    let rows: Vec<PersonRow> =
        sqlx::query_as(include_str!("people_by_sub.sql")).bind(subjects).fetch_all(connection).await?;
    for PersonRow { sub, seen, position } in rows {
        state.insert_person(sub, seen, position);
    }
    Ok(())
}

/// Whether there is any for [`insert`].
pub(super) fn are_new(state: &State) -> bool {
    state.people_seen().next().is_some()
}

/// Writes what a batch recorded of people.
pub(super) async fn insert(connection: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    for (sub, seen, position) in state.people_seen() {
        let teams: Option<Vec<&str>> = match &seen.teams {
            Teams::Every => None,
            Teams::These(teams) => Some(teams.iter().map(TeamId::as_str).collect()),
        };
        sqlx::query(include_str!("person_insert.sql"))
            .bind(sub.as_str())
            .bind(seen.issuer.as_str())
            .bind(seen.is_admin)
            .bind(teams)
            .bind(seen.permissions.iter().map(Permission::as_str).collect::<Vec<_>>())
            .bind(seen.logged_in)
            .bind(position.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// What is compared of a row.
#[derive(Serialize)]
struct Shown<'a> {
    position: Position,
    #[serde(flatten)]
    seen: &'a PersonSeen,
}

/// Where the rows differ from the fold. What is left of an erased event is still what a row says of somebody, but of one
/// person only, and of nobody of whom something later is known.
pub(super) async fn differences(
    executor: impl PgExecutor<'_>,
    folded: &State,
    erased: &BTreeMap<Position, PersonSeen>,
) -> Result<Vec<Difference>, StoreError> {
    let rows: Vec<LooseRow> = sqlx::query_as(include_str!("people_all.sql")).fetch_all(executor).await?;
    let mut missing: HashMap<&Subject, (&PersonSeen, Position)> =
        folded.people().map(|(sub, seen, position)| (sub, (seen, position))).collect();
    let mut erased: HashMap<Position, &PersonSeen> = erased.iter().map(|(position, seen)| (*position, seen)).collect();
    let mut differences = Vec::new();
    for LooseRow { position, whole } in &rows {
        let row = match whole {
            Ok(row) => row,
            Err(error) => {
                missing.retain(|_, (_, last)| last != position);
                differences.push((Some(*position), format!("the row of people cannot be read: {error}")));
                continue;
            }
        };
        let known = missing.remove(&row.sub);
        let is_folded = known == Some((&row.seen, row.position));
        let is_last = known.is_none_or(|(_, position)| position < row.position);
        let nobody = PersonSeen { sub: None, ..row.seen.clone() };
        let left = erased.get(&row.position).copied();
        let is_left = is_last && left == Some(&nobody);
        if is_left {
            erased.remove(&row.position);
        } else if !is_folded {
            let position = row.position;
            let differs = if let Some((seen, last)) = known {
                difference::first(&Shown { position, seen: &row.seen }, Some(&Shown { position: last, seen }))
            } else {
                let left = left.map(|seen| Shown { position, seen });
                difference::first(&Shown { position, seen: &nobody }, left.as_ref())
            };
            let detail = format!("a row of people is not what its event says: {differs}");
            differences.push((Some(row.position), detail));
        }
    }
    let missing = missing.into_values();
    differences.extend(missing.map(|(_, position)| (Some(position), "the person has no row".to_owned())));
    Ok(differences)
}
