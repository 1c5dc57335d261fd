//! `[[trusted_issuer]]`: the identity providers of a policy file, each on its own and beside the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use toml::Spanned;

use super::Contradiction;
use crate::{
    app::fetch,
    domain::{
        policy::TeamRules,
        text::{Audience, ClaimName, EmailDomain, Group, Issuer, Permission, TeamId},
        trusted_issuer::{ClaimNames, KeySource, OptionalClaim, Role, TrustedIssuer, are_alike},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Provider {
    issuer: Spanned<Issuer>,
    jwks_uri: Option<Spanned<String>>,
    jwks_file: Option<Spanned<String>>,
    audience: Audience,
    email_domains: Spanned<Vec<Spanned<EmailDomain>>>,
    subject_claim: Option<Spanned<ClaimName>>,
    email_claim: Option<ClaimName>,
    groups_claim: Option<ClaimName>,
    roles_claim: Option<ClaimName>,
    #[serde(default)]
    optional_claims: BTreeSet<OptionalClaim>,
    #[serde(default)]
    permissions: Vec<Permission>,
    #[serde(default)]
    teams: BTreeMap<Group, Spanned<TeamId>>,
    #[serde(default)]
    roles: BTreeMap<Group, Worth>,
}

/// `"admin"`, or a list of permissions.
struct Worth(Role);

impl<'de> Deserialize<'de> for Worth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WorthVisitor).map(Self)
    }
}

struct WorthVisitor;

impl<'de> Visitor<'de> for WorthVisitor {
    type Value = Role;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"admin\" or a list of permissions")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Role, E> {
        match text {
            "admin" => Ok(Role::Admin),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Role, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Role::Permissions)
    }
}

/// Reads the providers of a file that has rules for these teams.
pub(super) fn trusted_issuers(
    providers: Vec<Spanned<Provider>>,
    teams: &BTreeMap<TeamId, TeamRules>,
) -> Result<Vec<TrustedIssuer>, Contradiction> {
    let (mut issuers, mut domains, mut other_subject) = (Vec::new(), BTreeSet::new(), None);
    let mut trusted = Vec::with_capacity(providers.len());
    for provider in providers {
        let table = provider.span();
        let provider = provider.into_inner();
        provider.check_beside(&mut issuers, &mut domains, &mut other_subject)?;
        provider.check_teams(teams)?;
        if provider.permissions.is_empty() && provider.roles.is_empty() {
            let what = "trusted_issuer gives nobody any permission: set permissions, or roles".to_owned();
            return Err(Contradiction { at: table, what });
        }
        let keys = provider.keys(table)?;
        trusted.push(provider.trusted(keys));
    }
    Ok(trusted)
}

impl Provider {
    /// Holds a provider against those before it: who vouches for a person has to be clear.
    fn check_beside(
        &self,
        issuers: &mut Vec<Issuer>,
        domains: &mut BTreeSet<EmailDomain>,
        other_subject: &mut Option<Issuer>,
    ) -> Result<(), Contradiction> {
        let issuer = self.issuer.get_ref();
        let wrong = |what: String| Contradiction { at: self.issuer.span(), what };
        let url = fetch::checked(issuer.as_str()).map_err(|error| wrong(format!("trusted_issuer.issuer: {error}")))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(format!(
                "trusted_issuer.issuer '{issuer}' has a query or a fragment, which no issuer has"
            )));
        }
        if issuers.iter().any(|other| are_alike(other, issuer)) {
            return Err(wrong(format!("trusted_issuer.issuer '{issuer}' is there twice")));
        }
        issuers.push(issuer.clone());
        if self.email_domains.get_ref().is_empty() {
            let what = "trusted_issuer.email_domains: an empty list would let nobody in".to_owned();
            return Err(Contradiction { at: self.email_domains.span(), what });
        }
        for domain in self.email_domains.get_ref() {
            if !domains.insert(domain.get_ref().clone()) {
                let what = format!(
                    "trusted_issuer.email_domains has '{}', which is claimed already: one provider speaks for a domain",
                    domain.get_ref()
                );
                return Err(Contradiction { at: domain.span(), what });
            }
        }
        match &self.subject_claim {
            Some(claim) if Some(claim.get_ref()) != self.email_claim.as_ref().or(Some(&ClaimName::email())) => {
                match other_subject.replace(issuer.clone()) {
                    Some(other) => Err(Contradiction {
                        at: claim.span(),
                        what: format!(
                            "trusted_issuer.subject_claim is no e-mail address, nor is that of '{other}': their people \
                             could not be told apart"
                        ),
                    }),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// A team that the policy does not know is a slip, where it knows any.
    fn check_teams(&self, known: &BTreeMap<TeamId, TeamRules>) -> Result<(), Contradiction> {
        let mut unknown = self.teams.values().filter(|team| !known.is_empty() && !known.contains_key(team.get_ref()));
        match unknown.next() {
            Some(team) => Err(Contradiction {
                at: team.span(),
                what: format!(
                    "trusted_issuer.teams names '{}', for which there is no [teams.{}]",
                    team.get_ref(),
                    team.get_ref()
                ),
            }),
            None => Ok(()),
        }
    }

    fn keys(&self, table: std::ops::Range<usize>) -> Result<KeySource, Contradiction> {
        match (&self.jwks_uri, &self.jwks_file) {
            (Some(uri), None) => {
                let wrong = |what| Contradiction { at: uri.span(), what: format!("trusted_issuer.jwks_uri: {what}") };
                let url = fetch::checked(uri.get_ref()).map_err(|error| wrong(error.to_string()))?;
                if url.fragment().is_some() {
                    return Err(wrong("an address is asked for without its fragment: leave it out".to_owned()));
                }
                Ok(KeySource::JwksUri(uri.get_ref().clone()))
            }
            (None, Some(file)) if Path::new(file.get_ref()).is_absolute() => {
                Ok(KeySource::JwksFile(file.get_ref().clone()))
            }
            (None, Some(file)) => {
                let what = format!(
                    "trusted_issuer.jwks_file '{}' is not an absolute path, and would be another one for each process",
                    file.get_ref()
                );
                Err(Contradiction { at: file.span(), what })
            }
            (Some(_), Some(file)) => {
                let what = "trusted_issuer.jwks_uri and trusted_issuer.jwks_file exclude each other".to_owned();
                Err(Contradiction { at: file.span(), what })
            }
            (None, None) => {
                let what = "trusted_issuer needs jwks_uri or jwks_file".to_owned();
                Err(Contradiction { at: table, what })
            }
        }
    }

    fn trusted(self, keys: KeySource) -> TrustedIssuer {
        let usual = ClaimNames::default();
        let email = self.email_claim.unwrap_or(usual.email);
        TrustedIssuer {
            issuer: self.issuer.into_inner(),
            keys,
            audience: self.audience,
            email_domains: self.email_domains.into_inner().into_iter().map(Spanned::into_inner).collect(),
            claims: ClaimNames {
                subject: self.subject_claim.map_or_else(|| email.clone(), Spanned::into_inner),
                email,
                groups: self.groups_claim.unwrap_or(usual.groups),
                roles: self.roles_claim.unwrap_or(usual.roles),
            },
            optional_claims: self.optional_claims,
            permissions: self.permissions,
            teams: self.teams.into_iter().map(|(group, team)| (group, team.into_inner())).collect(),
            roles: self.roles.into_iter().map(|(role, worth)| (role, worth.0)).collect(),
        }
    }
}
