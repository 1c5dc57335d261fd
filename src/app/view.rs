//! What people and programs are shown, the same at every door: a token's record, an issuance, an event.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::IssuedToken;
use crate::{
    domain::{
        Event, Path, Position, Recorded, Status, Token,
        claims::{Scopes, Teams},
        event::Elevation,
        key::Algorithm,
        origin::Actor,
        revoke::RevocationReason,
        settings::Settings,
        text::{Audience, Description, Email, FullName, Kid, Name, Namespace, Note, Subject},
    },
    store::codec::{self, CodecError},
};

/// An instant as it is shown: RFC 3339, UTC, whole microseconds only where there are any.
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A token's record.
#[derive(Debug, Serialize)]
pub struct TokenView<'a> {
    jti: Uuid,
    sub: Option<&'a Subject>,
    name: Option<&'a Name>,
    description: Option<&'a Description>,
    status: Status,
    path: Path,
    out_of_band: bool,
    elevated: &'a [Elevation],
    issued_at: String,
    expires_at: String,
    issued_by: Option<&'a str>,
    reason: Option<&'a Note>,
    aud: &'a [Audience],
    kid: &'a Kid,
    is_admin: bool,
    email: Option<&'a Email>,
    full_name: Option<&'a FullName>,
    teams: &'a Teams,
    namespaces: &'a [Namespace],
    scopes: &'a Scopes,
    policy_version: u32,
    position: Position,
    revocation: Option<RevocationView<'a>>,
}

/// A token's revocation.
#[derive(Debug, Serialize)]
struct RevocationView<'a> {
    position: Position,
    revoked_at: String,
    effective_from: Option<String>,
    reason: RevocationReason,
    note: Option<&'a Note>,
    revoked_by: Option<&'a str>,
}

impl<'a> TokenView<'a> {
    /// The record as of `now`.
    #[must_use]
    pub fn new(token: &'a Token, now: DateTime<Utc>) -> Self {
        Self {
            jti: token.jti,
            sub: token.sub.as_ref(),
            name: token.name.as_ref(),
            description: token.description.as_ref(),
            status: token.status(now),
            path: token.path,
            out_of_band: token.out_of_band,
            elevated: &token.elevated,
            issued_at: instant(token.issued_at),
            expires_at: instant(token.expires_at),
            issued_by: token.issued_by.as_deref(),
            reason: token.reason.as_ref(),
            aud: &token.aud,
            kid: &token.kid,
            is_admin: token.is_admin,
            email: token.email.as_ref(),
            full_name: token.full_name.as_ref(),
            teams: &token.teams,
            namespaces: &token.namespaces,
            scopes: &token.scopes,
            policy_version: token.policy_version,
            position: token.issued,
            revocation: token.revocation.as_ref().map(|revocation| RevocationView {
                position: revocation.position,
                revoked_at: instant(revocation.at),
                effective_from: revocation.effective_from.map(instant),
                reason: revocation.reason,
                note: revocation.note.as_ref(),
                revoked_by: revocation.by.as_deref(),
            }),
        }
    }
}

/// The answer to an issuance: the one place where a token's text is written out.
#[must_use]
pub fn issued(issued: &IssuedToken, now: DateTime<Utc>) -> Value {
    let token = &issued.token;
    json!({
        "token": TokenView::new(token, now),
        "access_token": issued.signed.expose(),
        "token_type": "Bearer",
        "expires_in": (token.expires_at - token.issued_at).num_seconds(),
        "position": token.issued,
    })
}

/// An event, wherever it is shown.
#[derive(Debug, Serialize)]
pub struct EventView<'a> {
    position: Position,
    kind: &'static str,
    jti: Option<Uuid>,
    occurred_at: String,
    recorded_at: String,
    path: Path,
    actor: &'a Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<std::net::IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    request_id: &'a str,
    data: Value,
}

impl<'a> EventView<'a> {
    /// The event with the claims written out.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn new(recorded: &'a Recorded) -> Result<Self, CodecError> {
        let occurrence = &recorded.occurrence;
        let origin = &occurrence.origin;
        Ok(Self {
            position: recorded.position,
            kind: codec::kind(&occurrence.event),
            jti: occurrence.event.jti(),
            occurred_at: instant(occurrence.occurred_at),
            recorded_at: instant(recorded.recorded_at),
            path: origin.path,
            actor: &origin.actor,
            address: origin.address,
            user_agent: origin.user_agent.as_deref(),
            request_id: origin.request_id.as_str(),
            data: data(&occurrence.event)?,
        })
    }

    /// The kind's persisted name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

/// An issuance shows the claims in place of the bytes that carry them.
fn data(event: &Event) -> Result<Value, CodecError> {
    let mut data = codec::data(event)?;
    if let (Event::TokenIssued(issued), Value::Object(members)) = (event, &mut data) {
        members.remove("signing_input");
        members.insert("claims".to_owned(), serde_json::to_value(issued.claims())?);
    }
    Ok(data)
}

/// A key as it is listed.
#[derive(Debug, Serialize)]
pub struct KeyView<'a> {
    kid: &'a Kid,
    alg: Algorithm,
    active: bool,
    private_half: bool,
    added_position: Position,
    activated_position: Option<Position>,
    jwk: Option<&'a crate::domain::key::PublicJwk>,
}

/// The keys of the log; `holds` says whether a private half is here.
pub fn keys(settings: &Settings, holds: impl Fn(&Kid) -> bool) -> Vec<KeyView<'_>> {
    settings
        .keys
        .iter()
        .map(|key| KeyView {
            kid: &key.kid,
            alg: key.alg,
            active: settings.active.as_ref() == Some(&key.kid),
            private_half: holds(&key.kid),
            added_position: key.added,
            activated_position: key.activated,
            jwk: key.jwk.as_ref(),
        })
        .collect()
}
