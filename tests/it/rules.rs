//! Revocation by rule: at once for every read and in every process, filled into rows afterwards, and the same as revoking
//! the covered tokens one by one.

mod api;
mod cli;
mod decisions;
mod filling;
mod fold;
mod successors;

use catalog::{
    app::{Requester, RevokedByRule},
    domain::{Authority, Path, Predicate, RevokeByRule, Token, claims::Teams, revoke::RevocationReason},
};

use uuid::Uuid;

use crate::support::{World, world::shell};

/// A rule for a reason that is told from others.
pub fn rule(predicate: Predicate) -> RevokeByRule {
    RevokeByRule { predicate, reason: RevocationReason::PrivilegeWithdrawn, note: Some("an incident".parse().unwrap()) }
}

pub async fn revoke(world: &World, predicate: Predicate) -> RevokedByRule {
    let requester = Requester::new(Authority::of_shell(), shell(Path::CliAdmin));
    world.catalog.revoke_by_rule(rule(predicate), requester).await.unwrap()
}

pub fn none() -> Predicate {
    Predicate::default()
}

/// The one that took nobody's place.
fn first_of(token: &Token) -> Uuid {
    if token.lineage.predecessor.is_none() { token.jti } else { token.lineage.family.unwrap() }
}

/// By which door, with which key and at which microsecond a token was issued, and the first of its family.
fn issuances(token: &Token) -> Vec<(&'static str, String, i64)> {
    let own = (token.path.as_str(), token.kid.to_string(), token.issued_at.timestamp_micros());
    let first = token.lineage.first.as_ref();
    let first = first.map(|first| (first.path.as_str(), first.kid.to_string(), first.iat * 1_000_000));
    std::iter::once(own).chain(first).collect()
}

/// Whether a token is what a predicate says, condition by condition and without the predicate's own help.
pub fn meets(token: &Token, predicate: &Predicate) -> bool {
    let Predicate { sub, team, path, kid, permission, name, issued_after, issued_before, family, successors } =
        predicate;
    let reached: Option<Vec<String>> = match &token.teams {
        Teams::Every => None,
        Teams::These(teams) => Some(teams.iter().map(ToString::to_string).collect()),
    };
    let held: Vec<String> = token.scopes.permissions.iter().map(ToString::to_string).collect();
    let lets = |held: &str, used: &str| match held.strip_suffix('*') {
        Some(prefix) => used.starts_with(prefix),
        None => held == used,
    };
    let text = |value: Option<&dyn ToString>| value.map(ToString::to_string);
    let conditions = [
        sub.as_ref().is_none_or(|sub| text(token.sub.as_ref().map(|sub| sub as _)) == Some(sub.to_string())),
        team.as_ref().is_none_or(|team| reached.as_ref().is_none_or(|reached| reached.contains(&team.to_string()))),
        permission.as_ref().is_none_or(|used| held.is_empty() || held.iter().any(|held| lets(held, used.as_str()))),
        name.as_ref().is_none_or(|name| text(token.name.as_ref().map(|name| name as _)) == Some(name.to_string())),
        family.is_none_or(|family| first_of(token) == family),
        issuances(token).iter().take(if *successors { 2 } else { 1 }).any(|(door, key, at)| {
            path.is_none_or(|path| *door == path.as_str())
                && kid.as_ref().is_none_or(|kid| *key == kid.as_str())
                && issued_after.is_none_or(|bound| bound.timestamp_micros() <= *at)
                && issued_before.is_none_or(|bound| *at < bound.timestamp_micros())
        }),
    ];
    conditions.into_iter().all(|holds| holds)
}
