//! `?min_position=N`: a read whose answer includes everything up to that position, or says that it cannot yet.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{
    body::position,
    openapi::parameter,
    problem::{Code, Problem},
    query::{Given, Nothing},
};
use crate::{
    app::{Catalog, schema::of},
    domain::Position,
    store::log,
};

const PARAMETER: &str = "min_position";

/// What a read can be told that asks for a position.
pub(super) const FRESH: &[Code] = &[Code::Malformed, Code::Unavailable, Code::PositionAhead];

/// The log is at least as long as the request asks, and the other parameters of its query are these. It tells where the
/// log ends, and so stands behind the caller's extractor.
#[derive(Debug)]
pub(super) struct Fresh<T = Nothing>(pub(super) T);

impl IntoParams for Fresh {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "A position of the log that the answer must include: `catalog-position` of an earlier write.";
        vec![parameter(PARAMETER, ParameterIn::Query, of::<Position>(), description)]
    }
}

impl<T: DeserializeOwned + IntoParams + Send> FromRequestParts<Arc<Catalog>> for Fresh<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, catalog: &Arc<Catalog>) -> Result<Self, Problem> {
        let mut given = Given::read(&parts.uri)?;
        let asked = given.take(PARAMETER).map(|text| position(PARAMETER, &text)).transpose()?;
        let others = given.parse()?;
        if let Some(asked) = asked {
            Box::pin(require(catalog, asked)).await?;
        }
        Ok(Self(others))
    }
}

async fn require(catalog: &Catalog, asked: Position) -> Result<(), Problem> {
    let head = log::head(catalog.database().reads()).await?.position;
    // What other processes have appended comes into memory a little later.
    if head >= asked && catalog.reach(asked).await { Ok(()) } else { Err(Problem::position_ahead(asked, head)) }
}
