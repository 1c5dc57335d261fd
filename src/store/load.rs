//! What a batch is decided on, read under the lock: the tokens, names, requests and counts that its commands look at.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{StoreError, idempotency, log, people, status_lists, tokens};
use crate::domain::{
    Act, Command, Settings, State, Token,
    idempotency::Scope,
    policy::Rules,
    suspend::{Affected, CHANGED_MAX},
    text::{Name, Subject},
};

/// The tokens that commands name, and their callers' own.
pub(super) enum Named {
    /// Still to be read.
    Unknown(Vec<Uuid>),
    /// Read with the end of the log; those that are missing do not exist.
    Known(Vec<Token>),
}

/// The identifiers of the tokens that commands name, and of their callers' own.
pub(super) fn named(commands: &[&Command]) -> Vec<Uuid> {
    let ids: HashSet<Uuid> = commands.iter().flat_map(|command| command.tokens_needed()).collect();
    ids.into_iter().collect()
}

/// What the commands at hand need to know: the tokens they name, their callers' own, and the holders of their names.
pub(super) async fn load(
    connection: &mut PgConnection,
    settings: Settings,
    commands: &[&Command],
    asked: Named,
) -> Result<State, StoreError> {
    let mut state = State::new(settings);
    let mut ids = match asked {
        Named::Known(tokens) => {
            for token in tokens {
                state.insert(token);
            }
            Vec::new()
        }
        Named::Unknown(ids) => ids,
    };
    let scopes: Vec<&Scope> =
        commands.iter().filter_map(|command| Some(&command.idempotency.as_ref()?.scope)).collect();
    for (scope, answered) in idempotency::load(connection, &scopes).await? {
        ids.extend(answered.event.occurrence.event.jti());
        state.remember(scope, answered);
    }
    read(connection, &mut state, ids).await?;
    change(connection, &mut state, commands).await?;
    // What follows depends on what the tokens say that the commands name.
    see(connection, &mut state, commands).await?;
    status_lists::load(connection, &mut state, commands).await?;
    let people = people_needed(&state, commands);
    people::load(connection, &mut state, &people).await?;
    let counted = kept(connection, &state, commands).await?;
    read(connection, &mut state, counted).await?;
    let names: HashSet<(Subject, Name)> = commands
        .iter()
        .filter_map(|command| command.name_needed(&state).map(|(sub, name)| (sub.clone(), name.clone())))
        .collect();
    if let Some(earliest) = commands.iter().map(|command| command.now).min().filter(|_| !names.is_empty()) {
        let names: Vec<(&Subject, &Name)> = names.iter().map(|(sub, name)| (sub, name)).collect();
        tokens::by_name(connection, &names, earliest).await?.into_iter().for_each(|token| state.insert(token));
    }
    Ok(state)
}

/// The people whose last logins count: none, where no policy at hand trusts a provider.
fn people_needed(state: &State, commands: &[&Command]) -> Vec<Subject> {
    let trusts = |rules: &Rules| !rules.trusted_issuers.is_empty();
    let in_force = state.settings.policy.as_ref().is_some_and(|policy| trusts(&policy.rules));
    let applied = |command: &&&Command| matches!(&command.act, Act::ApplyPolicy(applied) if trusts(&applied.rules));
    if !in_force && commands.iter().find(applied).is_none() {
        return Vec::new();
    }
    let needed: HashSet<Subject> = commands.iter().filter_map(|command| command.person_needed(state)).collect();
    needed.into_iter().collect()
}

/// Adds the tokens of these identifiers.
async fn read(
    connection: &mut PgConnection,
    state: &mut State,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = ids.into_iter().collect();
    if !ids.is_empty() {
        tokens::by_jti(connection, &ids).await?.into_iter().for_each(|token| state.insert(token));
    }
    Ok(())
}

/// Adds what was seen before of the evidence at hand, and the families that may end for it.
async fn see(connection: &mut PgConnection, state: &mut State, commands: &[&Command]) -> Result<(), StoreError> {
    let shadows: Vec<Uuid> = commands.iter().filter_map(|command| command.shadow_needed()).collect();
    if !shadows.is_empty() {
        for jti in log::seen(&mut *connection, "shadow_token", &shadows).await? {
            state.insert_shadow(jti);
        }
    }
    let reused: Vec<_> = commands.iter().filter_map(|command| command.reuse_needed()).collect();
    let earliest = commands.iter().map(|command| command.now).min();
    if let Some(earliest) = earliest.filter(|_| !reused.is_empty()) {
        let ids: Vec<Uuid> = reused.iter().map(|reused| reused.jti).collect();
        let families: Vec<Uuid> = reused.iter().map(|reused| reused.family).collect();
        for jti in log::seen(&mut *connection, "rotated_token", &ids).await? {
            state.insert_reuse(jti);
        }
        let members = tokens::of_families(connection, &families, earliest).await?;
        read(connection, state, members.into_iter().chain(ids)).await?;
    }
    Ok(())
}

/// The tokens that count against a subject's most, where a policy, or one that the batch applies, has such a rule. A
/// batch ends no token but those that are known by now, so so many more than the most are enough to count.
async fn kept(connection: &mut PgConnection, state: &State, commands: &[&Command]) -> Result<Vec<Uuid>, StoreError> {
    let applied = commands.iter().filter_map(|command| match &command.act {
        Act::ApplyPolicy(command) => Some(&command.rules),
        _ => None,
    });
    let in_force = state.settings.policy.as_ref().map(|policy| &policy.rules);
    let most = in_force.into_iter().chain(applied).filter_map(Rules::active_max).max();
    let subjects: HashSet<&Subject> = commands.iter().filter_map(|command| command.subject_needed(state)).collect();
    let earliest = commands.iter().map(|command| command.now).min();
    let (Some(most), Some(earliest), false) = (most, earliest, subjects.is_empty()) else { return Ok(Vec::new()) };
    let subjects: Vec<&Subject> = subjects.into_iter().collect();
    let limit = i64::from(most).saturating_add(i64::try_from(state.known()).unwrap_or(i64::MAX));
    tokens::kept(connection, &subjects, earliest, limit).await
}

/// Adds the tokens of the subjects that are to be suspended or resumed: one more than a command may change is enough to
/// tell that there are too many.
async fn change(connection: &mut PgConnection, state: &mut State, commands: &[&Command]) -> Result<(), StoreError> {
    let wanted: HashSet<(&Subject, Affected)> =
        commands.iter().filter_map(|command| command.subject_changed()).collect();
    let earliest = commands.iter().map(|command| command.now).min();
    let Some(earliest) = earliest.filter(|_| !wanted.is_empty()) else { return Ok(()) };
    for (subject, affected) in wanted {
        let found = tokens::to_change(connection, subject, affected, earliest, CHANGED_MAX + 1).await?;
        if found.len() > CHANGED_MAX {
            state.insert_crowd(subject.clone(), affected);
        }
        read(connection, state, found).await?;
    }
    Ok(())
}
