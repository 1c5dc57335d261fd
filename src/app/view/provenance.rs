//! Where what a token may be used for came from, as it is shown.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{
    Authority,
    authority::Credential,
    claims::CanonicalUuid,
    provenance::{Allowed, Held, Provenance, Traced},
    text::{Issuer, Permission, Subject, TeamId},
};

/// What an asker could do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifeAuthority)]
pub(super) struct AuthorityView<'a> {
    /// What it presented: `token`, `login`, `client`, or `shell` for nothing but the signing key.
    credential: &'static str,
    /// The token, if it was one.
    #[schema(required, value_type = Option<CanonicalUuid>)]
    jti: Option<Uuid>,
    /// The identity provider, for a login.
    #[schema(required)]
    issuer: Option<&'a Issuer>,
    /// Whom it spoke for.
    #[schema(required)]
    sub: Option<&'a Subject>,
    /// Whether it may act for others.
    is_admin: bool,
}

/// Where everything came from that a token may be used for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifeProvenance)]
pub(super) struct ProvenanceView<'a> {
    /// Each permission that it names. One that names none has what everything takes, `*`.
    permissions: Vec<TracedPermission<'a>>,
    /// Each team that it names.
    teams: Vec<TracedTeam<'a>>,
    /// How it came to reach every team, if it does.
    #[schema(required)]
    every_team: Option<HeldView<'a>>,
}

/// Where a permission came from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifePermission)]
struct TracedPermission<'a> {
    /// What.
    permission: &'a Permission,
    /// By what the asker could grant it; `null` = by nothing that the log tells.
    #[schema(required)]
    held: Option<HeldView<'a>>,
    /// The entries of the policy that let it be granted; each table that binds the token has one.
    allowed: Vec<AllowedView<'a>>,
}

/// Where a team came from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifeTeam)]
struct TracedTeam<'a> {
    /// Which.
    team: &'a TeamId,
    /// By what the asker could grant it; `null` = by nothing that the log tells.
    #[schema(required)]
    held: Option<HeldView<'a>>,
}

/// By what an asker can grant something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifeHeld)]
#[serde(tag = "by", rename_all = "snake_case")]
enum HeldView<'a> {
    /// A shell: whoever can read the signing key may grant all that the policy lets through.
    Shell {},
    /// An administrator's credential, which names none and so has all.
    All {},
    /// This, which the asker's credential names.
    Named {
        /// What.
        entry: &'a str,
    },
}

/// An entry of the policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LifeAllowed)]
struct AllowedView<'a> {
    /// The table of the policy file that it stands in.
    table: &'a str,
    /// The entry, which covers the permission.
    entry: &'a Permission,
}

impl<'a> From<&'a Authority> for AuthorityView<'a> {
    fn from(authority: &'a Authority) -> Self {
        let (credential, issuer) = match &authority.credential {
            None => ("shell", None),
            Some(Credential::Token(_)) => ("token", None),
            Some(Credential::Login { issuer }) => ("login", Some(issuer)),
            Some(Credential::Client { .. }) => ("client", None),
        };
        let (jti, sub, is_admin) = (authority.token(), authority.subject.as_ref(), authority.is_admin);
        Self { credential, jti, issuer, sub, is_admin }
    }
}

impl<'a> From<&'a Provenance> for ProvenanceView<'a> {
    fn from(provenance: &'a Provenance) -> Self {
        let permission = |traced: &'a Traced<Permission>| TracedPermission {
            permission: &traced.what,
            held: traced.held.as_ref().map(|held| held_by(held, Permission::as_str)),
            allowed: traced.allowed.iter().map(|Allowed { table, entry }| AllowedView { table, entry }).collect(),
        };
        let team = |traced: &'a Traced<TeamId>| TracedTeam {
            team: &traced.what,
            held: traced.held.as_ref().map(|held| held_by(held, TeamId::as_str)),
        };
        Self {
            permissions: provenance.permissions.iter().map(permission).collect(),
            teams: provenance.teams.iter().map(team).collect(),
            every_team: provenance.every_team.as_ref().map(|held| held_by(held, TeamId::as_str)),
        }
    }
}

fn held_by<'a, T>(held: &'a Held<T>, name: impl Fn(&'a T) -> &'a str) -> HeldView<'a> {
    match held {
        Held::Shell => HeldView::Shell {},
        Held::All => HeldView::All {},
        Held::This(entry) => HeldView::Named { entry: name(entry) },
    }
}
