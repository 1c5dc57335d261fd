//! What the place asks for that a request came to, as the proxy's configuration says it.

use axum::http::{HeaderMap, request::Parts};
use catalog_gateway::admission::Demand;
use serde::{Deserialize, Serialize, de::DeserializeOwned, de::IntoDeserializer, de::value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::text::{Permission, ServerId},
    http::{problem::Problem, query::Given},
};

/// What was read, or what is wrong with it.
pub(in crate::http) type Read = Result<Demand, Problem>;

const X_AUTHORIZE_PERMISSION: &str = "x-authorize-permission";
const X_AUTHORIZE_SERVER_ID: &str = "x-authorize-server-id";
const X_AUTHORIZE_OUT_OF_BAND: &str = "x-authorize-out-of-band";

/// What the query asks for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// A permission that the token has to name, by itself or as `resource.*` or `*`.
    #[param(value_type = Option<Permission>, required = false, nullable = false)]
    permission: Option<Permission>,
    /// The server that the place is part of. A token that is bound to one (`scopes.server_id`) passes where it is named.
    #[param(value_type = Option<ServerId>, required = false, nullable = false)]
    server_id: Option<ServerId>,
    /// `deny` refuses tokens that came past the controls of the API, such as those for development.
    #[param(inline, required = false, nullable = false)]
    out_of_band: Option<OutOfBand>,
}

/// The same, by headers that the proxy sets.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes headers, which are read by their names")]
pub(super) struct AskedByHeaders {
    /// A permission that the token has to name, besides the query's.
    #[param(rename = "x-authorize-permission", value_type = Option<Permission>, required = false, nullable = false)]
    permission: Option<Permission>,
    /// The server that the place is part of; the query's has to be the same.
    #[param(rename = "x-authorize-server-id", value_type = Option<ServerId>, required = false, nullable = false)]
    server_id: Option<ServerId>,
    /// `deny` refuses tokens that came past the controls of the API, whatever the query says.
    #[param(inline, rename = "x-authorize-out-of-band", required = false, nullable = false)]
    out_of_band: Option<OutOfBand>,
}

/// What becomes of tokens that came past the controls of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OutOfBand {
    Allow,
    Deny,
}

/// What both ask for together: whoever adds something asks for more.
pub(in crate::http) fn of_query_and_headers(parts: &Parts) -> Read {
    let Asked { permission, server_id, out_of_band } = Given::read(&parts.uri)?.parse()?;
    let mut demand = of_headers(parts)?;
    demand.permissions.extend(permission.map(String::from));
    demand.servers.extend(server_id.map(String::from));
    demand.refuses_out_of_band |= out_of_band == Some(OutOfBand::Deny);
    Ok(demand)
}

/// What the headers ask for. The query is not the proxy's.
pub(in crate::http) fn of_headers(parts: &Parts) -> Read {
    let permissions = values::<Permission>(&parts.headers, X_AUTHORIZE_PERMISSION)?;
    let servers = values::<ServerId>(&parts.headers, X_AUTHORIZE_SERVER_ID)?;
    let out_of_band = values::<OutOfBand>(&parts.headers, X_AUTHORIZE_OUT_OF_BAND)?;
    Ok(Demand {
        permissions: permissions.into_iter().map(String::from).collect(),
        servers: servers.into_iter().map(String::from).collect(),
        refuses_out_of_band: out_of_band.contains(&OutOfBand::Deny),
    })
}

/// Every value of a header.
fn values<T: DeserializeOwned>(headers: &HeaderMap, name: &'static str) -> Result<Vec<T>, Problem> {
    let read = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|_| Problem::malformed_parameter(name, "is not UTF-8"))?;
        let value = T::deserialize(text.into_deserializer());
        value.map_err(|error: value::Error| Problem::malformed_parameter(name, error.to_string()))
    };
    headers.get_all(name).into_iter().map(|value| read(value.as_bytes())).collect()
}
