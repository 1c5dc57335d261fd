//! What shaped every token and changed: keys, policy, configuration, clients, status lists.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{seen::Seen, tally::Listed};
use crate::domain::{
    Event, Position,
    claims::Teams,
    policy::{Policy, Switch},
    text::TeamId,
};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Settings {
    keys: Listed<ChangeRow>,
    policies: Listed<ChangeRow>,
    others: Listed<ChangeRow>,
    shell: Option<ShellPolicy>,
}

/// What the policy in force says of the shell's door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShellPolicy {
    pub(super) position: Position,
    pub(super) version: u32,
    /// The longest lifetime, in seconds; `None` = nothing is issued through it.
    pub(super) ttl_seconds_max: Option<u32>,
}

/// A change of what shapes tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRow {
    /// Where in the log.
    pub position: Position,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The kind of the event.
    pub kind: String,
    /// The key, client, list or version.
    pub what: String,
    /// What about it.
    pub detail: String,
    /// Who.
    pub by: String,
}

/// Where a change belongs.
enum Section {
    Keys,
    Policies,
    Others,
}

impl Settings {
    /// Whatever is counted: what is in force is.
    pub(super) fn follow(&mut self, event: &Event, position: Position) {
        if let Event::PolicyApplied(policy) = event {
            let is_open = policy.rules.shell.out_of_band == Switch::Allow;
            let ttl_seconds_max = is_open.then_some(policy.rules.cli_dev.ttl_seconds_max);
            self.shell = Some(ShellPolicy { position, version: policy.version, ttl_seconds_max });
        }
    }

    pub(super) fn shell(&self) -> Option<ShellPolicy> {
        self.shell
    }

    /// Adds a change, if the event is one.
    pub(super) fn add(&mut self, event: &Event, seen: &Seen<'_>) {
        let Some((section, what, detail)) = told(event) else { return };
        let listed = match section {
            Section::Keys => &mut self.keys,
            Section::Policies => &mut self.policies,
            Section::Others => &mut self.others,
        };
        listed.push(|| ChangeRow {
            position: seen.position,
            at: seen.occurred_at,
            kind: seen.kind.to_owned(),
            what,
            detail,
            by: seen.who.label().into_owned(),
        });
    }

    pub(super) fn told(self) -> [Listed<ChangeRow>; 3] {
        [self.keys, self.policies, self.others]
    }
}

fn told(event: &Event) -> Option<(Section, String, String)> {
    Some(match event {
        Event::KeyAdded(key) => {
            let of_shell = if key.dev { ", for tokens from a shell" } else { "" };
            (Section::Keys, key.kid.to_string(), format!("{}{of_shell}", key.alg))
        }
        Event::KeyActivated(key) => {
            let early = if key.early { "before everybody could have read it" } else { "" };
            (Section::Keys, key.kid.to_string(), early.to_owned())
        }
        Event::KeyRetired(key) => {
            (Section::Keys, key.kid.to_string(), format!("none of its tokens was live at {}", key.counted))
        }
        Event::KeyCompromised(key) => {
            let note = key.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            let detail = format!("what it signed from position {} on is revoked{note}", key.from);
            (Section::Keys, key.kid.to_string(), detail)
        }
        Event::PolicyApplied(policy) => (Section::Policies, format!("version {}", policy.version), of_policy(policy)),
        Event::Configured(configured) => {
            let env = configured.env.as_ref().map(|env| format!(", environment {env}")).unwrap_or_default();
            (Section::Others, configured.issuer.to_string(), format!("audience {}{env}", configured.audience))
        }
        Event::ClientAdded(client) => (Section::Others, client.name.to_string(), of_teams(&client.teams)),
        Event::ClientRotated(client) => (Section::Others, client.name.to_string(), String::new()),
        Event::ClientRevoked(client) => (Section::Others, client.name.to_string(), String::new()),
        Event::StatusListBegun(begun) => (Section::Others, begun.uri.clone(), format!("{} entries", begun.entries)),
        _ => return None,
    })
}

fn of_policy(policy: &Policy) -> String {
    let rules = &policy.rules;
    let shell = match rules.shell.out_of_band {
        Switch::Allow => format!("{} s from a shell", rules.cli_dev.ttl_seconds_max),
        Switch::Deny => "nothing from a shell".to_owned(),
    };
    format!("at most {} s by the API, {shell}", rules.api.ttl_seconds_max)
}

fn of_teams(teams: &Teams) -> String {
    match teams {
        Teams::Every => "every team".to_owned(),
        Teams::These(teams) => {
            format!("teams {}", teams.iter().map(TeamId::as_str).collect::<Vec<_>>().join(", "))
        }
    }
}
