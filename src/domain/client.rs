//! Clients: gateways and services that call the catalog with a name and a secret of their own (RFC 6749 section 2.3.1).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    Event, Malformed, Position, Recorded, Refusal, Settings, ambient::Entropy, authority::RoutePermission,
    claims::Teams, rotate::Overlap, text::ClientName,
};

/// Bytes of entropy in a secret: as many as its digest has.
const SECRET_BYTES: usize = 32;
/// The longest time for which old secrets stay good beside a new one.
const OVERLAP_DAYS_MAX: i64 = 30;

/// A client's secret. It exists where it is made and where it is presented, and is nowhere kept.
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// What every secret begins with, so that whoever searches texts for secrets finds it.
    pub const PREFIX: &str = "catsec_";

    /// A new secret: 256 bits that nobody can predict, as one word of letters, digits, hyphens and underscores.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        entropy.fill(&mut *bytes);
        Self(Zeroizing::new(format!("{}{}", Self::PREFIX, *Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))))
    }

    /// The secret itself, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.0)
    }
}

/// SHA-256 of a secret, in hexadecimal where it is written. A secret has 256 bits of entropy, so there is nothing to guess
/// that a slower hash would make dearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of whatever was presented as a secret.
    #[must_use]
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented).into())
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl TryFrom<String> for SecretDigest {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let bytes = hex::decode(&text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(Malformed::NotA { value: text, expected: "a SHA-256 digest in hexadecimal" })
    }
}

impl From<SecretDigest> for String {
    fn from(digest: SecretDigest) -> Self {
        hex::encode(digest.0)
    }
}

/// What a client may be allowed: only the routes that ask for these take its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ClientPermission {
    /// To ask whether tokens are good.
    #[serde(rename = "tokens.check")]
    Check,
    /// To end tokens of its teams.
    #[serde(rename = "tokens.revoke")]
    Revoke,
    /// To have couriers made of revoked tokens of its teams.
    #[serde(rename = "tokens.courier")]
    Courier,
}

impl ClientPermission {
    /// Every permission that a client can have.
    pub const ALL: [Self; 3] = [Self::Check, Self::Revoke, Self::Courier];

    /// The permission as routes ask for it.
    #[must_use]
    pub fn of_route(self) -> RoutePermission {
        match self {
            Self::Check => RoutePermission::TokensCheck,
            Self::Revoke => RoutePermission::TokensRevoke,
            Self::Courier => RoutePermission::TokensCourier,
        }
    }

    /// The persisted name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.of_route().as_str()
    }
}

impl fmt::Display for ClientPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ClientPermission {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let found = Self::ALL.into_iter().find(|permission| permission.as_str() == text);
        let expected = "what a client can be allowed: tokens.check, tokens.revoke or tokens.courier";
        found.ok_or_else(|| Malformed::NotA { value: text.to_owned(), expected })
    }
}

/// `client.added.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAdded {
    /// The client. No other ever has its name.
    pub name: ClientName,
    /// What it may do here.
    pub permissions: Vec<ClientPermission>,
    /// Whose tokens it may end or carry: those that reach these teams and no others, or everybody's.
    #[serde(deserialize_with = "Teams::deserialize")]
    pub teams: Teams,
    /// SHA-256 of its secret.
    pub secret_sha256: SecretDigest,
}

impl ClientAdded {
    /// A client as an operator asks for it. `teams`: those whose tokens it may end or carry, `None` = none were said.
    ///
    /// # Errors
    /// [`Malformed`]: `tokens.revoke` or `tokens.courier` without teams, or teams without either.
    pub fn new(
        name: ClientName,
        mut permissions: Vec<ClientPermission>,
        teams: Option<Teams>,
        secret_sha256: SecretDigest,
    ) -> Result<Self, Malformed> {
        if permissions.is_empty() {
            return Err(Malformed::Empty);
        }
        permissions.sort_unstable();
        permissions.dedup();
        let reaches = permissions.iter().any(|permission| *permission != ClientPermission::Check);
        let teams = match (reaches, teams) {
            (true, Some(teams)) if teams != Teams::These(Vec::new()) => teams,
            (true, _) => {
                let what = "a client that is allowed tokens.revoke or tokens.courier needs the teams whose tokens those are, or all of them";
                return Err(Malformed::Contradiction(what));
            }
            (false, None) => Teams::These(Vec::new()),
            (false, Some(_)) => {
                return Err(Malformed::Contradiction(
                    "teams bound tokens.revoke and tokens.courier, which the client is not allowed",
                ));
            }
        };
        Ok(Self { name, permissions, teams, secret_sha256 })
    }
}

/// `client.rotated.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRotated {
    /// The client.
    pub name: ClientName,
    /// SHA-256 of its new secret.
    pub secret_sha256: SecretDigest,
    /// The first instant at which no older secret is good; absent = at once, whatever anybody's clock says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_until: Option<DateTime<Utc>>,
}

/// `client.revoked.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRevoked {
    /// The client.
    pub name: ClientName,
}

/// A client as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its name.
    pub name: ClientName,
    /// What it may do here.
    pub permissions: Vec<ClientPermission>,
    /// Whose tokens it may end or carry.
    pub teams: Teams,
    /// When it was added, and where in the log.
    pub added: (DateTime<Utc>, Position),
    /// When it last got a new secret.
    pub rotated: Option<DateTime<Utc>>,
    /// When it was revoked, and where in the log.
    pub revoked: Option<(DateTime<Utc>, Position)>,
    secrets: Vec<Secret>,
}

/// A secret, and the first instant at which it is no longer good, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Secret {
    digest: SecretDigest,
    until: Option<DateTime<Utc>>,
}

impl Secret {
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Client {
    /// The client that an event added.
    #[must_use]
    pub fn added(event: &ClientAdded, recorded: &Recorded) -> Self {
        Self {
            name: event.name.clone(),
            permissions: event.permissions.clone(),
            teams: event.teams.clone(),
            added: (recorded.occurrence.occurred_at, recorded.position),
            rotated: None,
            revoked: None,
            secrets: vec![Secret { digest: event.secret_sha256, until: None }],
        }
    }

    /// Takes a new secret into account. An older one never gets more time than it had.
    pub fn rotate(&mut self, event: &ClientRotated, recorded: &Recorded) {
        let now = recorded.occurrence.occurred_at;
        self.secrets.retain(|secret| event.old_until.is_some() && secret.is_good(now));
        for secret in &mut self.secrets {
            secret.until = secret.until.into_iter().chain(event.old_until).min();
        }
        self.secrets.push(Secret { digest: event.secret_sha256, until: None });
        self.rotated = Some(now);
    }

    /// Takes its end into account.
    pub fn revoke(&mut self, recorded: &Recorded) {
        self.revoked.get_or_insert((recorded.occurrence.occurred_at, recorded.position));
    }

    /// Whether a secret is one of its own that is good at `now`. All of them are looked at, whatever the first says.
    #[must_use]
    pub fn accepts(&self, presented: &SecretDigest, now: DateTime<Utc>) -> bool {
        let found = self
            .secrets
            .iter()
            .fold(false, |found, secret| found | (secret.digest.is(presented) & secret.is_good(now)));
        found && self.revoked.is_none()
    }

    /// The first instant at which no secret but the newest is good, while an older one is.
    #[must_use]
    pub fn old_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let good = self.secrets.iter().filter(|secret| self.revoked.is_none() && secret.is_good(now));
        good.filter_map(|secret| secret.until).max()
    }
}

/// What an operator does to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeClient {
    /// A new one.
    Add(ClientAdded),
    /// A new secret.
    Rotate {
        /// The client.
        name: ClientName,
        /// SHA-256 of the new secret.
        secret_sha256: SecretDigest,
        /// For how long older ones stay good beside it.
        overlap: Overlap,
    },
    /// Its end.
    Revoke {
        /// The client.
        name: ClientName,
    },
}

impl ChangeClient {
    /// Whom it is about.
    #[must_use]
    pub fn name(&self) -> &ClientName {
        match self {
            Self::Add(added) => &added.name,
            Self::Rotate { name, .. } | Self::Revoke { name } => name,
        }
    }
}

/// Why clients were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientRefusal {
    /// Another client has the name, or had it: the log names clients by it.
    #[error("the name {name} is taken by a client that {}", if *is_revoked { "was revoked" } else { "is there already" })]
    NameTaken {
        /// The name.
        name: ClientName,
        /// Whether that client is revoked.
        is_revoked: bool,
    },
    /// There is no such client.
    #[error("no client {name}")]
    Unknown {
        /// What was asked for.
        name: ClientName,
    },
    /// The client is over.
    #[error("the client {name} was revoked, and stays so")]
    Revoked {
        /// The client.
        name: ClientName,
    },
    /// Old secrets would stay good for too long.
    #[error("an overlap of {asked} exceeds the maximum of {OVERLAP_DAYS_MAX}d")]
    OverlapTooLong {
        /// What was asked for.
        asked: Overlap,
    },
}

impl ClientRefusal {
    /// The rule's name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NameTaken { .. } => "client_name_taken",
            Self::Unknown { .. } => "client_unknown",
            Self::Revoked { .. } => "client_revoked",
            Self::OverlapTooLong { .. } => "client_overlap_too_long",
        }
    }
}

/// Decides a change of a client: nothing when it was revoked already and shall be.
///
/// # Errors
/// [`Refusal::Client`].
pub fn change_client(settings: &Settings, change: &ChangeClient, now: DateTime<Utc>) -> Result<Option<Event>, Refusal> {
    let known = |name: &ClientName| {
        settings.client(name).ok_or_else(|| Refusal::from(ClientRefusal::Unknown { name: name.clone() }))
    };
    match change {
        ChangeClient::Add(added) => match settings.client(&added.name) {
            Some(client) => {
                Err(ClientRefusal::NameTaken { name: added.name.clone(), is_revoked: client.revoked.is_some() }.into())
            }
            None => Ok(Some(Event::ClientAdded(added.clone()))),
        },
        ChangeClient::Rotate { name, .. } if known(name)?.revoked.is_some() => {
            Err(ClientRefusal::Revoked { name: name.clone() }.into())
        }
        ChangeClient::Rotate { overlap, .. } if overlap.span() > TimeDelta::days(OVERLAP_DAYS_MAX) => {
            Err(ClientRefusal::OverlapTooLong { asked: *overlap }.into())
        }
        ChangeClient::Rotate { name, secret_sha256, overlap } => Ok(Some(Event::ClientRotated(ClientRotated {
            name: name.clone(),
            secret_sha256: *secret_sha256,
            old_until: (overlap.seconds() > 0).then(|| now + overlap.span()),
        }))),
        ChangeClient::Revoke { name } => {
            let is_over = known(name)?.revoked.is_some();
            Ok((!is_over).then(|| Event::ClientRevoked(ClientRevoked { name: name.clone() })))
        }
    }
}
