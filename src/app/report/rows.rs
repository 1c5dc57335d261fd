//! Rows of a report as cells, in the order of their headings.

use chrono::{DateTime, Utc};

use super::sections::{Cells, NOTHING};
use crate::{
    app::view::instant,
    domain::{
        Position,
        audit::{
            denials::DenialRow,
            live::{LiveRow, Notable},
            out_of_band::OutOfBandRow,
            reads::ReadRow,
            revocations::{RevocationRow, RuleRow},
            settings::ChangeRow,
            watch::{ReuseRow, ShadowRow},
        },
        event::Elevation,
        text::deceives,
    },
};

pub(super) fn of_out_of_band(row: &OutOfBandRow) -> Cells {
    vec![
        row.position.to_string(),
        instant(row.at),
        row.status.to_string(),
        cell(row.sub.as_deref()),
        cell(row.os_user.as_deref()),
        cell(row.host.as_deref()),
        cell(row.reason.as_deref()),
        elevated(&row.elevated),
        teams(row.teams.as_deref()),
        list(&row.permissions),
        instant(row.expires_at),
        row.ended_by.map_or_else(|| NOTHING.to_owned(), |position| position.to_string()),
        cell(row.login.as_deref()),
        cell(row.sudo_user.as_deref()),
        row.jti.to_string(),
    ]
}

pub(super) fn of_live(row: &LiveRow) -> Cells {
    let notable: Vec<&str> = row.notable.iter().map(|notable| Notable::as_str(*notable)).collect();
    vec![
        row.position.to_string(),
        row.jti.to_string(),
        cell(row.sub.as_deref()),
        cell(row.name.as_deref()),
        row.path.to_string(),
        row.issued_by.clone(),
        row.status.to_string(),
        instant(row.issued_at),
        instant(row.expires_at),
        elevated(&row.elevated),
        teams(row.teams.as_deref()),
        list(&row.permissions),
        list(&notable),
    ]
}

pub(super) fn of_revocation(row: &RevocationRow) -> Cells {
    vec![
        row.position.to_string(),
        instant(row.at),
        row.jti.to_string(),
        row.reason.to_string(),
        row.by.clone(),
        cell(row.note.as_deref()),
        time(row.effective_from),
        row.successor.map_or_else(|| NOTHING.to_owned(), |successor| successor.to_string()),
        row.age_seconds.map_or_else(|| NOTHING.to_owned(), |age| age.to_string()),
    ]
}

pub(super) fn of_rule(row: &RuleRow) -> Cells {
    vec![
        row.position.to_string(),
        instant(row.at),
        row.covers.clone(),
        row.reason.to_string(),
        row.by.clone(),
        cell(row.note.as_deref()),
        row.ended.to_string(),
    ]
}

pub(super) fn of_denial(row: &DenialRow) -> Cells {
    vec![row.rule.clone(), row.actor.clone(), row.count.to_string(), row.first.to_string(), row.last.to_string()]
}

pub(super) fn of_shadow(row: &ShadowRow) -> Cells {
    vec![
        row.position.to_string(),
        instant(row.at),
        row.jti.map_or_else(|| NOTHING.to_owned(), |jti| jti.to_string()),
        row.kid.clone(),
        row.what.as_str().to_owned(),
        row.claims_digest.clone(),
        row.by.clone(),
    ]
}

pub(super) fn of_reuse(row: &ReuseRow) -> Cells {
    vec![
        row.position.to_string(),
        instant(row.at),
        row.jti.to_string(),
        row.family.to_string(),
        row.successor.to_string(),
        row.by.clone(),
    ]
}

pub(super) fn of_change(row: &ChangeRow) -> Cells {
    vec![
        row.position.to_string(),
        instant(row.at),
        row.kind.clone(),
        row.what.clone(),
        cell(Some(row.detail.as_str()).filter(|detail| !detail.is_empty())),
        row.by.clone(),
    ]
}

pub(super) fn of_read(row: &ReadRow) -> Cells {
    vec![
        row.position.to_string(),
        instant(row.at),
        row.by.clone(),
        row.what.to_string(),
        row.format.clone(),
        row.first.to_string(),
        row.last.to_string(),
        row.end.to_string(),
        cell(row.sub.as_deref()),
        cell(row.team.as_deref()),
    ]
}

pub(super) fn cell(text: Option<&str>) -> String {
    text.unwrap_or(NOTHING).to_owned()
}

pub(super) fn time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| NOTHING.to_owned(), instant)
}

pub(super) fn positions(positions: &[Position]) -> String {
    positions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub(super) fn elevated(elevated: &[Elevation]) -> String {
    list(&elevated.iter().map(|elevation| elevation.as_str()).collect::<Vec<_>>())
}

pub(super) fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if items.is_empty() { NOTHING.to_owned() } else { items.join(" ") }
}

pub(super) fn teams(teams: Option<&[String]>) -> String {
    teams.map_or_else(|| "every team".to_owned(), list)
}

/// A text on one line: nothing in it commands a terminal, breaks the line or turns its direction.
pub(super) fn inert(text: &str) -> String {
    text.chars().map(|character| if deceives(character) { '\u{FFFD}' } else { character }).collect()
}
