//! `?as_of=T`: a read of the past.

use super::problem::Problem;
use crate::{
    app::{
        Catalog,
        past::{Past, PastError},
    },
    domain::{AsOf, Malformed},
};

/// Which past is asked for, if any.
pub(super) async fn read(catalog: &Catalog, text: Option<&str>) -> Result<Option<Past>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let as_of: AsOf = text.parse().map_err(|error: Malformed| refused(error.to_string()))?;
    match catalog.past(as_of).await {
        Ok(past) => Ok(Some(past)),
        Err(PastError::Store(error)) => Err(error.into()),
        Err(error) => Err(refused(error.to_string())),
    }
}

fn refused(detail: String) -> Problem {
    Problem::malformed_parameter("as_of", detail)
}
