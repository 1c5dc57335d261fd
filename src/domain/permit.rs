//! What the policy permits: the rules of a door and of the teams that a token reaches, whoever asks.

use chrono::{DateTime, Utc};

use super::{
    Authority, IssueToken, Path, Refusal, State,
    authority::RoutePermission,
    claims::{CATALOG_AUDIENCE, Teams},
    policy::{Audiences, Grantable, PathRules, ShellRules, Switch},
    rotate::Grounds,
    settings::Shape,
    text::{Audience, Permission},
};

/// An issuance that its caller may grant, held against the policy.
pub(super) struct Permit<'a> {
    pub(super) command: &'a IssueToken,
    pub(super) authority: &'a Authority,
    pub(super) grounds: Grounds<'a>,
    pub(super) teams: &'a Teams,
    pub(super) path: Path,
    pub(super) now: DateTime<Utc>,
}

impl Permit<'_> {
    /// Settles the lifetime, in whole seconds, if the policy permits the rest.
    ///
    /// # Errors
    /// [`Refusal`], naming the rule.
    pub(super) fn check(&self, shape: Shape<'_>, state: &State) -> Result<u32, Refusal> {
        let policy = &shape.policy.rules;
        if self.path.is_out_of_band() {
            self.check_shell(&policy.shell)?;
        }
        let rules = policy.for_teams(self.path, self.teams);
        if rules.reason_required && self.command.reason.is_none() {
            return Err(Refusal::ReasonRequired);
        }
        check_audiences(&self.command.aud, shape.audience, &rules)?;
        check_permissions(&self.command.scopes.permissions, &rules.permissions)?;
        let ttl = self.lifetime(&rules)?;
        if let Some(max) = rules.active_max
            && state.active_of(&self.command.sub, self.now) >= max as usize + self.grounds.places()
        {
            return Err(Refusal::TooManyActive { max });
        }
        Ok(ttl)
    }

    fn check_shell(&self, rules: &ShellRules) -> Result<(), Refusal> {
        if rules.out_of_band == Switch::Deny {
            return Err(Refusal::OutOfBandDenied);
        }
        let elevated = self.command.elevations();
        if rules.elevated == Switch::Deny && !elevated.is_empty() {
            return Err(Refusal::ElevatedDenied { elevated });
        }
        Ok(())
    }

    /// What was asked for, or what is usual, within what the policy and the caller's own token leave.
    fn lifetime(&self, rules: &PathRules) -> Result<u32, Refusal> {
        let left = self.left_of_parent(rules);
        let Some(asked) = self.command.ttl_seconds else {
            let usual = self.grounds.ttl_seconds(rules);
            return Ok(left.map_or(usual, |left| left.min(usual)));
        };
        if asked > rules.ttl_seconds_max {
            return Err(Refusal::TtlTooLong { asked, max: rules.ttl_seconds_max });
        }
        match left {
            Some(left) if asked > left => Err(Refusal::OutlivesParent { asked, left }),
            _ => Ok(asked),
        }
    }

    /// How many seconds the caller's own token still has, where they bound what it may grant.
    fn left_of_parent(&self, rules: &PathRules) -> Option<u32> {
        let exp = self.authority.exp.filter(|_| !self.authority.is_admin && !rules.child_outlives_parent)?;
        Some(u32::try_from(exp - self.now.timestamp()).unwrap_or(0))
    }
}

/// A token that may manage tokens here is asked for by name, and only where managing them may be granted.
fn check_audiences(asked: &[Audience], configured: &Audience, rules: &PathRules) -> Result<(), Refusal> {
    let meant: &[Audience] = if asked.is_empty() { std::slice::from_ref(configured) } else { asked };
    let beyond: Vec<Audience> = meant.iter().filter(|audience| !rules.audiences.contain(audience)).cloned().collect();
    if !beyond.is_empty() {
        let allowed = match &rules.audiences {
            Audiences::Any => Vec::new(),
            Audiences::These(these) => these.clone(),
        };
        return Err(Refusal::AudiencesNotAllowed { asked: beyond, allowed });
    }
    let is_for_catalog = meant.iter().any(|audience| audience.as_str() == CATALOG_AUDIENCE);
    if is_for_catalog && !rules.permissions.cover_route(RoutePermission::TokensCreate) {
        return Err(Refusal::CatalogNotGrantable);
    }
    Ok(())
}

fn check_permissions(asked: &[Permission], grantable: &Grantable) -> Result<(), Refusal> {
    let everything = [Permission::everything()];
    let asked = if asked.is_empty() { &everything } else { asked };
    let beyond: Vec<Permission> = asked.iter().filter(|permission| !grantable.cover(permission)).cloned().collect();
    if beyond.is_empty() {
        return Ok(());
    }
    Err(Refusal::PermissionsNotGrantable { asked: beyond, grantable: grantable.0.clone() })
}
