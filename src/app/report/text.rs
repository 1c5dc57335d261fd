//! A report for people at a terminal: what matters first, tables in plain columns, nothing that commands the terminal.

use std::io::{self, Write};

use super::{
    rows::inert,
    sections::{Cells, Extent, Section, Table, sections, summary},
};
use crate::{app::view::instant, domain::audit::Report};

/// What the first line says, by which a report is known again.
pub(super) const TITLE: &str = "catalog audit report";
/// What stands before the scope, by which it is made again.
pub(super) const SCOPE: &str = "scope     ";

/// How many names of counts are shown.
const COUNTS_MAX: usize = 20;
/// How many rows of a table are shown that is not shown whole.
const ROWS_MAX: usize = 50;
const GAP: &str = "  ";

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    head(report, out)?;
    for section in sections(report) {
        of_section(section, out)?;
    }
    Ok(())
}

fn head(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (scope, log) = (&report.scope, &report.log);
    line(out, TITLE)?;
    line(out, "")?;
    line(out, &format!("log       {}", log.log_id))?;
    line(out, &format!("counted   positions {} to {}", scope.first, scope.last))?;
    line(out, &format!("as of     position {}, judged at {}", scope.end, instant(scope.judged_at)))?;
    line(out, &format!("digest    {}", log.digest))?;
    if let Some(sub) = &scope.sub {
        line(out, &format!("subject   {sub}"))?;
    }
    if let Some(team) = &scope.team {
        line(out, &format!("team      {team}"))?;
    }
    line(out, &format!("{SCOPE}{}", super::json::compact(scope)?))?;
    line(out, "")?;
    let width = summary(report).iter().map(|(_, count)| count.to_string().len()).max().unwrap_or(0);
    for (name, count) in summary(report) {
        line(out, &format!("{count:>width$}  {name}"))?;
    }
    Ok(())
}

fn of_section(section: Section<'_>, out: &mut dyn Write) -> io::Result<()> {
    let title = section.title.to_uppercase();
    line(out, &format!("\n{title}\n{}", "=".repeat(title.len())))?;
    let mut is_empty = true;
    for table in section.tables.into_iter().filter(|table| table.rows.len() > 0) {
        is_empty = false;
        of_table(table, out)?;
    }
    if is_empty { line(out, "none") } else { Ok(()) }
}

fn of_table(table: Table<'_>, out: &mut dyn Write) -> io::Result<()> {
    let shown_max = match table.extent {
        Extent::Counts => COUNTS_MAX,
        Extent::Some => ROWS_MAX,
        Extent::All | Extent::AllOfEach => usize::MAX,
    };
    let total = table.rows.len();
    let rows: Vec<Cells> =
        table.rows.take(shown_max).map(|cells| cells.iter().map(|cell| inert(cell)).collect()).collect();
    line(out, &format!("\n{}", table.title))?;
    // What counts are called needs no word.
    let is_counts = table.headings == ["name", "count"];
    let widths = widths(if is_counts { &["", ""] } else { table.headings }, &rows);
    if !is_counts {
        columns(out, &widths, table.headings)?;
    }
    for row in &rows {
        columns(out, &widths, row)?;
    }
    let hidden = (total - rows.len()) as u64 + table.left_out;
    if hidden > 0 {
        line(out, &format!("… and {hidden} more, in the formats json and csv{}", narrow(table.left_out)))?;
    }
    Ok(())
}

fn narrow(left_out: u64) -> String {
    match left_out {
        0 => String::new(),
        left_out => format!(", but for {left_out}: a shorter range shows them"),
    }
}

fn widths(headings: &[&str], rows: &[Cells]) -> Vec<usize> {
    let of_column = |(index, heading): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
        cells.chain([heading.chars().count()]).max().unwrap_or(0)
    };
    headings.iter().enumerate().map(of_column).collect()
}

fn columns<T: AsRef<str>>(out: &mut dyn Write, widths: &[usize], cells: &[T]) -> io::Result<()> {
    let padded = cells.iter().zip(widths).map(|(cell, width)| {
        let cell = cell.as_ref();
        let is_number = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
    });
    line(out, padded.collect::<Vec<_>>().join(GAP).trim_end())
}

fn line(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}
