//! What happens a few times in a made-up year: policies, keys, clients, rules.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::{super::SeedError, Year};
use crate::app::policy_file;
use crate::domain::{
    Act, Path, Position, Predicate, RevokeByRule,
    claims::Teams,
    client::{ChangeClient, ClientAdded, ClientPermission, ClientSecret},
    configure::ApplyPolicy,
    key_life::{ActivateKey, CompromiseKey, LiveTokens, RetireKey},
    revoke::RevocationReason,
    rotate::Overlap,
    text::{Kid, Note, Subject, TeamId},
};

/// The client that has couriers made.
const BRIDGE: &str = "bridge";
/// How many keys sign, one after the other.
pub(in crate::app::seed) const KEYS: usize = 4;

const DOOR: &str = "[cli-dev]\nttl_max = \"30days\"\n";
const PROVIDER: &str = "\n[[trusted_issuer]]\nissuer = \"https://login.example.com\"\n\
    jwks_uri = \"https://login.example.com/jwks\"\naudience = \"catalog\"\nemail_domains = [\"example.com\"]\n\
    permissions = [\"tokens.create\", \"tokens.read\", \"tools.*\"]\n[trusted_issuer.teams]\nengineers = \"team-00\"\n";
const REASONS: &str = "\n[teams.team-00.api]\nttl_max = \"30days\"\n\n[teams.team-09.api]\nreason_required = true\n\n[teams.team-11.api]\nttl_max = \"7days\"\n";
const NARROW: &str = "\n[api]\npermissions = [\"prompts.*\", \"resources.*\", \"servers.read\", \"servers.use\", \"tokens.*\", \
    \"tools.*\"]\n";
const SHORT: &str = "\n[api]\nttl_default = \"8h\"\n";

/// Something that happens once, when so many thousandths of the year's events are there.
#[derive(Debug, Clone)]
pub(super) enum Turn {
    /// A policy is applied, made of these parts.
    Policy(&'static [&'static str]),
    /// A key is made known.
    AddKey(usize),
    /// It signs from here on.
    ActivateKey(usize),
    /// It is put away.
    RetireKey(usize),
    /// Others may have it, and the next signs.
    CompromiseKey(usize),
    /// A client is added.
    AddClient(&'static str, &'static [ClientPermission]),
    /// A client gets another secret.
    RotateClient(&'static str),
    /// A client is over.
    RevokeClient(&'static str),
    /// A rule ends what it covers.
    Rule(Covered),
}

/// What a rule covers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Covered {
    /// Everything of somebody.
    Subject(&'static str),
    /// What a team had from a shell.
    FromShell(&'static str),
    /// What was issued in the last hours from a shell.
    OfLate,
}

/// The turns of the year, in their order.
pub(super) fn of_the_year() -> VecDeque<(u64, Turn)> {
    use ClientPermission::{Check, Courier};
    VecDeque::from([
        (0, Turn::Policy(&[DOOR])),
        (4, Turn::AddClient("gateway", &[Check])),
        (6, Turn::AddClient(BRIDGE, &[Courier])),
        (8, Turn::AddClient("old-proxy", &[Check])),
        (40, Turn::Policy(&[DOOR, PROVIDER])),
        (150, Turn::Rule(Covered::Subject("user-00003@example.com"))),
        (200, Turn::Policy(&[DOOR, REASONS, PROVIDER])),
        (240, Turn::AddKey(1)),
        (250, Turn::ActivateKey(1)),
        (300, Turn::RotateClient("gateway")),
        (380, Turn::Rule(Covered::FromShell("team-02"))),
        (400, Turn::Policy(&[DOOR, NARROW, REASONS, PROVIDER])),
        (420, Turn::RetireKey(0)),
        (490, Turn::AddKey(2)),
        (500, Turn::CompromiseKey(1)),
        (560, Turn::Policy(&[DOOR, REASONS, PROVIDER])),
        (620, Turn::Rule(Covered::OfLate)),
        (700, Turn::RotateClient(BRIDGE)),
        (730, Turn::AddKey(3)),
        (750, Turn::ActivateKey(3)),
        (800, Turn::Policy(&[DOOR, SHORT, REASONS, PROVIDER])),
        (850, Turn::RevokeClient("old-proxy")),
        (900, Turn::Rule(Covered::Subject("user-00005@example.com"))),
        (920, Turn::RetireKey(2)),
    ])
}

impl Turn {
    /// Whether it covers tokens by a rule, and so is written alone.
    pub(super) fn is_a_rule(&self) -> bool {
        matches!(self, Self::Rule(_) | Self::CompromiseKey(_))
    }
}

impl Year {
    /// Takes a turn.
    pub(super) fn take(&mut self, turn: &Turn, now: DateTime<Utc>) -> Result<(), SeedError> {
        let act = match turn {
            Turn::Policy(parts) => {
                let text = parts.concat();
                let rules = policy_file::parse(&text).map_err(|fault| SeedError::Policy(fault.to_string()))?;
                Act::ApplyPolicy(Box::new(ApplyPolicy { rules, text }))
            }
            Turn::AddKey(index) => match self.keys.get(*index) {
                Some(key) => Act::AddKey(Box::new(key.clone())),
                None => return Ok(()),
            },
            Turn::ActivateKey(index) => Act::ActivateKey(ActivateKey { kid: self.kid(*index)?, early: false }),
            Turn::RetireKey(index) => {
                let kid = self.kid(*index)?;
                let live = self.live_of(&kid, now);
                if live.is_some() {
                    return Ok(());
                }
                Act::RetireKey(RetireKey { kid, live, counted: self.position })
            }
            Turn::CompromiseKey(index) => {
                let (since, from) = self.marks.front().copied().unwrap_or((now, Position(1)));
                Act::CompromiseKey(Box::new(CompromiseKey {
                    kid: self.kid(*index)?,
                    from,
                    since: Some(since),
                    note: Some(Note::parse("a backup was readable")?),
                    successor: Some(self.kid(*index + 1)?),
                }))
            }
            Turn::AddClient(name, permissions) => self.add_client(name, permissions)?,
            Turn::RotateClient(name) => {
                let secret_sha256 = ClientSecret::generate(&self.chance).digest();
                if let Some((client, secret)) =
                    self.cast.bridge.as_mut().filter(|(client, _)| client.name.as_str() == *name)
                {
                    (client.secret_sha256, *secret) = (secret_sha256, secret_sha256);
                }
                Act::ChangeClient(ChangeClient::Rotate { name: name.parse()?, secret_sha256, overlap: Overlap::NONE })
            }
            Turn::RevokeClient(name) => Act::ChangeClient(ChangeClient::Revoke { name: name.parse()? }),
            Turn::Rule(covered) => {
                let (predicate, reason, note) = covered.rule(now)?;
                let command =
                    Box::new(RevokeByRule { predicate: predicate.kept(), reason, note: Some(Note::parse(note)?) });
                Act::RevokeByRule { command, covers_any: true }
            }
        };
        let origin = self.at_a_shell(Path::CliAdmin)?;
        self.carry_out(act, origin, now).map(drop)
    }

    fn kid(&self, index: usize) -> Result<Kid, SeedError> {
        self.keys.get(index).map(|key| key.kid.clone()).map_or_else(|| self.signer(), Ok)
    }

    /// The tokens of a key that may still be used.
    fn live_of(&self, kid: &Kid, now: DateTime<Utc>) -> Option<LiveTokens> {
        let live: Vec<DateTime<Utc>> = self
            .state
            .tokens()
            .filter(|token| token.kid == *kid && token.is_kept(now))
            .map(|token| token.expires_at)
            .collect();
        let until = live.iter().max().copied()?;
        Some(LiveTokens { count: live.len() as u64, until })
    }

    fn add_client(&mut self, name: &str, permissions: &[ClientPermission]) -> Result<Act, SeedError> {
        let secret = ClientSecret::generate(&self.chance).digest();
        let teams = permissions.contains(&ClientPermission::Courier).then_some(Teams::Every);
        let added = ClientAdded::new(name.parse()?, permissions.to_vec(), teams, secret)?;
        if name == BRIDGE {
            self.cast.bridge = Some((added.clone(), secret));
        }
        Ok(Act::ChangeClient(ChangeClient::Add(added)))
    }
}

impl Covered {
    fn rule(self, now: DateTime<Utc>) -> Result<(Predicate, RevocationReason, &'static str), SeedError> {
        let none = Predicate::default();
        Ok(match self {
            Self::Subject(sub) => {
                let sub = Some(Subject::parse(sub)?);
                (Predicate { sub, ..none }, RevocationReason::CessationOfOperation, "left the company")
            }
            Self::FromShell(team) => {
                let (team, path) = (Some(TeamId::parse(team)?), Some(Path::CliDev));
                (Predicate { team, path, ..none }, RevocationReason::PrivilegeWithdrawn, "the API is to be used")
            }
            Self::OfLate => {
                let (path, issued_after) = (Some(Path::CliDev), Some(now - TimeDelta::hours(12)));
                let predicate =
                    Predicate { path, issued_after, issued_before: Some(now - TimeDelta::hours(1)), ..none };
                (predicate, RevocationReason::KeyCompromise, "a build machine was broken into")
            }
        })
    }
}
