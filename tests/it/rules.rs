//! Revocation by rule: at once for every read and in every process, filled into rows afterwards, and the same as revoking
//! the covered tokens one by one.

mod api;
mod cli;
mod decisions;
mod filling;
mod fold;

use catalog::{
    app::{Requester, RevokedByRule},
    domain::{Authority, Path, Predicate, RevokeByRule, Token, claims::Teams, revoke::RevocationReason},
};

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

/// Whether a token is what a predicate says, condition by condition and without the predicate's own help.
pub fn meets(token: &Token, predicate: &Predicate) -> bool {
    let Predicate { sub, team, path, kid, permission, name, issued_after, issued_before } = predicate;
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
        path.is_none_or(|path| token.path.as_str() == path.as_str()),
        kid.as_ref().is_none_or(|kid| token.kid.as_str() == kid.as_str()),
        permission.as_ref().is_none_or(|used| held.is_empty() || held.iter().any(|held| lets(held, used.as_str()))),
        name.as_ref().is_none_or(|name| text(token.name.as_ref().map(|name| name as _)) == Some(name.to_string())),
        issued_after.is_none_or(|bound| bound.timestamp_micros() <= token.issued_at.timestamp_micros()),
        issued_before.is_none_or(|bound| token.issued_at.timestamp_micros() < bound.timestamp_micros()),
    ];
    conditions.into_iter().all(|holds| holds)
}
