//! A report for spreadsheets: all of it, a line each, under the same headings.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::sections::{Cells, NOTHING, sections, summary};
use crate::{app::view::csv::line, domain::audit::Report};

/// The headings. What a table says besides stands in `detail`, as an object of JSON.
const COLUMNS: [&str; 11] =
    ["section", "table", "name", "count", "position", "at", "token", "subject", "by", "status", "detail"];
/// Where `detail` is.
const DETAIL: usize = COLUMNS.len() - 1;

/// What every report begins with, by which it is known again.
pub(super) const BEGINNING: &str = "section,table,name,count,position,at,token,subject,by,status,detail\r\n";
/// What the line with the scope begins with, by which the report is made again.
pub(super) const SCOPE: &str = "report,scope,";

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(line(COLUMNS).as_bytes())?;
    let facts = [
        ("scope", super::json::compact(&report.scope)?),
        ("log_id", report.log.log_id.to_string()),
        ("digest", report.log.digest.clone()),
    ];
    for (name, value) in facts {
        let mut cells = empty("report", name);
        cells[DETAIL] = value;
        write_line(out, &cells)?;
    }
    for (name, count) in summary(report) {
        let mut cells = empty("summary", "");
        name.clone_into(&mut cells[2]);
        cells[3] = count.to_string();
        write_line(out, &cells)?;
    }
    for section in sections(report) {
        for table in section.tables {
            for row in table.rows {
                write_line(out, &placed(empty(section.id, table.id), table.headings, row)?)?;
            }
            if table.left_out > 0 {
                let mut cells = empty(section.id, table.id);
                cells[3] = table.left_out.to_string();
                "more are left out: a shorter range shows them".clone_into(&mut cells[DETAIL]);
                write_line(out, &cells)?;
            }
        }
    }
    Ok(())
}

fn empty(section: &str, table: &str) -> [String; COLUMNS.len()] {
    let mut cells: [String; COLUMNS.len()] = Default::default();
    (cells[0], cells[1]) = (section.to_owned(), table.to_owned());
    cells
}

/// Puts each cell of a row under the heading of the same name, and the others into an object, so that no value passes for another.
fn placed(mut cells: [String; COLUMNS.len()], headings: &[&str], row: Cells) -> io::Result<[String; COLUMNS.len()]> {
    let mut detail = BTreeMap::new();
    for (heading, value) in headings.iter().zip(row).filter(|(_, value)| value != NOTHING) {
        let heading = match *heading {
            "day" | "rule" | "covers" | "what" => "name",
            heading => heading,
        };
        match COLUMNS[2..DETAIL].iter().position(|column| *column == heading) {
            Some(index) if cells[index + 2].is_empty() => cells[index + 2] = value,
            _ => _ = detail.insert(heading, value),
        }
    }
    if !detail.is_empty() {
        cells[DETAIL] = super::json::compact(&detail)?;
    }
    Ok(cells)
}

fn write_line(out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
    out.write_all(line(cells.iter().map(String::as_str)).as_bytes())
}
