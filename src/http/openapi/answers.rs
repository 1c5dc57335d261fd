//! What can go wrong, as the OpenAPI document says it: for each status its codes, each with an example.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, RefOr, Response, ResponseBuilder,
        example::{Example, ExampleBuilder},
        header::{Header, HeaderBuilder},
        path::Operation,
        schema::{AllOfBuilder, ObjectBuilder, Ref, Schema, Type},
    },
};

use crate::http::problem::{Code, Document, PROBLEM_JSON, Problem};

/// Names, for `responses(…)` of an operation, the codes that its extractors and its own work can answer. Any operation
/// can meet a defect of ours.
macro_rules! problems {
    ($name:ident = [$($codes:expr),* $(,)?]) => {
        enum $name {}

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                crate::http::openapi::problem_responses(&[&[crate::http::problem::Code::Internal], $($codes),*])
            }
        }
    };
}
pub(in crate::http) use problems;

/// One response for each status, with every code that is answered under it.
pub(in crate::http) fn problem_responses(codes: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let codes: BTreeSet<Code> = codes.iter().copied().flatten().copied().collect();
    let mut by_status = BTreeMap::<StatusCode, Vec<Code>>::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(code);
    }
    by_status.into_iter().map(|(status, codes)| (status.as_str().to_owned(), response(status, &codes).into())).collect()
}

/// Whether an operation names a code among its answers.
pub(super) fn is_answered(operation: &Operation, code: Code) -> bool {
    let Some(RefOr::T(response)) = operation.responses.responses.get(code.status().as_str()) else { return false };
    let Some(RefOr::T(content)) = response.content.get(PROBLEM_JSON) else { return false };
    content.examples.contains_key(code.as_str())
}

fn response(status: StatusCode, codes: &[Code]) -> Response {
    let lines = codes.iter().map(|code| format!("* [`{0}`]({1}): {2}", code.as_str(), code.path(), code.entry().title));
    let content = ContentBuilder::new()
        .schema(Some(narrowed(status, codes)))
        .examples_from_iter(codes.iter().map(|code| (code.as_str(), RefOr::Ref(Ref::new(example_ref(*code))))));
    let response =
        ResponseBuilder::new().description(lines.collect::<Vec<_>>().join("\n")).content(PROBLEM_JSON, content.build());
    match header(status, codes) {
        Some((name, header)) => response.header(name, header).build(),
        None => response.build(),
    }
}

/// What a path answers to a method that it does not take. That is no operation, so no operation names it.
pub(super) fn method_not_allowed() -> Response {
    let mut response = response(StatusCode::METHOD_NOT_ALLOWED, &[Code::MethodNotAllowed]);
    let allow = HeaderBuilder::new().schema(Some(String::schema())).description(Some("The methods that it takes."));
    response.headers.insert("allow".to_owned(), allow.build().into());
    response
}

/// A problem document of one of these kinds.
fn narrowed(status: StatusCode, codes: &[Code]) -> RefOr<Schema> {
    let kinds = ObjectBuilder::new()
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status.as_u16()])))
        .property("code", names(codes));
    AllOfBuilder::new().item(Ref::from_schema_name(Document::name())).item(kinds).into()
}

fn names(codes: &[Code]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes.iter().map(|code| code.as_str())))
}

/// An example of every problem. Operations refer to them.
pub(super) fn examples() -> impl Iterator<Item = (&'static str, Example)> {
    Code::ALL.iter().map(|code| (code.as_str(), example(*code)))
}

fn example(code: Code) -> Example {
    let summary = code.entry().title;
    ExampleBuilder::new().summary(summary).value(Some(json!(Problem::example(code).document("")))).build()
}

fn example_ref(code: Code) -> String {
    format!("#/components/examples/{}", code.as_str())
}

fn header(status: StatusCode, codes: &[Code]) -> Option<(&'static str, Header)> {
    let (name, schema, description) = if codes.contains(&Code::PermissionMissing) || status == StatusCode::UNAUTHORIZED
    {
        ("www-authenticate", String::schema(), "What the caller lacks (RFC 6750 section 3, RFC 7617 section 2).")
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        ("retry-after", u64::schema(), "After how many seconds to ask again.")
    } else {
        return None;
    };
    Some((name, HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()))
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        names(Code::ALL).description(Some("The kinds of problems. Each has its page under `/problems`.")).into()
    }
}

impl ToSchema for Code {}
