//! Reading a query string: each parameter is one that the route has, is given once, and is text.

use std::iter::empty;

use axum::{
    extract::{FromRequestParts, Query},
    http::{Uri, request::Parts},
};
use serde::{
    Deserialize,
    de::{
        DeserializeOwned,
        value::{self, MapDeserializer},
    },
};
use utoipa::IntoParams;

use super::problem::Problem;
use crate::domain::text::harmless;

/// As much of a name as is said again.
const NAME_SHOWN_MAX: usize = 100;

/// The parameters of a query string. By default there is none: what a route does not know it refuses, so that a misspelt
/// one is never taken for absent.
#[derive(Debug)]
pub(super) struct Parameters<T = Nothing>(pub(super) T);

/// No parameter at all.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned + IntoParams, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Given::read(&parts.uri)?.parse().map(Self)
    }
}

/// What a query string gives: no name twice.
#[derive(Debug)]
pub(super) struct Given<'a>(Vec<Pair<'a>>);

#[derive(Debug)]
struct Pair<'a> {
    raw: &'a str,
    name: String,
    value: String,
}

impl<'a> Given<'a> {
    /// Takes a query string apart.
    pub(super) fn read(uri: &'a Uri) -> Result<Self, Problem> {
        let raw = uri.query().unwrap_or_default().split('&').filter(|raw| !raw.is_empty());
        let mut pairs: Vec<Pair<'a>> = Vec::new();
        for pair in raw.map(Pair::read) {
            let pair = pair?;
            if pairs.iter().any(|other| other.name == pair.name) {
                return Err(malformed(&pair.name, "is given more than once"));
            }
            pairs.push(pair);
        }
        Ok(Self(pairs))
    }

    /// Takes a parameter out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|pair| pair.name == name)?;
        Some(self.0.remove(place).value)
    }

    /// The parameters that are left as what a route takes.
    pub(super) fn parse<T: DeserializeOwned + IntoParams>(self) -> Result<T, Problem> {
        // As a rule there are none, and then there is nothing to take apart again.
        if self.0.is_empty()
            && let Ok(nothing) = T::deserialize(MapDeserializer::<_, value::Error>::new(empty::<(&str, &str)>()))
        {
            return Ok(nothing);
        }
        let query = self.0.iter().map(|pair| pair.raw).collect::<Vec<_>>().join("&");
        let uri = format!("/?{query}").parse().map_err(|_| Problem::internal())?;
        Query::<T>::try_from_uri(&uri).map(|Query(parameters)| parameters).map_err(|rejection| {
            let known: Vec<String> = T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect();
            if let Some(unknown) = self.0.iter().find(|pair| !known.contains(&pair.name)) {
                return malformed(&unknown.name, "is no parameter of this route");
            }
            let source = std::error::Error::source(&rejection).map_or_else(String::new, ToString::to_string);
            let (name, detail) = source.split_once(": ").unwrap_or(("query", source.as_str()));
            malformed(name, detail)
        })
    }
}

impl<'a> Pair<'a> {
    fn read(raw: &'a str) -> Result<Self, Problem> {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        let name = decoded(name).ok_or_else(|| malformed("query", "has a name that is not UTF-8"))?;
        let value = decoded(value).ok_or_else(|| malformed(&name, "is not UTF-8"))?;
        Ok(Self { raw, name, value })
    }
}

/// A name or a value as `application/x-www-form-urlencoded` means it, if that is text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.first_chunk::<2>().filter(|_| *first == b'%').and_then(|digits| hex::decode(digits).ok());
        rest = if escaped.is_some() { after.split_at(2).1 } else { after };
        match escaped {
            Some(byte) => bytes.extend(byte),
            None => bytes.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    String::from_utf8(bytes).ok()
}

fn malformed(name: &str, detail: &str) -> Problem {
    Problem::malformed_parameter(&harmless(name, NAME_SHOWN_MAX), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_value_is_what_forms_mean_by_it() {
        assert_eq!(decoded("min%5Fposition").as_deref(), Some("min_position"));
        assert_eq!(decoded("a+b%2Bc%C3%A9").as_deref(), Some("a b+cé"));
        assert_eq!(decoded("100%").as_deref(), Some("100%"));
        assert_eq!(decoded("%zz%4").as_deref(), Some("%zz%4"));
        assert_eq!(decoded("%ff"), None);
    }
}
