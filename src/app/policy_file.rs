//! The policy as a file: TOML, every key with its default, every mistake with its line and key.

mod providers;
mod render;
mod status_lists;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ops::Range, path::Path};

use serde::{Deserialize, Deserializer, de::Error};
use toml::Spanned;

pub use render::render;

use super::fetch;
use crate::domain::{
    policy::{
        Audiences, Grantable, MembershipRules, MembershipSource, Narrowing, PathRules, Reuse, Rules, ShellRules,
        Switch, TeamRules,
    },
    text::{Audience, Kid, Permission, TeamId},
};

/// For how long an answer of the membership source is good when nobody says.
const REFRESH_SECONDS_DEFAULT: u32 = 60;

/// A policy file is at fault: where, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PolicyFault {
    /// The line, counted from 1.
    pub line: usize,
    /// The key and what is wrong with it.
    pub what: String,
}

/// Reads a policy file.
///
/// # Errors
/// [`PolicyFault`], for an unknown key, a value of another form, and keys that contradict each other.
pub fn parse(text: &str) -> Result<Rules, PolicyFault> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = line(text, error.span().unwrap_or_default().start);
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        let what = match key(text, line) {
            Some(key) => format!("{key}: {message}"),
            None => message,
        };
        PolicyFault { line, what }
    })?;
    file.rules().map_err(|Contradiction { at, what }| PolicyFault { line: line(text, at.start), what })
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The key that a line sets, with the table that it stands in: the parser does not tell.
fn key(text: &str, line: usize) -> Option<String> {
    let (key, _) = text.lines().nth(line - 1)?.split_once('=')?;
    let heading = |line: &str| line.trim().strip_prefix('[').map(|line| line.trim_start_matches('[').to_owned());
    let table = text.lines().take(line - 1).filter_map(heading).last();
    let table = table.as_deref().and_then(|table| table.split(']').next());
    Some(table.map_or_else(|| key.trim().to_owned(), |table| format!("{}.{}", table.trim(), key.trim())))
}

/// Keys that contradict each other, and where the later one of them stands.
struct Contradiction {
    at: Range<usize>,
    what: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case", expecting = "a table")]
struct File {
    api: Door,
    cli_dev: Shell,
    teams: BTreeMap<TeamId, Team>,
    membership: Option<Spanned<Members>>,
    rotation: Rotation,
    status_lists: Option<status_lists::Lists>,
    #[serde(rename = "trusted_issuer")]
    trusted_issuers: Vec<Spanned<providers::Provider>>,
}

/// `[api]`, and what `[cli-dev]` and `[teams.….…]` have of the same.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
struct Door {
    ttl_default: Option<Spanned<Seconds>>,
    ttl_max: Option<Spanned<Seconds>>,
    audiences: Option<Spanned<Vec<String>>>,
    permissions: Option<Spanned<Vec<Permission>>>,
    reason_required: Option<bool>,
    active_max: Option<Spanned<u32>>,
    child_outlives_parent: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
struct Shell {
    out_of_band: Option<Switch>,
    elevated: Option<Spanned<Switch>>,
    kid: Option<Spanned<Kid>>,
    ttl_default: Option<Spanned<Seconds>>,
    ttl_max: Option<Spanned<Seconds>>,
    audiences: Option<Spanned<Vec<String>>>,
    permissions: Option<Spanned<Vec<Permission>>>,
    reason_required: Option<bool>,
    active_max: Option<Spanned<u32>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case", expecting = "a table")]
struct Team {
    api: Door,
    cli_dev: Door,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
struct Rotation {
    reuse: Reuse,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct Members {
    file: Option<String>,
    url: Option<Spanned<String>>,
    refresh: Option<Spanned<Seconds>>,
    unknown: Option<Switch>,
}

/// A length of time such as `"30d"` or `"1h 30m"`: whole seconds, one at least.
#[derive(Clone, Copy)]
struct Seconds(u32);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = humantime::parse_duration(&text).map_err(|_| D::Error::custom(not_seconds(&text)))?;
        match u32::try_from(duration.as_secs()) {
            Ok(seconds) if seconds > 0 && duration.subsec_nanos() == 0 => Ok(Self(seconds)),
            _ => Err(D::Error::custom(not_seconds(&text))),
        }
    }
}

fn not_seconds(text: &str) -> String {
    format!("'{text}' is not a length of time in whole seconds, such as \"20m\", \"1h\" or \"30d\"")
}

impl File {
    fn rules(self) -> Result<Rules, Contradiction> {
        let initial = Rules::initial();
        let shell = self.cli_dev.shell()?;
        let api = path_rules("api", self.api, initial.api)?;
        let cli_dev = path_rules("cli-dev", self.cli_dev.door(), initial.cli_dev)?;
        let mut teams = BTreeMap::new();
        for (team, rules) in self.teams {
            let of_api = narrowing(&format!("teams.{team}.api"), rules.api, &api)?;
            let of_shell = narrowing(&format!("teams.{team}.cli-dev"), rules.cli_dev, &cli_dev)?;
            teams.insert(team, TeamRules { api: of_api, cli_dev: of_shell });
        }
        let membership = self.membership.map(membership).transpose()?;
        let trusted_issuers = providers::trusted_issuers(self.trusted_issuers, &teams)?;
        let status_lists = self.status_lists.as_ref().map(status_lists::rules).transpose()?;
        let reuse = self.rotation.reuse;
        Ok(Rules { api, cli_dev, shell, teams, membership, reuse, trusted_issuers, status_lists })
    }
}

impl Shell {
    fn shell(&self) -> Result<ShellRules, Contradiction> {
        let out_of_band = self.out_of_band.unwrap_or_default();
        let is_closed = out_of_band == Switch::Deny;
        let open_elevated = self.elevated.as_ref().filter(|elevated| *elevated.get_ref() == Switch::Allow);
        if let Some(elevated) = open_elevated.filter(|_| is_closed) {
            return Err(Contradiction {
                at: elevated.span(),
                what: "cli-dev.elevated is \"allow\", but cli-dev.out_of_band is \"deny\"".to_owned(),
            });
        }
        if let Some(kid) = self.kid.as_ref().filter(|_| is_closed) {
            return Err(Contradiction {
                at: kid.span(),
                what: "cli-dev.kid names a key, but cli-dev.out_of_band is \"deny\"".to_owned(),
            });
        }
        Ok(ShellRules {
            out_of_band,
            elevated: self.elevated.as_ref().map_or_else(Switch::default, |elevated| *elevated.get_ref()),
            kid: self.kid.as_ref().map(|kid| kid.get_ref().clone()),
        })
    }

    fn door(self) -> Door {
        let Self { ttl_default, ttl_max, audiences, permissions, reason_required, active_max, .. } = self;
        let child_outlives_parent = None;
        Door { ttl_default, ttl_max, audiences, permissions, reason_required, active_max, child_outlives_parent }
    }
}

fn path_rules(table: &str, door: Door, mut rules: PathRules) -> Result<PathRules, Contradiction> {
    let child_outlives_parent = door.child_outlives_parent.as_ref().is_some_and(|child| *child.get_ref());
    let own_default = door.ttl_default.is_some();
    let narrowing = read(table, door)?;
    let (default, max) = (narrowing.values.ttl_seconds_default, narrowing.values.ttl_seconds_max);
    rules.ttl_seconds_max = max.unwrap_or(rules.ttl_seconds_max);
    // A default that nobody chose gives way to a maximum that somebody did.
    rules.ttl_seconds_default = match default {
        Some(default) => default,
        None => rules.ttl_seconds_default.min(rules.ttl_seconds_max),
    };
    if own_default && rules.ttl_seconds_default > rules.ttl_seconds_max {
        return Err(narrowing.contradiction(format!(
            "{table}.ttl_default of {} s exceeds {table}.ttl_max of {} s",
            rules.ttl_seconds_default, rules.ttl_seconds_max
        )));
    }
    rules.audiences = narrowing.values.audiences.unwrap_or_default();
    rules.permissions = narrowing.values.permissions.unwrap_or_default();
    rules.reason_required = narrowing.values.reason_required;
    rules.active_max = narrowing.values.active_max;
    rules.child_outlives_parent = child_outlives_parent;
    Ok(rules)
}

/// A team's rules: what is wider than the door that they narrow is a mistake, not a wish.
fn narrowing(table: &str, door: Door, of: &PathRules) -> Result<Narrowing, Contradiction> {
    if let Some(child) = &door.child_outlives_parent {
        let what = format!("{table}.child_outlives_parent is a rule of the door, not of a team");
        return Err(Contradiction { at: child.span(), what });
    }
    let whole = door.first_list();
    let read = read(table, door)?;
    let (default, max) = (read.values.ttl_seconds_default, read.values.ttl_seconds_max);
    let bound = max.unwrap_or(of.ttl_seconds_max);
    if bound > of.ttl_seconds_max {
        let what = format!("{table}.ttl_max of {bound} s exceeds the {} s of its door", of.ttl_seconds_max);
        return Err(read.contradiction(what));
    }
    if let Some(what) = wider(table, &read.values, of) {
        return Err(Contradiction { at: whole, what });
    }
    match default {
        Some(default) if default > bound => {
            Err(read.contradiction(format!("{table}.ttl_default of {default} s exceeds the maximum of {bound} s")))
        }
        _ => Ok(read.values),
    }
}

/// What of a team's rules is wider than its door.
fn wider(table: &str, team: &Narrowing, door: &PathRules) -> Option<String> {
    if let Some(Audiences::These(these)) = &team.audiences
        && let Some(audience) = these.iter().find(|audience| !door.audiences.contain(audience))
    {
        return Some(format!("{table}.audiences has '{audience}', which its door does not allow"));
    }
    if let Some(Grantable(these)) = &team.permissions
        && let Some(permission) = these.iter().find(|permission| !door.permissions.cover(permission))
    {
        return Some(format!("{table}.permissions has '{permission}', which its door does not grant"));
    }
    match (team.active_max, door.active_max) {
        (Some(of_team), Some(of_door)) if of_team > of_door => {
            Some(format!("{table}.active_max of {of_team} exceeds the {of_door} of its door"))
        }
        _ => None,
    }
}

impl Door {
    /// Where its first list or limit stands.
    fn first_list(&self) -> Range<usize> {
        let spans = [
            self.audiences.as_ref().map(Spanned::span),
            self.permissions.as_ref().map(Spanned::span),
            self.active_max.as_ref().map(Spanned::span),
        ];
        spans.into_iter().flatten().min_by_key(|span| span.start).unwrap_or_default()
    }
}

/// The values of a table, and where its lifetimes stand.
struct Read {
    values: Narrowing,
    lifetimes: Range<usize>,
}

impl Read {
    fn contradiction(&self, what: String) -> Contradiction {
        Contradiction { at: self.lifetimes.clone(), what }
    }
}

fn read(table: &str, door: Door) -> Result<Read, Contradiction> {
    let spans = [&door.ttl_default, &door.ttl_max].into_iter().flatten().map(Spanned::span);
    let lifetimes = spans.max_by_key(|span| span.start).unwrap_or_default();
    if let Some(zero) = door.active_max.as_ref().filter(|max| *max.get_ref() == 0) {
        let what =
            format!("{table}.active_max of 0 would allow no token: use out_of_band or permissions to close a door");
        return Err(Contradiction { at: zero.span(), what });
    }
    let values = Narrowing {
        ttl_seconds_default: door.ttl_default.map(|ttl| ttl.into_inner().0),
        ttl_seconds_max: door.ttl_max.map(|ttl| ttl.into_inner().0),
        audiences: door.audiences.map(|audiences| read_audiences(table, audiences)).transpose()?,
        permissions: door.permissions.map(|permissions| Grantable(permissions.into_inner())),
        reason_required: door.reason_required.unwrap_or(false),
        active_max: door.active_max.map(Spanned::into_inner),
    };
    Ok(Read { values, lifetimes })
}

/// `["*"]` is any; an audience that is called `*` cannot be told from it, and nobody has one.
fn read_audiences(table: &str, audiences: Spanned<Vec<String>>) -> Result<Audiences, Contradiction> {
    let at = audiences.span();
    let audiences = audiences.into_inner();
    if audiences == ["*"] {
        return Ok(Audiences::Any);
    }
    let wrong = |what: &str| Contradiction { at: at.clone(), what: format!("{table}.audiences: {what}") };
    if audiences.is_empty() {
        return Err(wrong("an empty list would allow no token"));
    }
    if audiences.iter().any(|audience| audience == "*") {
        return Err(wrong("\"*\" stands alone"));
    }
    let parsed = audiences.into_iter().map(Audience::parse).collect::<Result<Vec<_>, _>>();
    parsed.map(Audiences::These).map_err(|malformed| wrong(&malformed.to_string()))
}

fn membership(members: Spanned<Members>) -> Result<MembershipRules, Contradiction> {
    let at = members.span();
    let Members { file, url, refresh, unknown } = members.into_inner();
    let source = match (file, url) {
        (Some(file), None) if Path::new(&file).is_absolute() => MembershipSource::File(file),
        (Some(file), None) => {
            let what =
                format!("membership.file '{file}' is not an absolute path, and would be another one for each process");
            return Err(Contradiction { at, what });
        }
        (None, Some(url)) => {
            let at = url.span();
            let url = url.into_inner();
            fetch::checked(&url).map_err(|error| Contradiction { at, what: format!("membership.url: {error}") })?;
            MembershipSource::Url(url)
        }
        (Some(_), Some(url)) => {
            let what = "membership.file and membership.url exclude each other".to_owned();
            return Err(Contradiction { at: url.span(), what });
        }
        (None, None) => return Err(Contradiction { at, what: "membership needs file or url".to_owned() }),
    };
    let refresh_seconds = refresh.map_or(REFRESH_SECONDS_DEFAULT, |refresh| refresh.into_inner().0);
    Ok(MembershipRules { source, refresh_seconds, unknown: unknown.unwrap_or(Switch::Deny) })
}
