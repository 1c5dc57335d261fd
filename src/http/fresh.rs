//! `?min_position=N`: a read whose answer includes everything up to that position, or says that it cannot yet.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{
    body::position,
    openapi::parameter,
    problem::{Code, Problem},
};
use crate::{
    app::{Catalog, schema::of},
    domain::Position,
    store::log,
};

const PARAMETER: &str = "min_position";

/// What a read can be told that asks for a position.
pub(super) const FRESH: &[Code] = &[Code::Malformed, Code::Unavailable, Code::PositionAhead];

/// The log is at least as long as the request asks. It takes the parameter off the query, and so stands before the
/// extractor of the others; it tells where the log ends, and so stands behind the caller's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh;

impl IntoParams for Fresh {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "A position of the log that the answer must include: `catalog-position` of an earlier write.";
        vec![parameter(PARAMETER, ParameterIn::Query, of::<Position>(), description)]
    }
}

impl FromRequestParts<Arc<Catalog>> for Fresh {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, catalog: &Arc<Catalog>) -> Result<Self, Problem> {
        let Some((asked, rest)) = parts.uri.query().and_then(split) else { return Ok(Self) };
        let [asked] = asked.as_slice() else {
            return Err(Problem::malformed_parameter(PARAMETER, "is given more than once"));
        };
        require(catalog, position(PARAMETER, asked)?).await?;
        parts.uri = without(&parts.uri, &rest).ok_or_else(Problem::internal)?;
        Ok(Self)
    }
}

/// The values that the parameter is given, if it is given, and the query without it.
fn split(query: &str) -> Option<(Vec<String>, String)> {
    let (asked, rest): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| pair.split('=').next() == Some(PARAMETER));
    let values = asked.iter().map(|pair| pair.split_once('=').map_or("", |(_, value)| value).to_owned());
    (!asked.is_empty()).then(|| (values.collect(), rest.join("&")))
}

async fn require(catalog: &Catalog, asked: Position) -> Result<(), Problem> {
    let head = log::head(catalog.database().reads()).await?.position;
    // What other processes have appended comes into memory a little later.
    if head >= asked && catalog.reach(asked).await { Ok(()) } else { Err(Problem::position_ahead(asked, head)) }
}

fn without(uri: &Uri, rest: &str) -> Option<Uri> {
    let query = if rest.is_empty() { String::new() } else { format!("?{rest}") };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{}{query}", uri.path()).parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_taken_off_and_the_others_stay() {
        assert_eq!(split("a=1&min_position=7&b=2"), Some((vec!["7".to_owned()], "a=1&b=2".to_owned())));
        assert_eq!(split("min_position=7"), Some((vec!["7".to_owned()], String::new())));
        assert_eq!(split("min_positions=7"), None);
    }
}
