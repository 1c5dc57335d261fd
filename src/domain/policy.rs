//! What may be issued through which door, and for which team: the rules that an operator applies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    authority::RoutePermission,
    claims::Teams,
    origin::Path,
    status_list::StatusListRules,
    text::{Audience, Issuer, Kid, Permission, TeamId},
    trusted_issuer::{TrustedIssuer, are_alike},
};

/// The rules in force, recorded as `policy.applied.v1`; every issuance names the version that allowed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// 1 for the first policy of a log, then one more each time.
    pub version: u32,
    /// What it says.
    #[serde(flatten)]
    pub rules: Rules,
    /// The file as it was applied, comments included; the first policy of a log comes from no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// For `POST /tokens`.
    pub api: PathRules,
    /// For `catalog issue --dev`.
    pub cli_dev: PathRules,
    /// What else holds at the shell's door.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shell: ShellRules,
    /// What else holds for tokens that name these teams: it can only be narrower.
    #[serde(default, skip_serializing_if = "is_default")]
    pub teams: BTreeMap<TeamId, TeamRules>,
    /// Who says which teams a subject is in; without it an administrator's word is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<MembershipRules>,
    /// What follows when a rotated token is presented after its end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reuse: Reuse,
    /// The identity providers whose access tokens are taken.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trusted_issuers: Vec<TrustedIssuer>,
    /// Which tokens get an entry in a status list; without it none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_lists: Option<StatusListRules>,
}

/// The rules of one door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRules {
    /// The lifetime of a token for which none was asked, in seconds.
    pub ttl_seconds_default: u32,
    /// The longest lifetime, in seconds.
    pub ttl_seconds_max: u32,
    /// Whom tokens may be meant for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub audiences: Audiences,
    /// What may be granted at all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub permissions: Grantable,
    /// Whether every issuance has to say why.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason_required: bool,
    /// The most tokens of one subject that may be active at once; `None` = any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_max: Option<u32>,
    /// Whether a token may outlive the one that it was asked with, when the asker is no administrator.
    #[serde(default, skip_serializing_if = "is_default")]
    pub child_outlives_parent: bool,
}

/// What else holds at the shell's door.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellRules {
    /// Whether anything is issued through it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub out_of_band: Switch,
    /// Whether its tokens may have elevated claims.
    #[serde(default, skip_serializing_if = "is_default")]
    pub elevated: Switch,
    /// The key that signs its tokens, which is never published; `None` = the catalog's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<Kid>,
}

/// The rules of one team, by door.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamRules {
    /// For `POST /tokens`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub api: Narrowing,
    /// For `catalog issue --dev`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cli_dev: Narrowing,
}

impl TeamRules {
    fn of(&self, path: Path) -> &Narrowing {
        match path {
            Path::Api => &self.api,
            Path::CliDev | Path::CliAdmin | Path::System => &self.cli_dev,
        }
    }
}

/// What narrows the rules of a door; `None` leaves them as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is what it is in `PathRules`")]
pub struct Narrowing {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_default: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Audiences>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Grantable>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason_required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_max: Option<u32>,
}

/// Where membership is asked for, and what it means when nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipRules {
    /// Where.
    pub source: MembershipSource,
    /// For how many seconds an answer is good.
    pub refresh_seconds: u32,
    /// Whether an administrator may name teams for a subject that the source does not know.
    #[serde(default = "Switch::deny", skip_serializing_if = "Switch::is_deny")]
    pub unknown: Switch,
}

/// Where it is written who is in which team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MembershipSource {
    /// A file on every machine that issues.
    File(String),
    /// An address that answers with the same JSON.
    Url(String),
}

/// What follows when a rotated token is presented after its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// It is recorded.
    #[default]
    Record,
    /// It is recorded, and whatever is left of its family ends: whoever presents it may have all of it.
    RevokeFamily,
}

/// Something that is allowed or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It is.
    #[default]
    Allow,
    /// It is not.
    Deny,
}

impl Switch {
    fn deny() -> Self {
        Self::Deny
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    fn is_deny(&self) -> bool {
        *self == Self::Deny
    }
}

/// Audiences that tokens may be meant for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audiences {
    /// Any.
    #[default]
    Any,
    /// These.
    These(Vec<Audience>),
}

/// Permissions that may be granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grantable(pub Vec<Permission>);

impl Default for Grantable {
    /// All of them.
    fn default() -> Self {
        Self(vec![Permission::everything()])
    }
}

impl Grantable {
    /// Whether `permission` may be granted.
    #[must_use]
    pub fn cover(&self, permission: &Permission) -> bool {
        self.0.iter().any(|grantable| grantable.covers(permission))
    }

    /// Whether what a route of the catalog's own API asks for may be granted.
    #[must_use]
    pub fn cover_route(&self, permission: RoutePermission) -> bool {
        self.0.iter().any(|grantable| grantable.covers_name(permission.as_str()))
    }

    /// What both may grant.
    fn and(&self, other: &Self) -> Self {
        let mine = self.0.iter().filter(|permission| other.cover(permission));
        let theirs = other.0.iter().filter(|permission| self.cover(permission));
        let mut both: Vec<Permission> = mine.chain(theirs).cloned().collect();
        both.sort();
        both.dedup();
        Self(both)
    }
}

impl Audiences {
    /// Whether a token may be meant for `audience`.
    #[must_use]
    pub fn contain(&self, audience: &Audience) -> bool {
        match self {
            Self::Any => true,
            Self::These(these) => these.contains(audience),
        }
    }

    fn and(&self, other: &Self) -> Self {
        match self {
            Self::Any => other.clone(),
            Self::These(these) => {
                Self::These(these.iter().filter(|audience| other.contain(audience)).cloned().collect())
            }
        }
    }
}

impl PathRules {
    /// A door of these lifetimes through which everything may be granted.
    #[must_use]
    pub fn open(ttl_seconds_default: u32, ttl_seconds_max: u32) -> Self {
        Self {
            ttl_seconds_default,
            ttl_seconds_max,
            audiences: Audiences::default(),
            permissions: Grantable::default(),
            reason_required: false,
            active_max: None,
            child_outlives_parent: false,
        }
    }

    /// The same, narrowed.
    fn narrowed(mut self, by: &Narrowing) -> Self {
        self.ttl_seconds_max = by.ttl_seconds_max.map_or(self.ttl_seconds_max, |max| max.min(self.ttl_seconds_max));
        let default = by.ttl_seconds_default.unwrap_or(self.ttl_seconds_default);
        self.ttl_seconds_default = default.min(self.ttl_seconds_default).min(self.ttl_seconds_max);
        self.audiences = by.audiences.as_ref().map_or(self.audiences.clone(), |by| self.audiences.and(by));
        self.permissions = by.permissions.as_ref().map_or(self.permissions.clone(), |by| self.permissions.and(by));
        self.reason_required |= by.reason_required;
        self.active_max = [self.active_max, by.active_max].into_iter().flatten().min();
        self
    }
}

impl Rules {
    /// An hour and at most 30 days by the API, 20 minutes and at most 7 days from a shell; everything else is open.
    #[must_use]
    pub fn initial() -> Self {
        const MINUTE: u32 = 60;
        const HOUR: u32 = 60 * MINUTE;
        const DAY: u32 = 24 * HOUR;
        Self {
            api: PathRules::open(HOUR, 30 * DAY),
            cli_dev: PathRules::open(20 * MINUTE, 7 * DAY),
            shell: ShellRules::default(),
            teams: BTreeMap::new(),
            membership: None,
            reuse: Reuse::Record,
            trusted_issuers: Vec::new(),
            status_lists: None,
        }
    }

    /// The identity provider of that name, if its access tokens are taken.
    #[must_use]
    pub fn trusted_issuer(&self, issuer: &Issuer) -> Option<&TrustedIssuer> {
        self.trusted_issuers.iter().find(|trusted| trusted.issuer == *issuer)
    }

    /// The identity provider whose name leads to the same place.
    #[must_use]
    pub fn trusted_like(&self, issuer: &Issuer) -> Option<&TrustedIssuer> {
        self.trusted_issuers.iter().find(|trusted| are_alike(&trusted.issuer, issuer))
    }

    /// The rules of one door; every door past the API is held to the shell's.
    #[must_use]
    pub fn of(&self, path: Path) -> &PathRules {
        match path {
            Path::Api => &self.api,
            Path::CliDev | Path::CliAdmin | Path::System => &self.cli_dev,
        }
    }

    /// The rules of one door for a token that reaches these teams. One that reaches every team is held to the rules of
    /// each of them.
    #[must_use]
    pub fn for_teams(&self, path: Path, teams: &Teams) -> PathRules {
        self.narrowings(path, teams).fold(self.of(path).clone(), |rules, (_, narrowing)| rules.narrowed(narrowing))
    }

    /// What narrows a door for a token that reaches these teams, team by team.
    pub fn narrowings<'a>(&'a self, path: Path, teams: &'a Teams) -> impl Iterator<Item = (&'a TeamId, &'a Narrowing)> {
        let concerns =
            move |team: &TeamId| teams == &Teams::Every || matches!(teams, Teams::These(these) if these.contains(team));
        self.teams.iter().filter(move |(team, _)| concerns(team)).map(move |(team, rules)| (team, rules.of(path)))
    }

    /// The largest number of active tokens that any of the rules allows a subject; `None` where none counts them.
    #[must_use]
    pub fn active_max(&self) -> Option<u32> {
        let of_teams = self.teams.values().flat_map(|rules| [rules.api.active_max, rules.cli_dev.active_max]);
        of_teams.chain([self.api.active_max, self.cli_dev.active_max]).flatten().max()
    }
}

impl Policy {
    /// The policy of a new catalog.
    #[must_use]
    pub fn initial() -> Self {
        Self { version: 1, rules: Rules::initial(), text: None }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
