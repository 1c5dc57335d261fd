//! The pages of the problems as HTML: each with its own style, without scripts and without anything from elsewhere.

use axum::{
    http::header,
    response::{Html, Response},
};

use super::pages::{ProblemIndex, ProblemKind, varying};

const FRAME: &str = include_str!("page.html");

const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Every kind, as a table.
pub(super) fn index(index: &ProblemIndex) -> Response {
    let row = |ProblemKind { code, status, title, .. }: &ProblemKind| {
        let title = text(title);
        format!(
            "<tr><td>{status}</td><td><a href=\"problems/{code}\"><code>{code}</code></a></td><td>{title}</td></tr>\n"
        )
    };
    let rows: String = index.problems.iter().map(row).collect();
    let body = format!(
        "<nav><a href=\"docs\">API</a></nav>\n<h1>Problems</h1>\n\
         <p class=\"facts\">What the errors of this API mean, and what to do.</p>\n<table>\n{rows}</table>\n"
    );
    page("Problems", &body)
}

/// One kind.
pub(super) fn one(kind: &ProblemKind) -> Response {
    let ProblemKind { code, status, title, happened, remedy, operations, example } = kind;
    let (heading, happened, remedy) = (text(title), text(happened), text(remedy));
    let example = text(&serde_json::to_string_pretty(example).unwrap_or_default());
    let operations = answered_by(operations);
    let body = format!(
        "<nav><a href=\"../problems\">Problems</a> · <a href=\"../docs\">API</a></nav>\n<h1>{heading}</h1>\n\
         <p class=\"facts\"><code>{code}</code>, status {status}</p>\n\
         <h2>What happened</h2>\n<p>{happened}</p>\n<h2>What to do</h2>\n<p>{remedy}</p>\n\
         <h2>An example</h2>\n<pre><code>{example}</code></pre>\n{operations}"
    );
    page(title, &body)
}

fn answered_by(operations: &[String]) -> String {
    if operations.is_empty() {
        return String::new();
    }
    let item = |operation: &String| format!("<li><code>{}</code></li>\n", text(operation));
    let items: String = operations.iter().map(item).collect();
    format!("<h2>Answered by</h2>\n<ul>\n{items}</ul>\n")
}

fn page(title: &str, body: &str) -> Response {
    let html = FRAME.replace("{{title}}", &text(title)).replace("{{body}}", body);
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    varying((headers, Html(html)))
}

/// Text as HTML, with what stands between backticks as code.
fn text(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let parts = escaped.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        assert_eq!(text("a `<b>` & \"c\""), "a <code>&lt;b&gt;</code> &amp; &quot;c&quot;");
    }
}
