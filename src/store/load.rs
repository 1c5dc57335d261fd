//! What a batch is decided on, read under the lock: the tokens, names, requests and counts that its commands look at.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{StoreError, idempotency, log, tokens};
use crate::domain::{
    Act, Command, Settings, State, Status,
    idempotency::Scope,
    policy::Rules,
    suspend::{CHANGED_MAX, Change},
    text::{Name, Subject},
};

/// What the commands at hand need to know: the tokens they name, their callers' own, and the holders of their names.
pub(super) async fn load(
    connection: &mut PgConnection,
    settings: Settings,
    commands: &[&Command],
) -> Result<State, StoreError> {
    let mut state = State::new(settings);
    let mut ids: HashSet<Uuid> = commands.iter().flat_map(|command| command.tokens_needed()).collect();
    let scopes: Vec<&Scope> =
        commands.iter().filter_map(|command| Some(&command.idempotency.as_ref()?.scope)).collect();
    for (scope, answered) in idempotency::load(connection, &scopes).await? {
        ids.extend(answered.event.occurrence.event.jti());
        state.remember(scope, answered);
    }
    ids.extend(kept(connection, &state, commands).await?);
    ids.extend(changed(connection, commands).await?);
    if !ids.is_empty() {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        tokens::by_jti(&mut *connection, &ids).await?.into_iter().for_each(|token| state.insert(token));
    }
    let shadows: Vec<Uuid> = commands.iter().filter_map(|command| command.shadow_needed()).collect();
    if !shadows.is_empty() {
        log::shadows(&mut *connection, &shadows).await?.into_iter().for_each(|jti| state.insert_shadow(jti));
    }
    let names: HashSet<(&Subject, &Name)> = commands.iter().filter_map(|command| command.name_needed()).collect();
    if let Some(earliest) = commands.iter().map(|command| command.now).min().filter(|_| !names.is_empty()) {
        let names: Vec<_> = names.into_iter().collect();
        tokens::by_name(connection, &names, earliest).await?.into_iter().for_each(|token| state.insert(token));
    }
    Ok(state)
}

/// The tokens that count against a subject's most, where a policy, or one that the batch applies, has such a rule. A
/// batch ends at most as many tokens as it has commands, so so many more than the most are enough to count.
async fn kept(connection: &mut PgConnection, state: &State, commands: &[&Command]) -> Result<Vec<Uuid>, StoreError> {
    let applied = commands.iter().filter_map(|command| match &command.act {
        Act::ApplyPolicy(command) => Some(&command.rules),
        _ => None,
    });
    let in_force = state.settings.policy.as_ref().map(|policy| &policy.rules);
    let most = in_force.into_iter().chain(applied).filter_map(Rules::active_max).max();
    let subjects: HashSet<&Subject> = commands.iter().filter_map(|command| command.subject_needed()).collect();
    let earliest = commands.iter().map(|command| command.now).min();
    let (Some(most), Some(earliest), false) = (most, earliest, subjects.is_empty()) else { return Ok(Vec::new()) };
    let subjects: Vec<&Subject> = subjects.into_iter().collect();
    let limit = i64::from(most).saturating_add(i64::try_from(commands.len()).unwrap_or(i64::MAX));
    tokens::kept(connection, &subjects, earliest, limit).await
}

/// The tokens of the subjects that are to be suspended or resumed: one more than a command may change is enough to tell
/// that there are too many.
async fn changed(connection: &mut PgConnection, commands: &[&Command]) -> Result<Vec<Uuid>, StoreError> {
    let wanted: HashSet<(&Subject, Change)> = commands.iter().filter_map(|command| command.subject_changed()).collect();
    let earliest = commands.iter().map(|command| command.now).min();
    let (Some(earliest), false) = (earliest, wanted.is_empty()) else { return Ok(Vec::new()) };
    let wanted: Vec<(&Subject, bool)> =
        wanted.into_iter().map(|(sub, change)| (sub, change.from_status() == Status::Suspended)).collect();
    tokens::to_change(connection, &wanted, earliest, CHANGED_MAX + 1).await
}
