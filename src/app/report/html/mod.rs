//! A report for people, in a browser or on paper: one file that needs no network and runs nothing. Whatever the log says is a
//! text in it, by the templates' escaping; its content policy lets nothing be fetched or run all the same.

mod charts;
mod timeline;

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    rows::inert,
    sections::{Cells, Extent, NOTHING, Section, Table, sections, summary},
};
use crate::{
    app::view::instant,
    domain::audit::{Report, findings::FindingsReport, report::LogPart},
};

/// What every report begins with, by which it is known again.
pub(super) const BEGINNING: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"generator\" content=\"catalog audit report\">";
/// Between what the scope stands, by which the report is made again.
pub(super) const SCOPE: (&str, &str) = ("<meta name=\"catalog-report\" content=\"", "\">");

/// Nothing is fetched, nothing runs; the page has its own style.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// What begins a line of the file.
const BEGIN_LINES: [&str; 7] = ["<body", "<section", "<h3", "<tr", "<li", "<rect", "<footer"];
const STYLE: &str = include_str!("report.css");

/// What comes before everything but the figures.
const FINDINGS: &str = "findings";

/// How many names of counts are shown.
const COUNTS_MAX: usize = 25;
/// How many rows of a table are shown.
const ROWS_MAX: usize = 200;
/// How many rows of a table are shown that people want to read whole.
const ALL_MAX: usize = 500;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut page = page(report, &super::json::compact(&report.scope)?).into_string();
    // Lines, so that the first one that differs tells where. In texts and attributes `<` is escaped.
    for tag in BEGIN_LINES {
        page = page.replace(tag, &format!("\n{tag}"));
    }
    out.write_all(page.as_bytes())?;
    out.write_all(b"\n")
}

fn page(report: &Report, scope: &str) -> Markup {
    let (first, sections): (Vec<_>, Vec<_>) = sections(report).into_iter().partition(|section| section.id == FINDINGS);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="generator" content="catalog audit report";
                meta name="catalog-report" content=(scope);
                meta http-equiv="Content-Security-Policy" content=(CONTENT_POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { "Audit report, positions " (report.scope.first) " to " (report.scope.last) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (head(report)) }
                nav aria-label="Sections" {
                    a href="#summary" { "Summary" }
                    @for section in &first { (link(section)) }
                    a href="#days" { "By day" }
                    a href="#timeline" { "Timeline" }
                    @for section in &sections { (link(section)) }
                }
                main {
                    (figures(report))
                    @for section in first { (of_section(section, &report.findings)) }
                    (charts::section(&report.by_day))
                    (timeline::section(report))
                    @for section in sections { (of_section(section, &report.findings)) }
                }
                footer { (foot(&report.log)) }
            }
        }
    }
}

fn link(section: &Section<'_>) -> Markup {
    html! { a href={ "#" (section.id) } { (section.title) } }
}

fn head(report: &Report) -> Markup {
    let scope = &report.scope;
    html! {
        h1 { "Audit report" }
        p.lead {
            "Positions " (scope.first) " to " (scope.last) " of the log, as of position " (scope.end) ", judged at "
            time datetime=(instant(scope.judged_at)) { (instant(scope.judged_at)) } ". Times are in UTC."
        }
        @if let Some(sub) = &scope.sub { p.lead { "Only of the tokens of " strong { (inert(sub.as_str())) } "." } }
        @if let Some(team) = &scope.team {
            p.lead { "Only of tokens that reach the team " strong { (inert(team.as_str())) } "." }
        }
        dl.log {
            dt { "log" } dd { code { (report.log.log_id) } }
            dt { "last position" } dd { (report.log.position) }
            dt { "digest" } dd { code { (report.log.digest) } }
            dt { "form" } dd { "version " (scope.version) }
        }
    }
}

fn figures(report: &Report) -> Markup {
    html! {
        section #summary {
            h2 { "Summary" }
            div.figures {
                @for (name, count) in summary(report) {
                    div.figure.grave[name == "findings" && count > 0] {
                        span.count { (grouped(count)) }
                        span.name { (name) }
                    }
                }
            }
        }
    }
}

fn of_section(section: Section<'_>, findings: &[FindingsReport]) -> Markup {
    let is_empty = section.tables.iter().all(|table| table.rows.len() == 0);
    html! {
        section id=(section.id) {
            h2 { (section.title) }
            @if section.id == FINDINGS { (rules(findings)) }
            @if is_empty { p.none { "None." } }
            div.tables {
                @for table in section.tables {
                    @if table.rows.len() > 0 { (of_table(table)) }
                }
            }
        }
    }
}

/// What the rules mean by which something was found.
fn rules(findings: &[FindingsReport]) -> Markup {
    html! {
        ul.rules {
            @for of_rule in findings {
                li {
                    span.badge { (of_rule.rule.as_str()) } " "
                    (grouped(of_rule.findings.total)) ": " (of_rule.meaning)
                }
            }
        }
    }
}

fn of_table(table: Table<'_>) -> Markup {
    let total = table.rows.len();
    let rows: Vec<Cells> = match table.extent {
        Extent::Counts => table.rows.take(COUNTS_MAX).collect(),
        Extent::Some => table.rows.take(ROWS_MAX).collect(),
        Extent::All => table.rows.take(ALL_MAX).collect(),
        Extent::AllOfEach => some_of_each(table.rows.collect(), ALL_MAX),
    };
    let hidden = (total - rows.len()) as u64 + table.left_out;
    html! {
        @if table.headings == ["name", "count"] {
            div.counts { h3 { (table.title) } (counted(&rows)) (more(hidden, table.left_out)) }
        } @else {
            div.wide { h3 { (table.title) } (rows_of(table.headings, &rows)) (more(hidden, table.left_out)) }
        }
    }
}

/// So many rows at most, and of each kind, which the first cell names, as many as of any other that has them.
fn some_of_each(rows: Vec<Cells>, max: usize) -> Vec<Cells> {
    let kind = |row: &Cells| row.first().cloned().unwrap_or_default();
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for row in &rows {
        *sizes.entry(kind(row)).or_default() += 1;
    }
    let mut kinds: Vec<(String, usize)> = sizes.into_iter().collect();
    kinds.sort_by_key(|(_, size)| *size);
    // The smallest first: what one does not use is for the others.
    let (mut left, mut waiting, mut shown) = (max, kinds.len(), HashMap::new());
    for (kind, size) in kinds {
        let part = size.min(left / waiting);
        (left, waiting) = (left - part, waiting - 1);
        shown.insert(kind, part);
    }
    let is_shown = |row: &Cells| {
        let Some(part) = shown.get_mut(&kind(row)) else { return false };
        let is_left = *part > 0;
        *part = part.saturating_sub(1);
        is_left
    };
    rows.into_iter().filter(is_shown).collect()
}

/// Counts with bars behind them, the first of which is the longest.
fn counted(rows: &[Cells]) -> Markup {
    let count = |row: &Cells| row.get(1).and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
    let most = rows.iter().map(count).max().unwrap_or(1).max(1);
    html! {
        table.bars {
            tbody {
                @for row in rows {
                    tr style={ "--part:" (count(row) * 100 / most) "%" } {
                        th scope="row" { (inert(row.first().map_or("", String::as_str))) }
                        td.number { (grouped(count(row))) }
                    }
                }
            }
        }
    }
}

fn rows_of(headings: &[&str], rows: &[Cells]) -> Markup {
    html! {
        div.scroll {
            table.rows {
                thead { tr { @for heading in headings { th scope="col" { (heading) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (heading, cell) in headings.iter().zip(row) { (of_cell(heading, cell)) } }
                    }
                }
            }
        }
    }
}

/// On a narrow screen each cell stands under its heading, so it says which that is.
fn of_cell(heading: &str, cell: &str) -> Markup {
    let is_number = cell.bytes().all(|byte| byte.is_ascii_digit());
    let class = match heading {
        _ if cell == NOTHING => Some("nothing"),
        _ if is_number => Some("number"),
        "token" | "successor" | "family" | "claims digest" => Some("code"),
        "at" | "issued at" | "expires at" | "effective from" => Some("time"),
        _ => None,
    };
    html! {
        td data-h=(heading) class=[class] {
            @match heading {
                "status" | "rule" | "notable" => { @for word in cell.split(' ') { span.badge { (inert(word)) } " " } }
                _ if class == Some("time") => (in_seconds(cell)),
                _ => (inert(cell)),
            }
        }
    }
}

fn more(hidden: u64, left_out: u64) -> Markup {
    html! {
        @if hidden > 0 {
            p.more {
                (grouped(hidden)) " more are in the formats json and csv"
                @if left_out > 0 { ", but for " (grouped(left_out)) ": a shorter range shows them" }
                "."
            }
        }
    }
}

fn foot(log: &LogPart) -> Markup {
    html! {
        p {
            "The same log and range give the same bytes. "
            code { "catalog audit report --verify FILE" } " makes this report again and compares. The digest is SHA-256 over the \
            commitments of every event that was read; of a log that is whole it is the one that the log has at position "
            (log.position) "."
        }
    }
}

/// An instant as people read one, in UTC like everything here.
fn in_seconds(instant: &str) -> String {
    let seconds = instant.split(['.', 'Z']).next().unwrap_or(instant);
    seconds.replace('T', " ")
}

/// A number with a narrow space between its thousands.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202F}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(kinds: &[(&str, usize)]) -> Vec<Cells> {
        let row = |kind: &str, number: usize| vec![kind.to_owned(), number.to_string()];
        kinds.iter().flat_map(|(kind, count)| (0..*count).map(|number| row(kind, number))).collect()
    }

    #[test]
    fn of_many_rows_each_kind_has_its_share_and_what_one_does_not_use_is_for_the_others() {
        let shown = |kinds: &[(&str, usize)], max| some_of_each(rows(kinds), max);

        assert_eq!(shown(&[("a", 900), ("b", 2), ("c", 900)], 12), rows(&[("a", 5), ("b", 2), ("c", 5)]));
        assert_eq!(shown(&[("a", 3), ("b", 4)], 12), rows(&[("a", 3), ("b", 4)]));
        assert_eq!(shown(&[("b", 9), ("a", 9)], 5), rows(&[("b", 3), ("a", 2)]));
        assert!(shown(&[], 5).is_empty());
    }
}
