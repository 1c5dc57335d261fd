//! `GET /problems` and `GET /problems/{code}`: where the `type` of a problem leads. HTML for people, JSON for programs.

use axum::{
    Json,
    extract::Path,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    IntoParams, ToSchema,
    openapi::path::{Parameter, ParameterIn},
};

use super::{Code, Document, Problem, html};
use crate::{
    app::schema::of,
    http::openapi::{self, parameter, problems},
};

/// Every kind of problem.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ProblemIndex {
    /// In the order of their statuses.
    pub(super) problems: Vec<ProblemKind>,
}

/// A kind of problem.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ProblemKind {
    /// Its name, which the documents carry.
    #[schema(value_type = Code)]
    pub(super) code: &'static str,
    /// The status it is answered with.
    #[schema(minimum = 400, maximum = 599)]
    pub(super) status: u16,
    /// The kind in one line.
    pub(super) title: &'static str,
    /// What happened.
    pub(super) happened: &'static str,
    /// What the asker can do.
    pub(super) remedy: &'static str,
    /// The operations that answer it.
    pub(in crate::http) operations: Vec<String>,
    /// A document of this kind.
    pub(super) example: Document,
}

impl From<Code> for ProblemKind {
    fn from(code: Code) -> Self {
        Self { operations: openapi::operations_that_answer(code), ..Self::explained(code) }
    }
}

impl ProblemKind {
    /// All but the operations, which the document names.
    pub(in crate::http) fn explained(code: Code) -> Self {
        let entry = code.entry();
        Self {
            code: entry.code,
            status: entry.status.as_u16(),
            title: entry.title,
            happened: entry.happened,
            remedy: entry.remedy,
            operations: Vec::new(),
            example: Problem::example(code).document(""),
        }
    }
}

problems!(IndexProblems = []);

/// List the kinds of problems
///
/// For people as a page, when `Accept` names `text/html`.
#[utoipa::path(
    get,
    path = "/problems",
    tag = "server",
    operation_id = "listProblems",
    responses(
        (status = 200, description = "Every kind.", content(
            (ProblemIndex = "application/json"),
            (String = "text/html"),
        )),
        IndexProblems,
    ),
)]
pub(in crate::http) async fn index(headers: HeaderMap) -> Response {
    let index = ProblemIndex { problems: Code::ALL.iter().copied().map(ProblemKind::from).collect() };
    if wants_html(&headers) { html::index(&index) } else { varying(Json(index)) }
}

/// The problem that a path names.
pub(in crate::http) enum Name {}

impl IntoParams for Name {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter("code", ParameterIn::Path, of::<Code>(), "The kind of problem.")]
    }
}

problems!(PageProblems = [&[Code::RouteUnknown]]);

/// Explain a kind of problem
///
/// What happened and what to do: where the `type` of a problem document leads. For people as a page, when `Accept`
/// names `text/html`.
#[utoipa::path(
    get,
    path = "/problems/{code}",
    tag = "server",
    operation_id = "explainProblem",
    params(Name),
    responses(
        (status = 200, description = "The kind.", content(
            (ProblemKind = "application/json"),
            (String = "text/html"),
        )),
        PageProblems,
    ),
)]
pub(in crate::http) async fn one(headers: HeaderMap, Path(name): Path<String>) -> Result<Response, Problem> {
    let code = Code::named(&name).ok_or_else(|| Problem::unknown_page(&name))?;
    let kind = ProblemKind::from(code);
    Ok(if wants_html(&headers) { html::one(&kind) } else { varying(Json(kind)) })
}

/// An answer of which there is another form.
pub(super) fn varying(answer: impl IntoResponse) -> Response {
    ([(header::VARY, "accept")], answer).into_response()
}

/// Whether `Accept` names HTML, and JSON not rather. Who takes anything gets JSON.
fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let html = quality(accept, "text/html");
    html > 0.0 && html >= quality(accept, "application/json")
}

/// The weight (RFC 9110 section 12.4.2) that `accept` gives to a media type that it names.
fn quality(accept: &str, media_type: &str) -> f32 {
    let mut ranges = accept.split(',').map(|range| range.split(';').map(str::trim));
    let named = ranges.find_map(|mut parts| parts.next()?.eq_ignore_ascii_case(media_type).then_some(parts));
    let Some(mut parameters) = named else { return 0.0 };
    parameters.find_map(|parameter| parameter.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_html_and_everybody_else_json() {
        let html = |accept: &str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().expect("a value"))]);
            wants_html(&headers)
        };

        assert!(html("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(html("application/json;q=0.5, text/html;q=0.9"));
        for accept in [
            "*/*",
            "",
            "application/json",
            "application/problem+json",
            "text/html;q=0",
            "text/html;q=0.2, application/json",
        ] {
            assert!(!html(accept), "{accept}");
        }
    }
}
