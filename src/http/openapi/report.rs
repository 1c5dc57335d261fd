//! What a report looks like: one made of a single event.

use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use super::examples::{DIGEST, JTI, KID, LOG};
use crate::{
    app::report::{self, Format},
    domain::{
        Path, Position,
        audit::{
            Fold, LogPart, REPORT_VERSION, Report, Scope,
            seen::{Fact, Issued, OsName, Seen, Who},
        },
        event::Elevation,
    },
};

/// How much of a text is shown, in characters.
const SHOWN_MAX: usize = 800;

/// In a format, as a value of its media type.
pub(super) fn example(format: Format) -> Value {
    let report = report();
    let mut written = Vec::new();
    if format == Format::Json {
        return json!(report);
    }
    // Writing to memory does not fail.
    let text = report::write(&report, format, &mut written).map(|()| String::from_utf8_lossy(&written));
    text.map_or(Value::Null, |text| json!(beginning(&text)))
}

/// As much as shows what it is.
fn beginning(text: &str) -> String {
    text.chars().take(SHOWN_MAX).chain(['…']).collect()
}

fn report() -> Report {
    let (position, log_id) = (Position(1), LOG.parse().unwrap_or(Uuid::nil()));
    let issued_at = DateTime::from_timestamp(1_772_366_400, 0).unwrap_or_default();
    let scope = Scope {
        version: REPORT_VERSION,
        log_id,
        first: position,
        last: position,
        end: position,
        judged_at: issued_at,
        sub: None,
        team: None,
    };
    let issued = Issued {
        jti: JTI.parse().unwrap_or(Uuid::nil()),
        iat: issued_at.timestamp(),
        exp: issued_at.timestamp() + 1_200,
        kid: KID.into(),
        is_admin: false,
        teams: Some(vec!["red".into()]),
        permissions: vec!["tools.read".into()],
        out_of_band: true,
        elevated: vec![Elevation::Teams, Elevation::Permissions],
        policy_version: 1,
        name: Some("ci".into()),
        reason: Some("on call".into()),
        family: None,
        predecessor: None,
        first: None,
        sub: Some("alice@example.com".into()),
    };
    let user = OsName {
        name: Some("root".into()),
        login: Some("alice".into()),
        sudo_user: None,
        host: Some("build-1".into()),
    };
    let mut fold = Fold::new(scope);
    fold.apply(&Seen {
        position,
        occurred_at: issued_at,
        kind: "token.issued.v1",
        path: Path::CliDev,
        who: Who::OsUser(user),
        is_erased: false,
        fact: Fact::Issued(issued),
    });
    fold.report(LogPart { log_id, position, digest: DIGEST.to_owned() }, &[])
}
