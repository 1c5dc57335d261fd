//! An event as it is shown, wherever: with the claims written out in place of the bytes that carry them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::instant;
use crate::{
    app::schema::event_kind,
    domain::{
        Event, Path, Position, Recorded,
        claims::{CanonicalUuid, claims_of},
        origin::Actor,
        text::RequestId,
    },
    store::codec::{self, CodecError},
};

/// An event, wherever it is shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView<'a> {
    /// Its place in the log.
    position: Position,
    #[schema(schema_with = event_kind)]
    pub(super) kind: &'static str,
    /// The token it speaks of, if it speaks of one.
    #[schema(required, value_type = Option<CanonicalUuid>)]
    pub(super) jti: Option<Uuid>,
    /// When it was decided.
    #[schema(format = DateTime)]
    pub(super) occurred_at: String,
    /// When it was recorded, by the database's clock.
    #[schema(format = DateTime)]
    recorded_at: String,
    /// The door it came through.
    path: Path,
    /// Who caused it.
    actor: &'a Actor,
    /// The peer's address, for the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    address: Option<std::net::IpAddr>,
    /// What the peer calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    user_agent: Option<&'a str>,
    /// The request's name in the diagnostics.
    #[schema(value_type = RequestId)]
    request_id: &'a str,
    /// What happened.
    #[schema(value_type = Event)]
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
pub(super) fn data(event: &Event) -> Result<Value, CodecError> {
    let mut data = codec::data(event)?;
    let claims = match event {
        Event::TokenIssued(issued) => issued.claims(),
        Event::CourierIssued(issued) => issued.signing_input.as_deref().and_then(claims_of),
        _ => return Ok(data),
    };
    if let Value::Object(members) = &mut data {
        members.remove("signing_input");
        members.insert("claims".to_owned(), serde_json::to_value(claims)?);
    }
    Ok(data)
}
