//! An event in the JSON format of `CloudEvents` 1.0, which event brokers and their sinks take.

use serde::Serialize;
use uuid::Uuid;

use super::EventView;
use crate::{domain::Recorded, store::codec::CodecError};

/// `specversion`: of every release 1.0.x.
const SPEC_VERSION: &str = "1.0";
/// Of `data`.
const JSON: &str = "application/json";

/// An event of a log. `source` and `id` together name it for ever: a log that was restored is another source.
#[derive(Debug, Serialize)]
pub struct CloudEvent<'a> {
    specversion: &'static str,
    /// The log and the position.
    id: String,
    /// The log, as a URI.
    source: String,
    /// The kind's persisted name, which carries a version.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The token that the event speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Uuid>,
    /// When it was decided, RFC 3339.
    time: String,
    datacontenttype: &'static str,
    /// The position as the extension "sequence" has it: as text it sorts like the number.
    sequence: String,
    data: EventView<'a>,
}

impl<'a> CloudEvent<'a> {
    /// The event of the log `log_id`.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn new(log_id: Uuid, recorded: &'a Recorded) -> Result<Self, CodecError> {
        let data = EventView::new(recorded)?;
        Ok(Self {
            specversion: SPEC_VERSION,
            id: format!("{log_id}/{}", recorded.position),
            source: format!("urn:uuid:{log_id}"),
            kind: data.kind,
            subject: data.jti,
            time: data.occurred_at.clone(),
            datacontenttype: JSON,
            sequence: format!("{:019}", recorded.position.0),
            data,
        })
    }
}
