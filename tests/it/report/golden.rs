//! One rich history, in every format, in every zone and locale.

use catalog::{
    domain::{
        AsOf, Recorded,
        audit::{Fold, LogPart, REPORT_VERSION, Scope, seen::Seen},
    },
    store::codec,
};
use regex::Regex;

use super::{
    Asked, Format, Position, Report,
    history::{LOG_ID, history},
    now, projected, reported, site, written,
};
use crate::support::Site;

async fn rich() -> Report {
    rich_from(1).await
}

/// Of all that happened, what was counted from a position on.
async fn rich_from(first: i64) -> Report {
    let database = projected(2_026, 2_000).await.open();
    let from = Some(AsOf::Position(Position(first)));
    let report = reported(&database, &Asked { from, ..Asked::default() }).await;
    database.close().await;
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_a_rich_history_does_not_change_unnoticed() {
    let (whole, late) = (rich().await, rich_from(1_801).await);

    assert!(whole.scope.judged_at < now());
    insta::assert_snapshot!("report_text", written(&whole, Format::Text));
    insta::assert_snapshot!("report_json", written(&late, Format::Json));
    insta::assert_snapshot!("report_csv", written(&late, Format::Csv).replace("\r\n", "\n"));
    insta::assert_snapshot!("report_html", written(&late, Format::Html));
}

fn bytes(site: &Site, format: &str, to: &str) -> Vec<u8> {
    let done = site.cli(&["audit", "report", "--format", format, "--to", to]);
    assert_eq!(done.stderr, "", "nothing is drawn in a pipe");
    done.stdout.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_has_the_same_bytes_in_every_zone_and_locale() {
    let (_database, site) = site(7, 400).await;
    let elsewhere = site.with("TZ", "Asia/Kathmandu").with("LC_ALL", "tr_TR.UTF-8").with("LANG", "tr_TR.UTF-8");

    for format in Format::ALL.map(Format::as_str) {
        let here = bytes(&site, format, "@400");

        assert_eq!(here, bytes(&elsewhere, format, "@400"), "{format}");
        assert!(here.len() > 10_000, "{format}");
    }
}

/// What a spreadsheet takes for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_log_says_can_act_in_a_report() {
    let report = rich().await;

    for format in Format::ALL {
        let text = written(&report, format);
        let commands = text.chars().find(|c| c.is_control() && !['\n', '\r'].contains(c));
        assert_eq!(commands, None, "{format}");
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{format}");
    }
    let csv = written(&report, Format::Csv);
    let cells = csv.split("\r\n").flat_map(cells);
    let formulas: Vec<String> = cells.filter(|cell| cell.starts_with(FORMULA)).collect();
    assert!(formulas.is_empty(), "{formulas:?}");
    assert!(csv.contains("'=SUM(A1)"), "the subject is there, and inert");
    let html = written(&report, Format::Html);
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.contains("&lt;b&gt;dave&lt;/b&gt;@example.com"));
}

/// The cells of a line as RFC 4180 has them.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut is_quoted, mut characters) = (vec![String::new()], false, line.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                cells.last_mut().unwrap().push(characters.next().unwrap());
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_csv_has_every_column() {
    let csv = written(&rich().await, Format::Csv);

    let lines: Vec<Vec<String>> = csv.strip_suffix("\r\n").unwrap().split("\r\n").map(cells).collect();

    assert!(lines.len() > 500);
    assert!(lines.iter().all(|cells| cells.len() == lines[0].len()));
}

/// Elements that have no end.
const VOID: [&str; 3] = ["meta", "br", "hr"];

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_one_well_formed_file_that_runs_nothing_and_fetches_nothing() {
    let html = written(&rich().await, Format::Html);

    let tag = Regex::new(r#"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9-]*(?:="[^"<]*")?)*)\s*>"#).unwrap();
    let body = html.strip_prefix("<!DOCTYPE html>").unwrap();
    let mut open: Vec<&str> = Vec::new();
    for found in tag.captures_iter(body) {
        let name = found.get(2).unwrap().as_str();
        match &found[1] {
            "/" => assert_eq!(open.pop(), Some(name)),
            _ if VOID.contains(&name) => {}
            _ => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let rest = tag.replace_all(body, "");
    assert!(!rest.contains('<'), "every < begins a tag: {:?}", rest.find('<').map(|at| &rest[at..][..60]));

    for active in [
        "<script",
        "<iframe",
        "<object",
        "<embed",
        "<link",
        "<img",
        "<form",
        "<base",
        "<use",
        "<image",
        "@import",
        "url(",
        "javascript:",
    ] {
        assert!(!html.contains(active), "{active}");
    }
    let attributes = Regex::new(r#"\s([a-zA-Z][a-zA-Z0-9-]*)=""#).unwrap();
    for found in tag.find_iter(body) {
        for attribute in attributes.captures_iter(found.as_str()) {
            let name = &attribute[1];
            assert!(!name.starts_with("on") && !["src", "srcset", "action", "xlink"].contains(&name), "{found:?}");
        }
    }
    let links = Regex::new(r#"href="([^"]*)""#).unwrap();
    for link in links.captures_iter(body) {
        let id = link[1].strip_prefix('#').unwrap_or_else(|| panic!("{} leads out", &link[1]));
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(html.contains("default-src 'none'"), "the page forbids it itself");
    assert!(html.contains("prefers-color-scheme:dark") && html.contains("@media print"));
}

/// What a page may have at most, in bytes.
const PAGE_MAX: usize = 2_000_000;

#[test]
fn a_page_of_very_many_events_stays_small_and_says_what_it_left_out() {
    let history = history(5, 12_000);
    let end = Position(12_000);
    let judged_at = history.last().unwrap().occurred_at;
    let (first, sub, team) = (Position(1), None, None);
    let scope = Scope { version: REPORT_VERSION, log_id: LOG_ID, first, last: end, end, judged_at, sub, team };
    let mut fold = Fold::new(scope);
    for (position, occurrence) in (1..).map(Position).zip(history) {
        let recorded = Recorded { position, recorded_at: occurrence.occurred_at, occurrence };
        fold.apply(&Seen::of(codec::kind(&recorded.occurrence.event), &recorded, false));
    }
    let report = fold.report(LogPart { log_id: LOG_ID, position: end, digest: String::new() }, &[]);

    let page = written(&report, Format::Html);

    assert!(report.out_of_band.total > 1_000 && report.revocations.total > 1_000 && report.by_day.len() > 300);
    assert!(page.len() < PAGE_MAX, "{} bytes", page.len());
    assert!(page.contains(" more are in the formats json and csv."));
    for day in &report.by_day {
        assert!(page.contains(&day.day.to_string()), "each day has a bar: {}", day.day);
    }
}
