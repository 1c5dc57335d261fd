//! Containment: a token is never wider than the authority that it was asked with.

use super::{
    Authority, IssueToken, Refusal,
    authority::{Permissions, RoutePermission},
    claims::Teams,
    membership::{Answer, Membership},
    person::PersonSeen,
    policy::{Audiences, MembershipRules, Switch},
    settings::Shape,
    text::{Audience, FullName, Namespace, Permission, TeamId},
};

/// What is known of the teams of whom a token is for.
#[derive(Clone, Copy)]
pub(super) struct Evidence<'a> {
    /// What the membership source of the policy said, if it was asked.
    pub(super) membership: Option<&'a Answer>,
    /// What an identity provider that is trusted said at the last login.
    pub(super) login: Option<&'a PersonSeen>,
}

/// Holds a request to what its caller may grant, and settles the teams.
///
/// # Errors
/// [`Refusal`], naming the rule.
pub(super) fn contain(
    command: &IssueToken,
    authority: &Authority,
    evidence: Evidence<'_>,
    shape: Shape<'_>,
) -> Result<Teams, Refusal> {
    if !authority.is_admin {
        contain_subject(command, authority)?;
    }
    if !authority.restrictions.are_kept_by(&command.scopes) {
        return Err(Refusal::RestrictionsNotKept);
    }
    contain_namespaces(&command.namespaces, authority)?;
    contain_audiences(&command.aud, &authority.audiences, shape.audience)?;
    contain_permissions(&command.scopes.permissions, authority)?;
    let teams = contain_teams(command, authority)?;
    if authority.subject.as_ref() != Some(&command.sub) || command.names_another_address() {
        delegate(&teams, evidence, shape.policy.rules.membership.as_ref())?;
    }
    Ok(teams)
}

/// Only an administrator speaks for others.
fn contain_subject(command: &IssueToken, authority: &Authority) -> Result<(), Refusal> {
    if let Some(own) = &authority.subject
        && *own != command.sub
    {
        return Err(Refusal::SubjectNotYours { own: own.clone() });
    }
    if command.is_admin {
        return Err(Refusal::AdminNotYours);
    }
    if command.names_another_address() && command.email != authority.email {
        return Err(Refusal::EmailNotYours);
    }
    let is_own =
        |name: &FullName| Some(name) == authority.full_name.as_ref() || *name == FullName::of_subject(&command.sub);
    match &command.full_name {
        Some(name) if !is_own(name) => Err(Refusal::FullNameNotYours),
        _ => Ok(()),
    }
}

/// A list bounds; without one an administrator may name any, and anybody else none.
fn contain_namespaces(asked: &[Namespace], authority: &Authority) -> Result<(), Refusal> {
    let own = &authority.namespaces;
    let is_within = match (own.is_empty(), asked.is_empty()) {
        (true, is_plain) => is_plain || authority.is_admin,
        (false, true) => false,
        (false, false) => asked.iter().all(|namespace| own.contains(namespace)),
    };
    if is_within { Ok(()) } else { Err(Refusal::NamespacesNotYours { own: own.clone() }) }
}

fn contain_audiences(asked: &[Audience], held: &Audiences, configured: &Audience) -> Result<(), Refusal> {
    let Audiences::These(own) = held else { return Ok(()) };
    let is_beyond = |audience: &&Audience| *audience != configured && !own.contains(audience);
    let beyond: Vec<Audience> = asked.iter().filter(is_beyond).cloned().collect();
    if beyond.is_empty() {
        return Ok(());
    }
    let others = own.iter().filter(|audience| *audience != configured);
    Err(Refusal::AudiencesNotYours { asked: beyond, own: others.chain([configured]).cloned().collect() })
}

fn contain_permissions(asked: &[Permission], authority: &Authority) -> Result<(), Refusal> {
    let held = &authority.permissions;
    let own = || match held {
        Permissions::All => Vec::new(),
        Permissions::These(own) => own.clone(),
    };
    if asked.is_empty() && !held.are_all() {
        return Err(Refusal::PermissionsRequired { own: own() });
    }
    // The whole log is more than what an administrator of some teams sees.
    let is_beyond = |permission: &&Permission| {
        !held.cover(permission)
            || (permission.covers_name(RoutePermission::AuditRead.as_str()) && !authority.oversees())
    };
    let beyond: Vec<Permission> = asked.iter().filter(is_beyond).cloned().collect();
    if beyond.is_empty() { Ok(()) } else { Err(Refusal::PermissionsNotYours { asked: beyond, own: own() }) }
}

fn contain_teams(command: &IssueToken, authority: &Authority) -> Result<Teams, Refusal> {
    let Teams::These(own) = &authority.teams else {
        return Ok(command.teams.clone().unwrap_or_else(|| default_teams(command)));
    };
    match &command.teams {
        // A list that names nothing of the caller's would be a public-only token that nobody asked for.
        None if own.is_empty() && !command.is_admin => Ok(Teams::These(Vec::new())),
        None => Err(Refusal::TeamsRequired { own: own.clone() }),
        Some(Teams::Every) => Err(Refusal::TeamsNotYours { asked: Vec::new(), own: own.clone() }),
        Some(Teams::These(asked)) => {
            let beyond = missing(asked, own);
            if beyond.is_empty() {
                Ok(Teams::These(asked.clone()))
            } else {
                Err(Refusal::TeamsNotYours { asked: beyond, own: own.clone() })
            }
        }
    }
}

fn default_teams(command: &IssueToken) -> Teams {
    if command.is_admin { Teams::Every } else { Teams::These(Vec::new()) }
}

/// A token for somebody else reaches only teams that this somebody is in, as far as anybody can say: the membership source,
/// and of whom it does not know the last login.
fn delegate(teams: &Teams, evidence: Evidence<'_>, rules: Option<&MembershipRules>) -> Result<(), Refusal> {
    let Teams::These(asked) = teams else { return Ok(()) };
    if asked.is_empty() {
        return Ok(());
    }
    let login = evidence.login.map(|seen| &seen.teams);
    let Some(rules) = rules else { return login.map_or(Ok(()), |own| within(asked, own)) };
    let answer = evidence.membership.filter(|answer| answer.source == rules.source);
    match (answer.map(|answer| &answer.membership), login) {
        (Some(Membership::Of(own)), _) => within(asked, &Teams::These(own.clone())),
        (Some(Membership::Unknown), Some(own)) => within(asked, own),
        // Only administrators come this far for somebody else. That nobody could say is no word of the source's.
        (Some(Membership::Unknown), None) if rules.unknown == Switch::Allow => Ok(()),
        (Some(Membership::Unknown | Membership::Unavailable) | None, _) => {
            Err(Refusal::MembershipUnknown { asked: asked.clone() })
        }
    }
}

fn within(asked: &[TeamId], own: &Teams) -> Result<(), Refusal> {
    match own {
        Teams::Every => Ok(()),
        Teams::These(own) => match missing(asked, own) {
            beyond if beyond.is_empty() => Ok(()),
            beyond => Err(Refusal::SubjectNotInTeams { asked: beyond }),
        },
    }
}

fn missing(asked: &[TeamId], own: &[TeamId]) -> Vec<TeamId> {
    asked.iter().filter(|team| !own.contains(team)).cloned().collect()
}
