//! The one format of a token, whatever door it was asked for at (RFC 7519, RFC 9068, and the gateway's rich claims).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use catalog_gateway::admission::Terms;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned, Visitor},
};
use sha2::{Digest, Sha256};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    key::Algorithm,
    restrictions::{IpRestriction, TimeRestrictions, UsageLimits},
    status_list::StatusClaim,
    text::{Audience, Email, Environment, FullName, Issuer, Kid, Namespace, Permission, ServerId, Subject, TeamId},
};

/// `typ` of every token, RFC 9068 section 2.1.
pub const TYP: &str = "at+jwt";
/// `client_id` of every token: the catalog itself.
pub const CLIENT_ID: &str = "catalog";
/// The audience that a token needs to call the catalog's own API.
pub const CATALOG_AUDIENCE: &str = "catalog";
/// The longest token, in ASCII bytes, that is issued or looked at.
pub const TOKEN_BYTES_MAX: usize = 8_192;

/// The JOSE header. A header with any other member is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`TYP`].
    pub typ: String,
    /// The algorithm, which must be the key's own.
    pub alg: Algorithm,
    /// The key's name.
    pub kid: Kid,
}

/// The claims, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The issuer: the catalog's public URL, or the gateway's own issuer name.
    pub iss: Issuer,
    /// Whom the token is meant for: one member at least.
    pub aud: Vec<Audience>,
    /// Whom the token speaks for.
    pub sub: Subject,
    /// [`CLIENT_ID`].
    pub client_id: String,
    /// The token's identifier: a canonical lower-case UUID.
    #[serde(deserialize_with = "canonical_uuid")]
    pub jti: Uuid,
    /// When it was issued, in seconds since 1970 (`NumericDate`).
    pub iat: i64,
    /// The first second at which it is no longer accepted.
    pub exp: i64,
    /// `scopes.permissions` joined by spaces; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Always `api`: the `teams` claim rules, not a session.
    pub token_use: TokenUse,
    /// The deployment environment, only where one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Environment>,
    /// The person or service behind `sub`.
    pub user: User,
    /// The teams whose things the token reaches.
    #[serde(deserialize_with = "Teams::deserialize")]
    pub teams: Teams,
    /// The namespaces it reaches.
    pub namespaces: Vec<Namespace>,
    /// What narrows it.
    pub scopes: Scopes,
    /// Where in a status list its status stands, only where the policy has lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusClaim>,
}

/// `token_use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenUse {
    /// A token for an API, not a session.
    Api,
}

/// `user`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The subject's e-mail address, or one under `service.invalid` that nobody can receive.
    pub email: Email,
    /// The name to show.
    pub full_name: FullName,
    /// Whether the token claims to speak for an administrator.
    pub is_admin: bool,
    /// Always `api_token`: with another value the gateway would let the token manage tokens.
    pub auth_provider: AuthProvider,
}

/// `user.auth_provider`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthProvider {
    /// A token of the data plane.
    ApiToken,
}

/// `teams`: `null` reaches every team, a list those teams and what is public, an empty list only what is public.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Teams {
    /// Every team; only with `is_admin`.
    Every,
    /// These teams, and what is public.
    These(Vec<TeamId>),
}

impl Serialize for Teams {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Every => serializer.serialize_none(),
            Self::These(teams) => teams.serialize(serializer),
        }
    }
}

impl Teams {
    /// For `deserialize_with` alone: a plain `Deserialize` would read an absent member as `null`, every team.
    ///
    /// # Errors
    /// The deserializer's, for anything but `null` or a list of team ids.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Vec<TeamId>>::deserialize(deserializer)?.map_or(Self::Every, Self::These))
    }

    /// For `deserialize_with`, beside `default`: tells a member that is there, if only as `null`, from one that is not.
    ///
    /// # Errors
    /// As [`Self::deserialize`].
    pub fn deserialize_said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Self::deserialize(deserializer).map(Some)
    }
}

/// `scopes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scopes {
    /// The one virtual server it is bound to.
    pub server_id: Option<ServerId>,
    /// What it may be used for; empty = everything its subject may do.
    pub permissions: Vec<Permission>,
    /// From where it may be used; empty = from anywhere.
    pub ip_restrictions: Vec<IpRestriction>,
    /// When it may be used.
    pub time_restrictions: TimeRestrictions,
    /// How often it may be used.
    pub usage_limits: UsageLimits,
}

impl Scopes {
    /// What narrows the token as gateways apply it, and how it was issued.
    #[must_use]
    pub fn terms(&self, is_out_of_band: bool) -> Terms<'_> {
        Terms {
            permissions: self.permissions.iter().map(Permission::as_str).collect(),
            server_id: self.server_id.as_ref().map(ServerId::as_str),
            networks: self.ip_restrictions.iter().map(IpRestriction::as_str).collect(),
            hours: self.time_restrictions.hours(),
            is_out_of_band,
        }
    }
}

/// A `jti` in a request: a UUID of 36 lower-case characters and in no other spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CanonicalUuid(#[serde(deserialize_with = "canonical_uuid")] pub Uuid);

fn canonical_uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Uuid;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
            parse_jti(text).ok_or_else(|| E::custom("jti is not a canonical lower-case UUID"))
        }
    }

    deserializer.deserialize_str(Text)
}

/// Reads a `jti`: a UUID of 36 lower-case characters and in no other spelling.
#[must_use]
pub fn parse_jti(text: &str) -> Option<Uuid> {
    // No other spelling has as many characters.
    let is_plain = text.len() == Hyphenated::LENGTH && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_plain { Uuid::try_parse(text).ok() } else { None }
}

/// The exact `header.payload` that is signed (RFC 7515 section 5.1).
///
/// # Errors
/// Never for these types; the serializer's error is passed on rather than hidden.
pub fn signing_input(header: &Header, claims: &Claims) -> Result<String, serde_json::Error> {
    let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
    Ok(format!("{}.{}", part(serde_json::to_vec(header)?), part(serde_json::to_vec(claims)?)))
}

/// SHA-256 over a signing input: what a presented token's `header.payload` is compared with.
#[must_use]
pub fn signing_input_digest(signing_input: &str) -> [u8; 32] {
    Sha256::digest(signing_input.as_bytes()).into()
}

/// The claims inside a signing input that the log recorded. A presented token is for the strict verification alone.
#[must_use]
pub fn claims_of(signing_input: &str) -> Option<Claims> {
    let (_, payload) = signing_input.split_once('.')?;
    decode_part(payload)
}

/// `sub` of those claims, and nothing else of them.
#[must_use]
pub fn subject_of(signing_input: &str) -> Option<Subject> {
    #[derive(Deserialize)]
    struct Claims {
        sub: Subject,
    }
    let (_, payload) = signing_input.split_once('.')?;
    decode_part(payload).map(|Claims { sub }| sub)
}

/// One base64url part of a token as the JSON it carries. Padding, other alphabets and loose bits are refused.
#[must_use]
pub fn decode_part<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
