//! A courier as whoever asked for it is shown it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::TokenType;
use crate::{
    app::Courier,
    domain::{Position, claims::CanonicalUuid},
};

/// A courier that was just issued.
#[derive(Serialize, ToSchema)]
#[schema(as = Courier)]
pub struct CourierView<'a> {
    /// The token that it is a courier of, and its own identifier.
    #[schema(value_type = CanonicalUuid)]
    jti: Uuid,
    /// The courier itself. It is shown now and never again.
    #[schema(examples("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.…"))]
    access_token: &'a str,
    /// How it is presented.
    token_type: TokenType,
    /// Its lifetime in seconds: what the token had left.
    #[schema(minimum = 1, examples(3600))]
    expires_in: i64,
    /// Where in the log it was issued.
    position: Position,
}

/// The answer to a courier: the one place where its text is written out.
#[must_use]
pub fn courier(courier: &Courier, now: DateTime<Utc>) -> CourierView<'_> {
    CourierView {
        jti: courier.issued.jti,
        access_token: courier.signed.expose(),
        token_type: TokenType::Bearer,
        expires_in: courier.issued.exp.saturating_sub(now.timestamp()),
        position: courier.position,
    }
}
