//! A token's record as a server tells it, for people.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::text::{Line, line, listed};
use crate::cli::{event_line::seconds, rows::NOTHING};

pub(super) const HEADINGS: &[&str] = &["jti", "status", "path", "expires", "subject", "name"];

/// A token's record, as far as people are shown it. What is personal is `None` once erased.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    as_of: Option<PastState>,
    pub(super) jti: Line,
    pub(super) sub: Option<Line>,
    name: Option<Line>,
    description: Option<Line>,
    status: Line,
    inactive_because: Option<Inactive>,
    pub(super) path: Line,
    out_of_band: bool,
    issued_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) issued_by: Option<Line>,
    reason: Option<Line>,
    aud: Vec<Line>,
    is_admin: bool,
    /// `null` is every team.
    #[serde(deserialize_with = "said")]
    teams: Option<Vec<Line>>,
    namespaces: Vec<Line>,
    scopes: Scopes,
    position: i64,
    revocation: Option<Revocation>,
    lineage: Option<Lineage>,
}

/// Why a token is not active, as far as this program knows the kind.
/// Which past something is of.
#[derive(Debug, Deserialize)]
pub(super) struct PastState {
    position: i64,
    judged_at: DateTime<Utc>,
}

impl PastState {
    /// The position, and the instant that states are judged at.
    pub(super) fn line(&self) -> String {
        format!("@{}, {}", self.position, seconds(self.judged_at))
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Inactive {
    Revoked {
        position: i64,
    },
    RevokedByRule {
        position: i64,
    },
    Rotated {
        deadline: DateTime<Utc>,
        successor: Line,
    },
    Expired {
        at: DateTime<Utc>,
    },
    Suspended {
        position: i64,
        since: DateTime<Utc>,
    },
    /// A newer server knows of more.
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Lineage {
    family: Option<Line>,
    predecessor: Option<Line>,
    successor: Option<Line>,
}

#[derive(Debug, Deserialize)]
struct Scopes {
    server_id: Option<Line>,
    permissions: Vec<Line>,
    ip_restrictions: Vec<Line>,
    time_restrictions: Value,
    usage_limits: Value,
}

#[derive(Debug, Deserialize)]
struct Revocation {
    position: i64,
    revoked_at: DateTime<Utc>,
    effective_from: Option<DateTime<Utc>>,
    reason: Line,
    note: Option<Line>,
    revoked_by: Option<Line>,
}

/// A record, and all that the server said of it.
pub(super) struct Listed {
    pub(super) record: Record,
    pub(super) value: Value,
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let record = Record::deserialize(&value).map_err(serde::de::Error::custom)?;
        Ok(Self { record, value })
    }
}

impl Record {
    /// The cells of one row, one for each of [`HEADINGS`].
    pub(super) fn cells(&self) -> Vec<String> {
        vec![
            self.jti.to_string(),
            self.status_and_kind(),
            self.path.to_string(),
            seconds(self.expires_at),
            or_nothing(self.sub.as_ref()),
            or_nothing(self.name.as_ref()),
        ]
    }

    /// All that people are shown, as labels and values. What is not there has no line.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let optional = |label, value: Option<&Line>| value.map(|value| (label, value.to_string()));
        let all = [
            self.as_of.as_ref().map(|past| ("as of", past.line())),
            Some(("jti", self.jti.to_string())),
            Some(("status", self.status_and_why())),
            Some(("subject", or_nothing(self.sub.as_ref()))),
            optional("name", self.name.as_ref()),
            optional("description", self.description.as_ref()),
            Some(("path", self.way())),
            Some(("issued", self.issued())),
            optional("reason", self.reason.as_ref()),
            Some(("expires", seconds(self.expires_at))),
            Some(("audience", listed(&self.aud))),
            self.is_admin.then(|| ("admin", "yes".to_owned())),
            Some(("teams", teams(self.teams.as_deref()))),
            (!self.namespaces.is_empty()).then(|| ("namespaces", listed(&self.namespaces))),
            Some(("permissions", permissions(&self.scopes.permissions))),
            self.scopes.restrictions().map(|restrictions| ("restricted", restrictions)),
            self.revocation.as_ref().map(|revocation| ("revoked", revocation.summary())),
            optional("family", self.lineage.as_ref().and_then(|lineage| lineage.family.as_ref())),
            optional("predecessor", self.lineage.as_ref().and_then(|lineage| lineage.predecessor.as_ref())),
            optional("successor", self.lineage.as_ref().and_then(|lineage| lineage.successor.as_ref())),
        ];
        all.into_iter().flatten().collect()
    }

    fn status_and_why(&self) -> String {
        let why = self.inactive_because.as_ref().and_then(Inactive::summary);
        why.map_or_else(|| self.status.to_string(), |why| format!("{}: {why}", self.status))
    }

    /// The status, and whether it comes from more than the token's own revocation.
    fn status_and_kind(&self) -> String {
        match &self.inactive_because {
            Some(Inactive::RevokedByRule { position, .. }) => format!("{} by rule @{position}", self.status),
            Some(Inactive::Rotated { deadline, .. }) => {
                format!("{} by rotation at {}", self.status, seconds(*deadline))
            }
            _ => self.status.to_string(),
        }
    }

    /// The door, and that it was not the API's.
    pub(super) fn way(&self) -> String {
        way(&self.path, self.out_of_band)
    }

    fn issued(&self) -> String {
        let by = self.issued_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        format!("{}{by}, position {}", seconds(self.issued_at), self.position)
    }
}

impl Scopes {
    fn restrictions(&self) -> Option<String> {
        let is_set = |value: &&Value| value.as_object().is_some_and(|members| !members.is_empty());
        let parts: Vec<String> = [
            self.server_id.as_ref().map(|server| format!("server {server}")),
            (!self.ip_restrictions.is_empty()).then(|| format!("addresses {}", listed(&self.ip_restrictions))),
            Some(&self.time_restrictions).filter(is_set).map(|times| format!("times {times}")),
            Some(&self.usage_limits).filter(is_set).map(|usage| format!("usage {usage}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| line(&parts.join("; ")))
    }
}

impl Inactive {
    fn summary(&self) -> Option<String> {
        Some(match self {
            Self::Revoked { position } => format!("position {position}"),
            Self::RevokedByRule { position } => format!("by the rule at position {position}"),
            Self::Rotated { deadline, successor } => {
                format!("its place was taken by {successor}, deadline {}", seconds(*deadline))
            }
            Self::Expired { at } => format!("since {}", seconds(*at)),
            Self::Suspended { position, since } => format!("since {}, position {position}", seconds(*since)),
            Self::Other => return None,
        })
    }
}

impl Revocation {
    fn summary(&self) -> String {
        let by = self.revoked_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let note = self.note.as_ref().map(|note| format!("; note '{note}'")).unwrap_or_default();
        let from = self.effective_from.map(|from| format!(", from {} on", seconds(from))).unwrap_or_default();
        format!("{}{by}, position {}{from}: {}{note}", seconds(self.revoked_at), self.position, self.reason)
    }
}

/// For `deserialize_with` alone, of a member whose `null` is everything: one that is absent must not be read as that.
pub(super) fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Line>>, D::Error> {
    Option::deserialize(deserializer)
}

/// A door by name, and that it was not the API's.
pub(super) fn way(path: &Line, out_of_band: bool) -> String {
    if out_of_band { format!("{path}, out of band") } else { path.to_string() }
}

/// The teams that are reached, `None` being all.
pub(super) fn teams(teams: Option<&[Line]>) -> String {
    match teams {
        None => "every team".to_owned(),
        Some([]) => "public things only".to_owned(),
        Some(teams) => listed(teams),
    }
}

fn permissions(permissions: &[Line]) -> String {
    if permissions.is_empty() { "whatever the subject may do".to_owned() } else { listed(permissions) }
}

fn or_nothing(line: Option<&Line>) -> String {
    line.map_or_else(|| NOTHING.to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"jti":"j","status":"active","path":"api","out_of_band":false,"aud":[],"is_admin":false,
        "issued_at":"2026-03-01T12:00:00Z","expires_at":"2026-03-01T12:00:00Z","teams":null,"namespaces":[],"position":1,
        "scopes":{"permissions":[],"ip_restrictions":[],"time_restrictions":{},"usage_limits":{}}}"#;

    #[test]
    fn a_status_says_why_and_a_reason_of_a_newer_server_is_left_out() {
        let status = |because: &str| {
            let text = RECORD.replace(r#""status":"active""#, &format!(r#""status":"s","inactive_because":{because}"#));
            serde_json::from_str::<Record>(&text).unwrap().status_and_why()
        };

        assert_eq!(status(r#"{"kind":"revoked","position":7,"reason":"superseded"}"#), "s: position 7");
        assert_eq!(
            status(r#"{"kind":"revoked_by_rule","position":7,"reason":"superseded"}"#),
            "s: by the rule at position 7"
        );
        assert_eq!(
            status(r#"{"kind":"rotated","position":7,"deadline":"2026-03-01T12:00:00Z","successor":"x"}"#),
            "s: its place was taken by x, deadline 2026-03-01T12:00:00Z"
        );
        assert_eq!(status(r#"{"kind":"expired","at":"2026-03-01T12:00:00Z"}"#), "s: since 2026-03-01T12:00:00Z");
        assert_eq!(
            status(r#"{"kind":"suspended","position":7,"since":"2026-03-01T12:00:00Z"}"#),
            "s: since 2026-03-01T12:00:00Z, position 7"
        );
        assert_eq!([status(r#"{"kind":"by_magic","spell":1}"#), status("null")], ["s", "s"]);
    }

    #[test]
    fn teams_that_are_not_told_are_not_every_team() {
        let told: Record = serde_json::from_str(RECORD).unwrap();
        let untold = serde_json::from_str::<Record>(&RECORD.replace(r#""teams":null,"#, ""));

        assert!(told.lines().contains(&("teams", "every team".to_owned())));
        assert!(untold.is_err());
    }
}
