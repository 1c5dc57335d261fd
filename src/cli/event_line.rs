//! An event as one row for people.

use chrono::{DateTime, SecondsFormat, Utc};

use super::rows::NOTHING;
use crate::{
    domain::{
        Event, Recorded, TokenIssued, TokenRevoked, TokensRevokedByRule,
        audit::AuditRead,
        claims::Teams,
        client::{ClientAdded, ClientPermission},
        denial::IssuanceRefused,
        event::{Configured, Elevation, KeyCompromised, SuspensionChanged},
        person::PersonSeen,
        policy::Policy,
        token::instant,
    },
    store::codec,
};

pub(super) const HEADINGS: &[&str] = &["position", "recorded at", "kind", "path", "actor", "subject", "jti", "summary"];

/// The cells of an event, one for each of [`HEADINGS`].
pub(super) fn cells(recorded: &Recorded) -> Vec<String> {
    let occurrence = &recorded.occurrence;
    let (event, origin) = (&occurrence.event, &occurrence.origin);
    let cell = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    vec![
        recorded.position.to_string(),
        seconds(recorded.recorded_at),
        codec::kind(event).to_owned(),
        origin.path.to_string(),
        cell(origin.actor.display()),
        cell(subject(event)),
        cell(event.jti().map(|jti| jti.to_string())),
        summary(event),
    ]
}

/// An instant in whole seconds, RFC 3339.
pub(super) fn seconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Whom an event is about, if it says so and that was not erased.
pub(super) fn subject(event: &Event) -> Option<String> {
    match event {
        Event::TokenIssued(issued) => issued.claims().map(|claims| claims.sub.to_string()),
        Event::IssuanceRefused(refused) => refused.sub.as_ref().map(ToString::to_string),
        Event::SuspensionRefused(refused) => refused.sub.as_ref().map(ToString::to_string),
        Event::AuditRead(read) => read.sub.as_ref().map(ToString::to_string),
        Event::PersonSeen(seen) => seen.sub.as_ref().map(ToString::to_string),
        Event::TokensRevokedByRule(added) => added.predicate.sub.as_ref().map(ToString::to_string),
        Event::RevocationByRuleRefused(refused) => refused.predicate.sub.as_ref().map(ToString::to_string),
        Event::TokenRevoked(_)
        | Event::TokenSuspended(_)
        | Event::RotationRefused(_)
        | Event::CourierIssued(_)
        | Event::CourierRefused(_)
        | Event::RotatedTokenReused(_)
        | Event::TokenResumed(_)
        | Event::Configured(_)
        | Event::PolicyApplied(_)
        | Event::StatusListBegun(_)
        | Event::KeyAdded(_)
        | Event::KeyActivated(_)
        | Event::ClientAdded(_)
        | Event::ClientRotated(_)
        | Event::ClientRevoked(_)
        | Event::KeyRetired(_)
        | Event::KeyCompromised(_)
        | Event::RevocationRefused(_)
        | Event::LoginRefused(_)
        | Event::ShadowTokenSeen(_) => None,
    }
}

fn summary(event: &Event) -> String {
    match event {
        Event::TokenIssued(issued) => of_issuance(issued),
        Event::TokenRevoked(revoked) => of_revocation(revoked),
        Event::TokenSuspended(SuspensionChanged { note, .. }) | Event::TokenResumed(SuspensionChanged { note, .. }) => {
            note.as_ref().map(|note| format!("note '{note}'")).unwrap_or_default()
        }
        Event::TokensRevokedByRule(added) => of_rule(added),
        Event::Configured(configured) => of_configuration(configured),
        Event::PolicyApplied(policy) => of_policy(policy),
        Event::StatusListBegun(begun) => format!("{}; {} entries", begun.uri, begun.entries),
        Event::KeyAdded(key) => {
            format!("{} {}{}", key.alg, key.kid, if key.dev { "; for tokens from a shell" } else { "" })
        }
        Event::KeyActivated(key) => format!("{}{}", key.kid, if key.early { "; early" } else { "" }),
        Event::KeyRetired(key) => format!("{}; none of its tokens was live at {}", key.kid, key.counted),
        Event::ClientAdded(client) => of_client(client),
        Event::ClientRotated(client) => {
            let old = client.old_until.map(|until| format!("; older secrets until {}", seconds(until)));
            format!("{}{}", client.name, old.unwrap_or_default())
        }
        Event::ClientRevoked(client) => client.name.to_string(),
        Event::KeyCompromised(key) => of_compromise(key),
        Event::CourierIssued(issued) => {
            format!("aud {}; expires {}", listed(&issued.aud), seconds(instant(issued.exp)))
        }
        Event::CourierRefused(refused) => format!("{}{}", refused.rule, times(refused.count)),
        Event::IssuanceRefused(refused) => of_refused_issuance(refused),
        Event::RevocationRefused(refused) => format!("{}{}", refused.rule, times(refused.count)),
        Event::SuspensionRefused(refused) => format!("{}: {}{}", refused.change, refused.rule, times(refused.count)),
        Event::RotationRefused(refused) => format!("{}{}", refused.rule, times(refused.count)),
        Event::RotatedTokenReused(reused) => format!("its place was taken by {}", reused.successor),
        Event::RevocationByRuleRefused(refused) => {
            format!("{}{}; where {}", refused.rule, times(refused.count), refused.predicate)
        }
        Event::LoginRefused(refused) => format!("{}{}", refused.rule, times(refused.count)),
        Event::PersonSeen(seen) => of_person(seen),
        Event::AuditRead(read) => of_read(read),
        Event::ShadowTokenSeen(shadow) => format!("{}; signed by {}", shadow.what.as_str(), shadow.kid),
    }
}

fn of_read(read: &AuditRead) -> String {
    let AuditRead { what, format, first, last, end, team, .. } = read;
    let team = team.as_ref().map(|team| format!("; team {team}")).unwrap_or_default();
    format!("{what} as {format}; positions {first} to {last}, as of {end}{team}")
}

fn of_refused_issuance(refused: &IssuanceRefused) -> String {
    let mut parts = vec![format!("{}{}", refused.rule, times(refused.count))];
    parts.extend(refused.name.as_ref().map(|name| format!("name '{name}'")));
    parts.extend((!refused.aud.is_empty()).then(|| format!("aud {}", listed(&refused.aud))));
    parts.extend(refused.is_admin.then(|| "admin".to_owned()));
    parts.extend(refused.teams.as_ref().map(|teams| match teams {
        Teams::Every => "every team".to_owned(),
        Teams::These(teams) => format!("teams {}", listed(teams)),
    }));
    parts.extend((!refused.permissions.is_empty()).then(|| format!("permissions {}", listed(&refused.permissions))));
    parts.extend(refused.reason.as_ref().map(|reason| format!("reason '{reason}'")));
    parts.join("; ")
}

fn times(count: u32) -> String {
    if count == 1 { String::new() } else { format!(", {count} times") }
}

fn of_issuance(issued: &TokenIssued) -> String {
    let mut parts = vec![format!("expires {}", seconds(instant(issued.exp)))];
    parts.extend(issued.name.as_ref().map(|name| format!("name '{name}'")));
    parts.push(format!("aud {}", listed(&issued.aud)));
    parts.extend(issued.elevated.iter().map(|elevation| of_elevation(*elevation, issued)));
    parts.extend(issued.predecessor.map(|old| format!("takes the place of {old}")));
    parts.extend(issued.reason.as_ref().map(|reason| format!("reason '{reason}'")));
    parts.join("; ")
}

fn of_elevation(elevation: Elevation, issued: &TokenIssued) -> String {
    match (elevation, &issued.teams) {
        (Elevation::Admin, _) => "admin".to_owned(),
        (Elevation::Teams, Teams::Every) => "every team".to_owned(),
        (Elevation::Teams, Teams::These(teams)) => format!("teams {}", listed(teams)),
        (Elevation::Email, _) => {
            let email = issued.claims().map(|claims| claims.user.email.to_string());
            format!("email {}", email.unwrap_or_else(|| "erased".to_owned()))
        }
        (Elevation::Permissions, _) => format!("permissions {}", listed(&issued.permissions)),
    }
}

fn of_revocation(revoked: &TokenRevoked) -> String {
    let mut parts = vec![revoked.reason.to_string()];
    parts.extend(revoked.effective_from.map(|from| format!("effective from {}", seconds(from))));
    parts.extend(revoked.successor.map(|new| format!("its place was taken by {new}")));
    parts.extend(revoked.note.as_ref().map(|note| format!("note '{note}'")));
    parts.join("; ")
}

fn of_rule(added: &TokensRevokedByRule) -> String {
    let mut parts = vec![added.reason.to_string(), format!("where {}", added.predicate)];
    parts.extend(added.note.as_ref().map(|note| format!("note '{note}'")));
    parts.join("; ")
}

fn of_compromise(key: &KeyCompromised) -> String {
    let mut parts = vec![format!("{}; what it signed from position {} on is revoked", key.kid, key.from)];
    parts.extend(key.since.map(|since| format!("since {}", seconds(since))));
    parts.extend(key.note.as_ref().map(|note| format!("note '{note}'")));
    parts.join("; ")
}

fn of_person(seen: &PersonSeen) -> String {
    let mut parts = vec![format!("by {}", seen.issuer)];
    parts.push(match &seen.teams {
        Teams::Every => "every team".to_owned(),
        Teams::These(teams) if teams.is_empty() => "no team".to_owned(),
        Teams::These(teams) => format!("teams {}", listed(teams)),
    });
    parts.push(if seen.is_admin { "admin".to_owned() } else { format!("permissions {}", listed(&seen.permissions)) });
    parts.join("; ")
}

fn of_configuration(configured: &Configured) -> String {
    let env = configured.env.as_ref().map(|env| format!("; environment {env}")).unwrap_or_default();
    format!("issuer {}; audience {}{env}", configured.issuer, configured.audience)
}

fn of_policy(policy: &Policy) -> String {
    let (api, dev) = (policy.rules.api.ttl_seconds_max, policy.rules.cli_dev.ttl_seconds_max);
    format!("version {}; at most {api} s by the API, {dev} s from a shell", policy.version)
}

fn of_client(client: &ClientAdded) -> String {
    let reaches = client.permissions.iter().any(|permission| *permission != ClientPermission::Check);
    let teams = match &client.teams {
        _ if !reaches => String::new(),
        Teams::Every => "; of every team".to_owned(),
        Teams::These(teams) => format!("; of the teams {}", listed(teams)),
    };
    format!("{}; permissions {}{teams}", client.name, listed(&client.permissions))
}

/// Several, with commas between them.
pub(super) fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
