//! A person that an identity provider vouches for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::{
    Authority,
    authority::{Credential, Permissions},
    claims::{CATALOG_AUDIENCE, Teams},
    policy::Audiences,
    text::{Audience, Email, Issuer, Permission, Subject},
    trusted_issuer::{Grant, OptionalClaim},
};

/// Who presented an access token of a trusted issuer, as far as it was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who vouches for it.
    pub issuer: Issuer,
    /// Whom it speaks for here.
    pub subject: Subject,
    /// Its address, which was verified.
    pub email: Email,
    /// When the provider said so: `iat`, seconds since 1970.
    pub logged_in: i64,
    /// What it may do.
    pub grant: Grant,
}

/// Why a person whom a trusted issuer vouches for is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LoginRefusal {
    /// An ID token, or one that lacks what an access token has (RFC 9068 section 4).
    #[error("it is an ID token, or another that is no access token (RFC 9068: typ at+jwt, with sub, iat and exp)")]
    NotAnAccessToken,
    /// It does not say which client had it issued.
    #[error("it has no client_id, which RFC 9068 section 2.2 requires and the policy does not let it leave out")]
    ClientIdMissing,
    /// It has no identifier.
    #[error("it has no jti, which RFC 9068 section 2.2 requires and the policy does not let it leave out")]
    JtiMissing,
    /// It is meant for somebody else.
    #[error("it is not meant for this catalog")]
    OtherAudience,
    /// The provider does not say that the address is the person's.
    #[error("its address is not verified")]
    EmailUnverified,
    /// There is no address, or none that could be one.
    #[error("it has no usable address")]
    EmailUnusable,
    /// The provider does not speak for the address.
    #[error("its provider does not speak for the domain of its address")]
    OtherDomain,
    /// There is no subject, or none that could be one.
    #[error("it has no usable subject")]
    SubjectUnusable,
}

impl From<OptionalClaim> for LoginRefusal {
    /// A token without a claim that it has to have.
    fn from(missing: OptionalClaim) -> Self {
        match missing {
            OptionalClaim::ClientId => Self::ClientIdMissing,
            OptionalClaim::Jti => Self::JtiMissing,
        }
    }
}

impl LoginRefusal {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::NotAnAccessToken,
        Self::ClientIdMissing,
        Self::JtiMissing,
        Self::OtherAudience,
        Self::EmailUnverified,
        Self::EmailUnusable,
        Self::OtherDomain,
        Self::SubjectUnusable,
    ];

    /// The rule's name, as it stands in audit events.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAnAccessToken => "not_an_access_token",
            Self::ClientIdMissing => "client_id_missing",
            Self::JtiMissing => "jti_missing",
            Self::OtherAudience => "other_audience",
            Self::EmailUnverified => "email_unverified",
            Self::EmailUnusable => "email_unusable",
            Self::OtherDomain => "other_domain",
            Self::SubjectUnusable => "subject_unusable",
        }
    }
}

/// `login.refused.v1`: somebody whom a trusted issuer vouches for was not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRefused {
    /// The rule that said no, as [`LoginRefusal::code`] names it.
    pub rule: String,
    /// How often it said so to this actor since then.
    pub count: u32,
    /// When it did for the first of these times.
    pub since: DateTime<Utc>,
}

/// `person.seen.v1`: what an identity provider said of somebody, where it is not what it said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonSeen {
    /// Who vouches for the person.
    pub issuer: Issuer,
    /// When it said so: `iat` of the access token, seconds since 1970.
    pub logged_in: i64,
    /// Whether a role makes it an administrator.
    pub is_admin: bool,
    /// The teams of its groups.
    #[serde(deserialize_with = "Teams::deserialize")]
    pub teams: Teams,
    /// What it may do; an administrator may do everything.
    pub permissions: Vec<Permission>,
    /// Personal: whom it speaks for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Subject>,
}

impl Person {
    /// What there is to record of it.
    #[must_use]
    pub fn seen(&self) -> PersonSeen {
        PersonSeen {
            issuer: self.issuer.clone(),
            logged_in: self.logged_in,
            is_admin: self.grant.is_admin,
            teams: self.grant.teams.clone(),
            permissions: self.grant.permissions.clone(),
            sub: Some(self.subject.clone()),
        }
    }

    /// The authority of its access token. What is issued with it is bound by the policy alone, not by the few minutes that
    /// such a token lives; and it may be meant for this catalog, as the token is.
    #[must_use]
    pub fn authority(&self) -> Authority {
        let authority = self.seen().authority().unwrap_or_else(Authority::of_nobody);
        Authority { email: Some(self.email.clone()), ..authority }
    }
}

impl PersonSeen {
    /// What the person could do by this, but for its address, which is not recorded. `None` once who it was is erased.
    #[must_use]
    pub fn authority(&self) -> Option<Authority> {
        let Self { issuer, is_admin, teams, permissions, sub, .. } = self.clone();
        let here = Audience::parse(CATALOG_AUDIENCE).into_iter().collect();
        Some(Authority {
            subject: Some(sub?),
            credential: Some(Credential::Login { issuer }),
            is_admin,
            teams,
            permissions: if is_admin { Permissions::All } else { Permissions::These(permissions) },
            audiences: if is_admin { Audiences::Any } else { Audiences::These(here) },
            ..Authority::of_nobody()
        })
    }

    /// Whether it has to be recorded after what was recorded last: it is newer, and says something else.
    #[must_use]
    pub fn is_news_after(&self, last: &Self) -> bool {
        let says = |seen: &Self| (seen.issuer.clone(), seen.is_admin, seen.teams.clone(), seen.permissions.clone());
        self.logged_in > last.logged_in && says(self) != says(last)
    }
}

/// What a person's idempotency keys belong to, since it has no token of ours: derived from who it is (RFC 9562
/// section 5.8), and so never the identifier of a token.
#[must_use]
pub fn holder(issuer: &Issuer, subject: &Subject) -> Uuid {
    let digest =
        Sha256::new().chain_update(issuer.as_str()).chain_update([0]).chain_update(subject.as_str()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(logged_in: i64, teams: &[&str]) -> PersonSeen {
        PersonSeen {
            issuer: "https://login.example.com".parse().unwrap(),
            logged_in,
            is_admin: false,
            teams: Teams::These(teams.iter().map(|team| team.parse().unwrap()).collect()),
            permissions: Vec::new(),
            sub: Some("alice@example.com".parse().unwrap()),
        }
    }

    #[test]
    fn only_a_later_word_that_is_another_is_news() {
        let last = seen(100, &["red"]);

        assert!(seen(101, &["blue"]).is_news_after(&last));
        assert!(!seen(101, &["red"]).is_news_after(&last), "the same again");
        assert!(!seen(100, &["blue"]).is_news_after(&last), "an older token is no later word");
        assert!(PersonSeen { is_admin: true, ..seen(101, &["red"]) }.is_news_after(&last));
    }

    #[test]
    fn the_holder_of_a_key_is_the_person_at_its_provider_and_never_a_token() {
        let holder = |issuer: &str, sub: &str| holder(&issuer.parse().unwrap(), &sub.parse().unwrap());

        assert_eq!(holder("https://a", "bob"), holder("https://a", "bob"));
        assert_ne!(holder("https://a", "bob"), holder("https://b", "bob"));
        assert_ne!(holder("https://a", "bob"), holder("https://a", "bab"));
        assert_eq!(holder("https://a", "bob").get_version_num(), 8);
    }
}
