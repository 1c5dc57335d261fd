//! `GET /openapi.json`: the document that the routes themselves make. `answers` describes what can go wrong, `docs`
//! shows it all in a browser.

mod answers;
pub(super) mod docs;
mod examples;
mod report;

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use utoipa::{
    ToSchema,
    openapi::{
        ComponentsBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Required,
        header::HeaderBuilder,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        schema::{Ref, Schema},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::TagBuilder,
    },
};

pub(super) use answers::{problem_responses, problems};

use super::{
    etag,
    problem::{self, Code, Problem},
};
use crate::{app::schema, domain::text::RequestId};

/// The names of the security schemes.
const BEARER: &str = "bearer";
const BASIC: &str = "basic";
const PASSAGE: &str = "passage";

/// The header that every answer has.
const REQUEST_ID: &str = "x-request-id";

const DESCRIPTION: &str = "\
Issues, lists, revokes and checks the JWT API tokens of a gateway. Every token is an event in one log before anybody sees
it.

Callers present a token of this catalog whose audience includes `catalog`. An administrator's token that names no
permissions passes every route; anyone else needs the permission that the operation's security names, by name or wildcard,
and sees its own tokens and those of its teams. Gateways and services that only check and revoke tokens can come as clients,
with a name and a secret (HTTP Basic), at the operations whose security says so.

Every answer carries `x-request-id`: the request's own, if it was one plain word, else a new one. Errors are problem
documents (RFC 9457) whose `type` leads to a page that says what happened and what to do; `/introspect` and `/revoke`
answer a bad request or caller in the form of RFC 6749. Who gets 503 was not told no.

A path that is asked by a method which it does not take answers 405 `method_not_allowed` with `Allow` (the response
`MethodNotAllowed` of this document), and one that does not exist 404 `route_unknown`. A server that was given another
setting than the log has (`setting_differs`) does not start, and so answers nothing.";

const TAGS: [(&str, &str); 5] = [
    ("tokens", "Issue, list, show and revoke."),
    ("checks", "Whether a token is good."),
    ("oauth", "The same by RFC 7662 and RFC 7009, for OAuth clients."),
    ("audit", "The log."),
    ("server", "Keys, health, and what explains this API."),
];

static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(|| {
    let (_, mut document) = super::routes().split_for_parts();
    for operation in document.paths.paths.values_mut().flat_map(operations_mut) {
        name_request(operation);
        leave_out_rather_than_null(operation);
        examples::add(operation);
    }
    document
});

/// The document of this program.
pub(super) fn document() -> &'static OpenApi {
    &DOCUMENT
}

/// The operations that can answer a problem, such as `GET /tokens`.
pub(super) fn operations_that_answer(code: Code) -> Vec<String> {
    let mut found = Vec::new();
    for (path, item) in &document().paths.paths {
        for (method, operation) in operations(item) {
            if answers::is_answered(operation, code) {
                found.push(format!("{method} {path}"));
            }
        }
    }
    found
}

/// What there is of the document before any route.
pub(super) fn frame() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("catalog")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license));
    let tags = TAGS.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build());
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A token of this catalog whose audience includes `catalog`."));
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(
        "The name and the secret of a client, each written as in a form (RFC 6749 section 2.3.1): `catalog clients add`.",
    ));
    let passage = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
        "The token of the request that is asked about, as its sender presented it: meant for the configured audience.",
    ));
    let mut schemas = schema::components();
    add::<problem::Document>(&mut schemas);
    let request_id = HeaderBuilder::new()
        .schema(Some(schema::of::<RequestId>()))
        .description(Some("The request's name in the diagnostics and in the log."));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .header(REQUEST_ID, request_id.build())
        .security_scheme(BEARER, SecurityScheme::Http(scheme.build()))
        .security_scheme(BASIC, SecurityScheme::Http(basic.build()))
        .security_scheme(PASSAGE, SecurityScheme::Http(passage.build()));
    let components = components.response("MethodNotAllowed", answers::method_not_allowed());
    let components = answers::examples().fold(components, |all, (code, example)| all.example(code, example));
    OpenApiBuilder::new().info(info).tags(Some(tags)).components(Some(components.build())).build()
}

problems!(Problems = []);

/// The OpenAPI document
///
/// OpenAPI 3.1. It is made from the routes, so it describes this very server; `/docs` shows it in a browser.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "server",
    operation_id = "openapi",
    params(etag::IfNoneMatch),
    responses(
        (status = 200, description = "The document.", body = Object, headers(
            ("etag" = String, description = "Its tag."),
        )),
        (status = 304, description = "It is what the request's tag names.", headers(
            ("etag" = String, description = "Its tag."),
        )),
        Problems,
    ),
)]
pub(super) async fn handle(headers: HeaderMap) -> Result<Response, Problem> {
    let answer = etag::json(&headers, "application/json", document())?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], answer).into_response())
}

fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// A parameter of an extractor.
pub(super) fn parameter(name: &str, within: ParameterIn, schema: RefOr<Schema>, description: &str) -> Parameter {
    let required = if within == ParameterIn::Path { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(within)
        .required(required)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// Every answer tells the name of its request.
fn name_request(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let header = Ref::new(format!("#/components/headers/{REQUEST_ID}"));
            response.headers.insert(REQUEST_ID.to_owned(), RefOr::Ref(header));
        }
    }
}

/// A body that may be left out is an `Option` in the handler's documentation, which would let it be `null` as well.
fn leave_out_rather_than_null(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        if let RefOr::T(Content { schema: Some(schema), .. }) = content
            && let RefOr::T(Schema::OneOf(one_of)) = schema
            && let Some(reference) = one_of.items.iter().find(|item| matches!(item, RefOr::Ref(_)))
        {
            *schema = reference.clone();
        }
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let methods = [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete), ("PATCH", patch)];
    methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}
