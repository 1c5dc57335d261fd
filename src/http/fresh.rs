//! `?min_position=N`: a read whose answer includes everything up to that position, or says that it cannot yet.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::Uri,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use crate::{app::Catalog, store::log};

const PARAMETER: &str = "min_position";

/// Lets a read pass once the log is at least as long as it asks, and takes the parameter off its query.
pub(super) async fn at_least(State(catalog): State<Arc<Catalog>>, mut request: Request, next: Next) -> Response {
    let Some((asked, rest)) = request.uri().query().and_then(split) else { return next.run(request).await };
    if let Err(problem) = require(&catalog, &asked).await {
        return problem.into_response();
    }
    match without(request.uri(), &rest) {
        Some(uri) => *request.uri_mut() = uri,
        None => return Problem::internal().into_response(),
    }
    next.run(request).await
}

/// The parameter's value, and the query without it.
fn split(query: &str) -> Option<(String, String)> {
    let (asked, rest): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| pair.split('=').next() == Some(PARAMETER));
    let value = asked.first()?.split_once('=').map_or("", |(_, value)| value);
    Some((value.to_owned(), rest.join("&")))
}

async fn require(catalog: &Catalog, asked: &str) -> Result<(), Problem> {
    let asked: u64 =
        asked.parse().map_err(|_| Problem::malformed_parameter(PARAMETER, "is not a position of the log"))?;
    let head = log::head(catalog.database().reads()).await?.position;
    if u64::try_from(head.0).is_ok_and(|head| head >= asked) {
        return Ok(());
    }
    Err(Problem::position_ahead(asked, head))
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
        assert_eq!(split("a=1&min_position=7&b=2"), Some(("7".to_owned(), "a=1&b=2".to_owned())));
        assert_eq!(split("min_position=7"), Some(("7".to_owned(), String::new())));
        assert_eq!(split("min_positions=7"), None);
    }
}
