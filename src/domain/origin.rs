//! Who caused an event, and through which door.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    person,
    text::{ClientName, Issuer, RequestId, Subject},
};

/// The door an event came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// The HTTP API.
    Api,
    /// `catalog issue --dev`, past the API's controls.
    CliDev,
    /// A shell command that manages keys, configuration or erasure.
    CliAdmin,
    /// The program itself, such as a first start.
    System,
}

impl Path {
    /// Every path.
    pub const ALL: [Self; 4] = [Self::Api, Self::CliDev, Self::CliAdmin, Self::System];

    /// The persisted name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::CliDev => "cli-dev",
            Self::CliAdmin => "cli-admin",
            Self::System => "system",
        }
    }

    /// Whether a token issued through this door is out-of-band.
    #[must_use]
    pub fn is_out_of_band(self) -> bool {
        self != Self::Api
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Path {
    type Err = super::Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|path| path.as_str() == text).ok_or_else(|| super::Malformed::NotA {
            value: text.to_owned(),
            expected: "one of api, cli-dev, cli-admin and system",
        })
    }
}

/// Who caused an event. What names a person is personal and may have been erased: then it is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Actor {
    /// The bearer of a token of the catalog.
    Token {
        /// The token it presented.
        jti: Uuid,
        /// Its subject.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sub: Option<String>,
    },
    /// A client, by its secret.
    Client {
        /// Its name.
        name: ClientName,
    },
    /// Somebody whom an identity provider vouches for.
    Person {
        /// The provider.
        issuer: Issuer,
        /// Whom the person speaks for here; of one that was not let in, whom the provider calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sub: Option<String>,
    },
    /// A user of a machine, at a shell.
    OsUser(OsUser),
    /// Whoever it was did not say, or not credibly.
    Anonymous,
}

impl Actor {
    /// What the idempotency keys of its requests belong to, as [`Authority::holder`](super::Authority::holder) has it;
    /// `None` = it has none, or whoever it was is erased.
    #[must_use]
    pub fn holder(&self) -> Option<Uuid> {
        match self {
            Self::Token { jti, .. } => Some(*jti),
            Self::Person { issuer, sub: Some(sub) } => Some(person::holder(issuer, &Subject::parse(sub).ok()?)),
            Self::Person { sub: None, .. } | Self::Client { .. } | Self::OsUser(_) | Self::Anonymous => None,
        }
    }
}

/// A user of a machine as the operating system tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsUser {
    /// The name of the effective user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The effective user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The user who logged in, whatever `su` and `sudo` came after (the kernel's login uid).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// `SUDO_USER`: who called sudo, by its own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// The machine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl Actor {
    /// One line for people: a subject, `client` and its name, or `user@host`; `None` once erased.
    #[must_use]
    pub fn display(&self) -> Option<String> {
        match self {
            Self::Token { sub, .. } | Self::Person { sub, .. } => sub.clone(),
            Self::Client { name } => Some(format!("client {name}")),
            Self::OsUser(user) => match (&user.name, &user.host) {
                (Some(name), Some(host)) => Some(format!("{name}@{host}")),
                (name, _) => name.clone(),
            },
            Self::Anonymous => None,
        }
    }
}

/// Where a command came from: recorded with its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The door.
    pub path: Path,
    /// Who.
    pub actor: Actor,
    /// The request's name in the diagnostics.
    pub request_id: RequestId,
    /// The peer's address, for the API.
    pub address: Option<IpAddr>,
    /// What the peer calls itself, cut to a harmless line.
    pub user_agent: Option<String>,
}
