//! An event as the Open Cybersecurity Schema Framework has it: class Entity Management (3004), schema version 1.3.0.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{event::data, instant};
use crate::{
    domain::{Event, Path, Recorded, event::TokenIssued, origin::Actor},
    store::codec::{self, CodecError},
};

const SCHEMA_VERSION: &str = "1.3.0";
const PRODUCT: &str = env!("CARGO_PKG_NAME");
/// Identity & Access Management.
const CATEGORY: u32 = 3;
/// Entity Management.
const CLASS: u32 = 3004;

/// `activity_id` of the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Create = 1,
    Read = 2,
    Update = 3,
    Delete = 4,
    Disable = 9,
    Activate = 10,
    Deactivate = 11,
    Suspend = 12,
    Resume = 13,
    Other = 99,
}

/// `severity_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
    High = 4,
}

/// `status_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success = 1,
    Failure = 2,
}

/// What an event comes to in the words of the class.
struct Reading {
    activity: Activity,
    /// `entity.type`.
    what: &'static str,
    /// `entity.uid`; `None` = the position.
    uid: Option<String>,
    severity: Severity,
    /// The rule that refused it.
    rule: Option<String>,
}

/// An event of a log.
#[derive(Debug, Serialize)]
pub struct OcsfEvent {
    activity_id: u32,
    activity_name: String,
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    type_uid: u32,
    type_name: String,
    severity_id: u32,
    severity: String,
    status_id: u32,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<String>,
    /// When it was decided, in milliseconds since 1970.
    time: i64,
    message: String,
    actor: Value,
    entity: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_endpoint: Option<Value>,
    metadata: Value,
    /// What the class has no member for.
    unmapped: Value,
}

impl OcsfEvent {
    /// The event of the log `log_id`.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn new(log_id: Uuid, recorded: &Recorded) -> Result<Self, CodecError> {
        let occurrence = &recorded.occurrence;
        let Reading { activity, what, uid, severity, rule } = Reading::of(&occurrence.event);
        let (activity_id, activity_name) = (activity as u32, format!("{activity:?}"));
        let outcome = if rule.is_some() { Outcome::Failure } else { Outcome::Success };
        let uid = uid.unwrap_or_else(|| recorded.position.to_string());
        let origin = &occurrence.origin;
        Ok(Self {
            activity_id,
            type_uid: CLASS * 100 + activity_id,
            type_name: format!("Entity Management: {activity_name}"),
            activity_name,
            category_uid: CATEGORY,
            category_name: "Identity & Access Management",
            class_uid: CLASS,
            class_name: "Entity Management",
            severity_id: severity as u32,
            severity: format!("{severity:?}"),
            status_id: outcome as u32,
            status: format!("{outcome:?}"),
            status_code: rule,
            time: occurrence.occurred_at.timestamp_millis(),
            message: format!("{} {what} {uid}", codec::kind(&occurrence.event)),
            actor: actor(&origin.actor, origin.path),
            entity: json!({ "type": what, "uid": uid, "data": data(&occurrence.event)? }),
            src_endpoint: endpoint(recorded),
            metadata: metadata(log_id, recorded),
            unmapped: json!({
                "path": origin.path,
                "request_id": origin.request_id,
                "user_agent": origin.user_agent,
                "actor": origin.actor,
            }),
        })
    }
}

fn metadata(log_id: Uuid, recorded: &Recorded) -> Value {
    json!({
        "version": SCHEMA_VERSION,
        "product": { "name": PRODUCT, "vendor_name": PRODUCT, "version": env!("CARGO_PKG_VERSION") },
        "uid": format!("{log_id}/{}", recorded.position),
        "sequence": recorded.position,
        "event_code": codec::kind(&recorded.occurrence.event),
        "log_name": log_id,
        "logged_time": recorded.recorded_at.timestamp_millis(),
        "original_time": instant(recorded.occurrence.occurred_at),
    })
}

/// The class asks for a user, a session or an application at least: the door that somebody came through is always known.
fn actor(actor: &Actor, path: Path) -> Value {
    let mut value = json!({ "app_name": path });
    match actor {
        Actor::Token { jti, sub } => {
            value["session"] = json!({ "uid": jti });
            value["user"] = user(sub.as_deref(), sub.as_deref());
        }
        Actor::Client { name } => value["app_uid"] = json!(name),
        Actor::Person { issuer, sub } => {
            value["idp"] = json!({ "name": issuer });
            value["user"] = user(sub.as_deref(), sub.as_deref());
        }
        Actor::OsUser(os) => {
            let uid = os.uid.map(|uid| uid.to_string());
            value["user"] = user(os.name.as_deref(), uid.as_deref());
        }
        Actor::Anonymous => {}
    }
    value
}

/// Once erased nothing but that there was somebody is left to say.
fn user(name: Option<&str>, uid: Option<&str>) -> Value {
    match (name, uid) {
        (None, None) => json!({ "name": "erased" }),
        (Some(name), Some(uid)) => json!({ "name": name, "uid": uid }),
        (Some(name), None) => json!({ "name": name }),
        (None, Some(uid)) => json!({ "uid": uid }),
    }
}

fn endpoint(recorded: &Recorded) -> Option<Value> {
    let origin = &recorded.occurrence.origin;
    match (&origin.address, &origin.actor) {
        (Some(address), _) => Some(json!({ "ip": address })),
        (None, Actor::OsUser(user)) => user.host.as_ref().map(|host| json!({ "hostname": host })),
        (None, _) => None,
    }
}

impl Reading {
    fn new(activity: Activity, what: &'static str, uid: &impl ToString) -> Self {
        Self { activity, what, uid: Some(uid.to_string()), severity: Severity::Informational, rule: None }
    }

    /// Of something that has no name of its own.
    fn unnamed(activity: Activity, what: &'static str) -> Self {
        Self { activity, what, uid: None, severity: Severity::Informational, rule: None }
    }

    fn severe(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    fn refused(self, rule: &str) -> Self {
        Self { severity: Severity::Low, rule: Some(rule.to_owned()), ..self }
    }

    fn of(event: &Event) -> Self {
        use Activity::{Activate, Create, Deactivate, Delete, Disable, Other, Read, Resume, Suspend, Update};
        match event {
            Event::TokenIssued(issued) => Self::new(Create, "token", &issued.jti).severe(of_issuance(issued)),
            Event::TokenRevoked(revoked) => Self::new(Delete, "token", &revoked.jti),
            Event::TokenSuspended(changed) => Self::new(Suspend, "token", &changed.jti),
            Event::TokenResumed(changed) => Self::new(Resume, "token", &changed.jti),
            Event::TokensRevokedByRule(_) => Self::unnamed(Delete, "tokens").severe(Severity::Medium),
            Event::Configured(_) => Self::unnamed(Update, "configuration"),
            Event::PolicyApplied(policy) => Self::new(Update, "policy", &policy.version),
            Event::StatusListBegun(begun) => Self::new(Create, "status list", &begun.id),
            Event::KeyAdded(key) => Self::new(Create, "key", &key.kid),
            Event::KeyActivated(key) => Self::new(Activate, "key", &key.kid),
            Event::KeyRetired(key) => Self::new(Deactivate, "key", &key.kid),
            Event::KeyCompromised(key) => Self::new(Disable, "key", &key.kid).severe(Severity::High),
            Event::ClientAdded(client) => Self::new(Create, "client", &client.name),
            Event::ClientRotated(client) => Self::new(Update, "client", &client.name),
            Event::ClientRevoked(client) => Self::new(Delete, "client", &client.name),
            Event::IssuanceRefused(refused) => Self::unnamed(Create, "token").refused(&refused.rule),
            Event::RevocationRefused(refused) => Self::new(Delete, "token", &refused.jti).refused(&refused.rule),
            Event::SuspensionRefused(refused) => {
                let activity = match refused.change {
                    crate::domain::suspend::Change::Suspend => Suspend,
                    crate::domain::suspend::Change::Resume => Resume,
                };
                let reading = Self::unnamed(activity, if refused.jti.is_some() { "token" } else { "tokens" });
                Self { uid: refused.jti.map(|jti| jti.to_string()), ..reading }.refused(&refused.rule)
            }
            Event::RotationRefused(refused) => Self::new(Update, "token", &refused.jti).refused(&refused.rule),
            Event::CourierIssued(issued) => Self::new(Other, "token", &issued.jti),
            Event::CourierRefused(refused) => Self::new(Other, "token", &refused.jti).refused(&refused.rule),
            Event::RotatedTokenReused(reused) => Self::new(Other, "token", &reused.jti).severe(Severity::High),
            Event::RevocationByRuleRefused(refused) => Self::unnamed(Delete, "tokens").refused(&refused.rule),
            Event::LoginRefused(refused) => Self::unnamed(Read, "login").refused(&refused.rule),
            Event::PersonSeen(_) => Self::unnamed(Update, "person"),
            Event::AuditRead(_) => Self::unnamed(Read, "log"),
            Event::ShadowTokenSeen(shadow) => {
                let reading = Self::unnamed(Other, "token");
                Self { uid: shadow.jti.map(|jti| jti.to_string()), ..reading }.severe(Severity::High)
            }
        }
    }
}

/// What came past the API's controls is looked at first, and all the more when it is elevated.
fn of_issuance(issued: &TokenIssued) -> Severity {
    match (issued.out_of_band, issued.elevated.is_empty()) {
        (false, _) => Severity::Informational,
        (true, true) => Severity::Low,
        (true, false) => Severity::Medium,
    }
}
