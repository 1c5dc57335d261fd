//! Whose tokens a seeded catalog has, and what each of them asks for.

use std::collections::HashMap;

use super::chance::Chance;
use crate::domain::{
    IssueToken, Malformed, Path,
    claims::Teams,
    text::{Audience, Description, Name, Namespace, Note, Permission, ServerId, Subject, TeamId},
};

/// Subjects have 50 tokens on average, the busiest of them thousands.
const TOKENS_A_SUBJECT: u64 = 50;
const SUBJECTS_MAX: u64 = 20_000;
const TEAMS: u64 = 40;
/// The last teams were dissolved when a third of the history had passed.
const TEAMS_LEFT: u64 = 36;

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;
/// Within what a new catalog's policy allows at either door.
const LIFETIMES_API: &[u32] = &[HOUR, 8 * HOUR, DAY, 7 * DAY, 7 * DAY, 30 * DAY, 30 * DAY];
const LIFETIMES_SHELL: &[u32] = &[20 * MINUTE, 20 * MINUTE, HOUR, 8 * HOUR, 7 * DAY];

/// The most frequent first; the empty one leaves everything to its subject's roles.
const ROLES: &[&str] = &[
    "tools.read servers.use",
    "tools.read",
    "tools.read tools.execute resources.read",
    "",
    "resources.read prompts.read",
    "servers.read servers.use tools.read tools.execute resources.read prompts.read",
    "tools.*",
    "tools.read tools.execute",
    "tokens.create tokens.read tools.read",
    "servers.read servers.update",
    "*",
    "tokens.check",
    "audit.read tokens.read",
    "resources.*",
    "prompts.read prompts.update",
    "servers.delete",
];
const NAMES: &[&str] = &["ci", "laptop", "deploy", "notebook", "nightly", "agent", "gateway", "backup"];
const DESCRIPTIONS: &[&str] = &["build pipeline", "local development", "scheduled job", "integration tests"];
const REASONS: &[&str] = &["debugging", "trying a server", "migration", "on call"];

/// The people and services of a catalog, and how many names each has given.
pub(super) struct Population {
    subjects: u64,
    named: HashMap<u64, u32>,
}

impl Population {
    pub(super) fn of(tokens: u64) -> Self {
        Self { subjects: (tokens / TOKENS_A_SUBJECT).clamp(10, SUBJECTS_MAX), named: HashMap::new() }
    }

    /// A token for one of them. `is_late` when the dissolved teams are gone.
    pub(super) fn request(&mut self, chance: &Chance, path: Path, is_late: bool) -> Result<IssueToken, Malformed> {
        let who = chance.rank(self.subjects);
        let mut command = IssueToken::plain(subject(who)?);
        command.ttl_seconds = chance.one_of(if path == Path::Api { LIFETIMES_API } else { LIFETIMES_SHELL }).copied();
        command.is_admin = chance.once_in(200);
        if !command.is_admin {
            command.teams = Some(Teams::These(teams(&chance.of_one(who), chance, is_late)?));
        }
        command.scopes.permissions = permissions(chance)?;
        if !chance.once_in(3) {
            command.name = Some(self.name(chance, who)?);
        }
        if path != Path::Api && chance.once_in(2) {
            command.reason = text(chance, REASONS, Note::parse)?;
        }
        decorate(&mut command, chance)?;
        command.checked()
    }

    /// A name that the subject has not given before, so that it is free whatever has expired.
    fn name(&mut self, chance: &Chance, who: u64) -> Result<Name, Malformed> {
        let count = self.named.entry(who).or_default();
        *count += 1;
        let stem = chance.one_of(NAMES).copied().unwrap_or_default();
        Name::parse(if *count == 1 { stem.to_owned() } else { format!("{stem} {count}") })
    }
}

/// Every fifth is a service.
fn subject(who: u64) -> Result<Subject, Malformed> {
    Subject::parse(if who % 5 == 4 { format!("service-{who:05}") } else { format!("user-{who:05}@example.com") })
}

/// One or two of the teams that the subject is in, now and then none.
fn teams(of_subject: &Chance, chance: &Chance, is_late: bool) -> Result<Vec<TeamId>, Malformed> {
    let mut own = [of_subject.rank(TEAMS), of_subject.rank(TEAMS)];
    if is_late {
        own = own.map(|team| team % TEAMS_LEFT);
    }
    let count = [1, 1, 1, 2, 0][usize::try_from(chance.below(5)).unwrap_or(0)];
    own.iter().take(count).map(|team| TeamId::parse(format!("team-{team:02}"))).collect()
}

fn permissions(chance: &Chance) -> Result<Vec<Permission>, Malformed> {
    let role = usize::try_from(chance.rank(ROLES.len() as u64)).unwrap_or(0);
    ROLES[role].split_whitespace().map(Permission::parse).collect()
}

/// What few tokens have.
fn decorate(command: &mut IssueToken, chance: &Chance) -> Result<(), Malformed> {
    if chance.once_in(5) {
        command.description = text(chance, DESCRIPTIONS, Description::parse)?;
    }
    if chance.once_in(12) {
        command.aud = vec![Audience::parse("gateway")?, Audience::parse("billing")?];
    }
    if chance.once_in(10) {
        command.namespaces = vec![Namespace::parse(format!("namespace-{:02}", chance.rank(20)))?];
    }
    if chance.once_in(20) {
        command.scopes.server_id = Some(ServerId::parse(format!("server-{:03}", chance.rank(200)))?);
    }
    if chance.once_in(20) {
        command.scopes.ip_restrictions = vec![format!("10.{}.0.0/16", chance.below(256)).parse()?];
    }
    Ok(())
}

fn text<T>(
    chance: &Chance,
    choices: &[&str],
    parse: impl Fn(String) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    chance.one_of(choices).map(|text| parse((*text).to_owned())).transpose()
}
