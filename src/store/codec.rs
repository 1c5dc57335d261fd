//! Events as they are stored: the one place that knows persisted names, and what of an event is personal.
//!
//! An event is one JSON object, cut in two: `body` (structure, kept for ever) and `personal` (may be erased).
//! Reading lays `personal` over `body` again; without it the personal members are simply absent.
//! A kind is never changed: a new form gets a new version, and [`decode`] turns the old one into the new.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::domain::{
    Event, Occurrence, Origin,
    origin::{Actor, Path},
    text::RequestId,
};

pub(super) const TOKEN_ISSUED: &str = "token.issued.v1";
pub(super) const TOKEN_REVOKED: &str = "token.revoked.v1";
pub(super) const TOKEN_SUSPENDED: &str = "token.suspended.v1";
pub(super) const TOKEN_RESUMED: &str = "token.resumed.v1";
const TOKENS_REVOKED_BY_RULE: &str = "tokens.revoked_by_rule.v1";
const CONFIGURED: &str = "catalog.configured.v1";
const POLICY_APPLIED: &str = "policy.applied.v1";
const STATUS_LIST_BEGUN: &str = "catalog.status_list_begun.v1";
const KEY_ADDED: &str = "key.added.v1";
const KEY_ACTIVATED: &str = "key.activated.v1";
const CLIENT_ADDED: &str = "client.added.v1";
const CLIENT_ROTATED: &str = "client.rotated.v1";
const CLIENT_REVOKED: &str = "client.revoked.v1";
const KEY_RETIRED: &str = "key.retired.v1";
const KEY_COMPROMISED: &str = "key.compromised.v1";
const COURIER_ISSUED: &str = "courier.issued.v1";
const COURIER_REFUSED: &str = "courier.refused.v1";
const ISSUANCE_REFUSED: &str = "issuance.refused.v1";
const REVOCATION_REFUSED: &str = "revocation.refused.v1";
const SUSPENSION_REFUSED: &str = "suspension.refused.v1";
const ROTATION_REFUSED: &str = "rotation.refused.v1";
const ROTATED_TOKEN_REUSED: &str = "rotated_token.reused.v1";
const REVOCATION_BY_RULE_REFUSED: &str = "revocation_by_rule.refused.v1";
const LOGIN_REFUSED: &str = "login.refused.v1";
const PERSON_SEEN: &str = "person.seen.v1";
const SHADOW_TOKEN_SEEN: &str = "shadow_token.seen.v1";
const AUDIT_READ: &str = "audit.read.v1";

/// The persisted names of all kinds.
pub const KINDS: [&str; 27] = [
    TOKEN_ISSUED,
    TOKEN_REVOKED,
    TOKEN_SUSPENDED,
    TOKEN_RESUMED,
    TOKENS_REVOKED_BY_RULE,
    CONFIGURED,
    POLICY_APPLIED,
    STATUS_LIST_BEGUN,
    KEY_ADDED,
    KEY_ACTIVATED,
    CLIENT_ADDED,
    CLIENT_ROTATED,
    CLIENT_REVOKED,
    KEY_RETIRED,
    KEY_COMPROMISED,
    COURIER_ISSUED,
    COURIER_REFUSED,
    ISSUANCE_REFUSED,
    REVOCATION_REFUSED,
    SUSPENSION_REFUSED,
    ROTATION_REFUSED,
    ROTATED_TOKEN_REUSED,
    REVOCATION_BY_RULE_REFUSED,
    LOGIN_REFUSED,
    PERSON_SEEN,
    SHADOW_TOKEN_SEEN,
    AUDIT_READ,
];

const PERSONAL: &[&str] = &["address", "user_agent"];

/// The members of `actor` that are personal. The name of a client is none.
fn personal_of_actor(actor: &Actor) -> &'static [&'static str] {
    match actor {
        Actor::Token { .. } | Actor::Person { .. } => &["sub"],
        Actor::OsUser(_) => &["name", "uid", "login", "sudo_user", "host"],
        Actor::Client { .. } | Actor::Anonymous => &[],
    }
}

/// The members of `data` that are personal.
fn personal_of_data(kind: &str) -> &'static [&'static str] {
    match kind {
        TOKEN_ISSUED => &["name", "description", "reason", "signing_input"],
        COURIER_ISSUED => &["signing_input"],
        TOKEN_REVOKED | TOKEN_SUSPENDED | TOKEN_RESUMED | REVOCATION_REFUSED | KEY_COMPROMISED => &["note"],
        SUSPENSION_REFUSED => &["sub", "note"],
        TOKENS_REVOKED_BY_RULE | REVOCATION_BY_RULE_REFUSED => &["sub", "name", "note"],
        PERSON_SEEN | AUDIT_READ => &["sub"],
        ISSUANCE_REFUSED => &["sub", "name", "reason"],
        _ => &[],
    }
}

/// The persisted name of an event's kind.
#[must_use]
pub fn kind(event: &Event) -> &'static str {
    match event {
        Event::TokenIssued(_) => TOKEN_ISSUED,
        Event::TokenRevoked(_) => TOKEN_REVOKED,
        Event::TokenSuspended(_) => TOKEN_SUSPENDED,
        Event::TokenResumed(_) => TOKEN_RESUMED,
        Event::TokensRevokedByRule(_) => TOKENS_REVOKED_BY_RULE,
        Event::Configured(_) => CONFIGURED,
        Event::PolicyApplied(_) => POLICY_APPLIED,
        Event::StatusListBegun(_) => STATUS_LIST_BEGUN,
        Event::KeyAdded(_) => KEY_ADDED,
        Event::KeyActivated(_) => KEY_ACTIVATED,
        Event::ClientAdded(_) => CLIENT_ADDED,
        Event::ClientRotated(_) => CLIENT_ROTATED,
        Event::ClientRevoked(_) => CLIENT_REVOKED,
        Event::KeyRetired(_) => KEY_RETIRED,
        Event::KeyCompromised(_) => KEY_COMPROMISED,
        Event::CourierIssued(_) => COURIER_ISSUED,
        Event::CourierRefused(_) => COURIER_REFUSED,
        Event::IssuanceRefused(_) => ISSUANCE_REFUSED,
        Event::RevocationRefused(_) => REVOCATION_REFUSED,
        Event::SuspensionRefused(_) => SUSPENSION_REFUSED,
        Event::RotationRefused(_) => ROTATION_REFUSED,
        Event::RotatedTokenReused(_) => ROTATED_TOKEN_REUSED,
        Event::RevocationByRuleRefused(_) => REVOCATION_BY_RULE_REFUSED,
        Event::LoginRefused(_) => LOGIN_REFUSED,
        Event::PersonSeen(_) => PERSON_SEEN,
        Event::ShadowTokenSeen(_) => SHADOW_TOKEN_SEEN,
        Event::AuditRead(_) => AUDIT_READ,
    }
}

/// Why stored bytes are not an event.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A kind that this program does not know: it is older than the log.
    #[error("the kind '{0}' is unknown to this program")]
    UnknownKind(String),
    /// The column and the body are not of one kind.
    #[error("the column says that its kind is '{column}', and the body '{body}'")]
    OtherKind {
        /// What the column says.
        column: String,
        /// What the body says.
        body: String,
    },
    /// The bytes do not have the form of their kind.
    #[error("not an event of its kind: {0}")]
    Form(#[from] serde_json::Error),
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Canonical JSON: members sorted, no white space.
    pub body: Vec<u8>,
    /// Canonical JSON of what may have to be erased.
    pub personal: Vec<u8>,
}

/// The common form of every event; `data` is its kind's own.
#[derive(Serialize, Deserialize)]
struct Form<T> {
    kind: String,
    occurred_at: DateTime<Utc>,
    path: Path,
    request_id: RequestId,
    actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<std::net::IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    data: T,
}

/// Cuts an event in its two stored parts.
///
/// # Errors
/// Never for the domain's types; the serializer's error is passed on rather than hidden.
pub fn encode(occurrence: &Occurrence) -> Result<Encoded, CodecError> {
    let kind = kind(&occurrence.event);
    let mut body = form(kind, occurrence, data(&occurrence.event)?)?;
    let mut personal = take(&mut body, PERSONAL);
    let of_actor = personal_of_actor(&occurrence.origin.actor);
    for (part, members) in [("actor", of_actor), ("data", personal_of_data(kind))] {
        let taken = take(&mut body[part], members);
        if !taken.is_empty() {
            personal.insert(part.to_owned(), Value::Object(taken));
        }
    }
    Ok(Encoded { body: serde_json::to_vec(&body)?, personal: serde_json::to_vec(&Value::Object(personal))? })
}

fn form(kind: &str, occurrence: &Occurrence, data: Value) -> Result<Value, serde_json::Error> {
    let origin = &occurrence.origin;
    serde_json::to_value(Form {
        kind: kind.to_owned(),
        occurred_at: occurrence.occurred_at,
        path: origin.path,
        request_id: origin.request_id.clone(),
        actor: origin.actor.clone(),
        address: origin.address,
        user_agent: origin.user_agent.clone(),
        data,
    })
}

/// What an event's kind says of it, personal members included.
///
/// # Errors
/// Never for the domain's types; the serializer's error is passed on rather than hidden.
pub fn data(event: &Event) -> Result<Value, CodecError> {
    Ok(match event {
        Event::TokenIssued(issued) => serde_json::to_value(issued)?,
        Event::TokenRevoked(revoked) => serde_json::to_value(revoked)?,
        Event::TokenSuspended(changed) | Event::TokenResumed(changed) => serde_json::to_value(changed)?,
        Event::TokensRevokedByRule(added) => serde_json::to_value(added)?,
        Event::Configured(configured) => serde_json::to_value(configured)?,
        Event::PolicyApplied(policy) => serde_json::to_value(policy)?,
        Event::StatusListBegun(begun) => serde_json::to_value(begun)?,
        Event::KeyAdded(key) => serde_json::to_value(key)?,
        Event::KeyActivated(key) => serde_json::to_value(key)?,
        Event::ClientAdded(client) => serde_json::to_value(client)?,
        Event::ClientRotated(client) => serde_json::to_value(client)?,
        Event::ClientRevoked(client) => serde_json::to_value(client)?,
        Event::KeyRetired(key) => serde_json::to_value(key)?,
        Event::KeyCompromised(key) => serde_json::to_value(key)?,
        Event::CourierIssued(issued) => serde_json::to_value(issued)?,
        Event::CourierRefused(refused) => serde_json::to_value(refused)?,
        Event::IssuanceRefused(refused) => serde_json::to_value(refused)?,
        Event::RevocationRefused(refused) => serde_json::to_value(refused)?,
        Event::SuspensionRefused(refused) => serde_json::to_value(refused)?,
        Event::RotationRefused(refused) => serde_json::to_value(refused)?,
        Event::RotatedTokenReused(reused) => serde_json::to_value(reused)?,
        Event::RevocationByRuleRefused(refused) => serde_json::to_value(refused)?,
        Event::LoginRefused(refused) => serde_json::to_value(refused)?,
        Event::PersonSeen(seen) => serde_json::to_value(seen)?,
        Event::ShadowTokenSeen(shadow) => serde_json::to_value(shadow)?,
        Event::AuditRead(read) => serde_json::to_value(read)?,
    })
}

fn take(value: &mut Value, members: &[&str]) -> Map<String, Value> {
    let Value::Object(object) = value else { return Map::new() };
    members.iter().filter_map(|member| object.remove(*member).map(|taken| ((*member).to_owned(), taken))).collect()
}

/// Puts an event together again. This is where an old form would be turned into the new one.
///
/// # Errors
/// [`CodecError`]: never skip such an event, stop at it.
pub fn decode(body: &[u8], personal: Option<&[u8]>) -> Result<Occurrence, CodecError> {
    let mut value: Value = serde_json::from_slice(body)?;
    if let Some(personal) = personal {
        lay_over(&mut value, serde_json::from_slice(personal)?);
    }
    let form: Form<Value> = serde_json::from_value(value)?;
    let event = match form.kind.as_str() {
        TOKEN_ISSUED => Event::TokenIssued(typed(form.data)?),
        TOKEN_REVOKED => Event::TokenRevoked(typed(form.data)?),
        TOKEN_SUSPENDED => Event::TokenSuspended(typed(form.data)?),
        TOKEN_RESUMED => Event::TokenResumed(typed(form.data)?),
        TOKENS_REVOKED_BY_RULE => Event::TokensRevokedByRule(typed(form.data)?),
        CONFIGURED => Event::Configured(typed(form.data)?),
        POLICY_APPLIED => Event::PolicyApplied(typed(form.data)?),
        STATUS_LIST_BEGUN => Event::StatusListBegun(typed(form.data)?),
        KEY_ADDED => Event::KeyAdded(typed(form.data)?),
        KEY_ACTIVATED => Event::KeyActivated(typed(form.data)?),
        CLIENT_ADDED => Event::ClientAdded(typed(form.data)?),
        CLIENT_ROTATED => Event::ClientRotated(typed(form.data)?),
        CLIENT_REVOKED => Event::ClientRevoked(typed(form.data)?),
        KEY_RETIRED => Event::KeyRetired(typed(form.data)?),
        KEY_COMPROMISED => Event::KeyCompromised(typed(form.data)?),
        COURIER_ISSUED => Event::CourierIssued(typed(form.data)?),
        COURIER_REFUSED => Event::CourierRefused(typed(form.data)?),
        ISSUANCE_REFUSED => Event::IssuanceRefused(typed(form.data)?),
        REVOCATION_REFUSED => Event::RevocationRefused(typed(form.data)?),
        SUSPENSION_REFUSED => Event::SuspensionRefused(typed(form.data)?),
        ROTATION_REFUSED => Event::RotationRefused(typed(form.data)?),
        ROTATED_TOKEN_REUSED => Event::RotatedTokenReused(typed(form.data)?),
        REVOCATION_BY_RULE_REFUSED => Event::RevocationByRuleRefused(typed(form.data)?),
        LOGIN_REFUSED => Event::LoginRefused(typed(form.data)?),
        PERSON_SEEN => Event::PersonSeen(typed(form.data)?),
        SHADOW_TOKEN_SEEN => Event::ShadowTokenSeen(typed(form.data)?),
        AUDIT_READ => Event::AuditRead(typed(form.data)?),
        unknown => return Err(CodecError::UnknownKind(unknown.to_owned())),
    };
    let Form { occurred_at, path, actor, request_id, address, user_agent, .. } = form;
    Ok(Occurrence { event, occurred_at, origin: Origin { path, actor, request_id, address, user_agent } })
}

fn typed<T: DeserializeOwned>(data: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(data)
}

fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (member, value) in above {
                lay_over(below.entry(member).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}
