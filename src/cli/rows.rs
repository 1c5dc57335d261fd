//! Rows for people: a table where it fits a terminal, broken lines where it does not, plain lines in a pipe.

use std::io::{self, BufWriter, Stdout, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use super::output::{Out, printable};

/// What a cell says when there is nothing to say.
pub(super) const NOTHING: &str = "-";

/// A table has to wait for its widest cell; a long one comes in parts of so many rows.
const TABLE_ROWS_MAX: usize = 500;
/// The narrowest last column that is worth wrapping text in.
const LAST_WIDTH_MIN: usize = 30;
const GAP: &str = "  ";

/// Rows of cells. In a pipe each is written at once, with tabs between its cells and without headings.
pub(super) struct Rows<W: Write = BufWriter<Stdout>> {
    out: Out<W>,
    headings: &'static [&'static str],
    /// The terminal's columns.
    width: usize,
    waiting: Vec<Vec<String>>,
}

impl Rows {
    pub(super) fn stdout(headings: &'static [&'static str]) -> Self {
        // A terminal that does not say its width wraps lines by itself.
        let width = Table::new().width().filter(|width| *width > 0).map_or(usize::MAX, usize::from);
        Self::new(Out::stdout(), headings, width)
    }
}

impl<W: Write> Rows<W> {
    fn new(out: Out<W>, headings: &'static [&'static str], width: usize) -> Self {
        Self { out, headings, width, waiting: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) -> io::Result<()> {
        // What an actor is called is kept as it was told: a log that was tampered with may say anything.
        let cells: Vec<String> = cells.into_iter().map(|cell| printable(&cell)).collect();
        if !self.out.is_terminal() {
            return self.out.line(&cells.join("\t"));
        }
        self.waiting.push(cells);
        if self.waiting.len() < TABLE_ROWS_MAX { Ok(()) } else { self.show() }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.show()?;
        }
        self.out.flush()
    }

    fn show(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        match self.width_for_last(&rows) {
            Some(width) => self.out.line(&table(self.headings, rows, width)),
            None => rows.iter().try_for_each(|cells| self.out.line(&broken(cells, self.width))),
        }
    }

    /// The columns that are left for the last cell when no other is broken: an identifier has to stay in one piece.
    fn width_for_last(&self, rows: &[Vec<String>]) -> Option<usize> {
        let widest = |index: usize| rows.iter().filter_map(|cells| cells.get(index)).map(|cell| length(cell)).max();
        let width = |index: usize, heading: &str| widest(index).unwrap_or(0).max(length(heading)) + GAP.len();
        let widths: Vec<usize> =
            self.headings.iter().enumerate().map(|(index, heading)| width(index, heading)).collect();
        let (last, others) = widths.split_last()?;
        let left = self.width.checked_sub(others.iter().sum())?;
        (left >= LAST_WIDTH_MIN.min(*last)).then_some(left)
    }
}

fn table(headings: &[&str], rows: Vec<Vec<String>>, width_for_last: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase())).add_rows(rows);
    if let (Some(column), Ok(width)) = (table.column_mut(headings.len() - 1), u16::try_from(width_for_last)) {
        column.set_constraint(ColumnConstraint::UpperBoundary(comfy_table::Width::Fixed(width)));
    }
    table.trim_fmt()
}

/// The cells that say something, broken into lines between cells only.
fn broken(cells: &[String], width: usize) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for cell in cells.iter().filter(|cell| *cell != NOTHING) {
        if column > 0 && column + GAP.len() + length(cell) > width {
            text.push_str("\n  ");
            column = 0;
        }
        if column > 0 || !text.is_empty() {
            text.push_str(GAP);
        }
        text.push_str(cell);
        column += GAP.len() + length(cell);
    }
    text
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(is_terminal: bool, width: usize) -> String {
        let mut bytes = Vec::new();
        let mut rows = Rows::new(Out::to(&mut bytes, is_terminal), &["kid", "alg", "what it is for"], width);
        rows.row(vec!["one".to_owned(), NOTHING.to_owned(), "a".to_owned()]).unwrap();
        rows.row(vec!["second-of-two".to_owned(), "HS256".to_owned(), "b ".repeat(20) + "c"]).unwrap();
        rows.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_pipe_gets_a_line_a_row_with_tabs() {
        let long = "b ".repeat(20) + "c";

        assert_eq!(rows(false, 80), format!("one\t-\ta\nsecond-of-two\tHS256\t{long}\n"));
    }

    #[test]
    fn a_wide_terminal_gets_a_table_whose_last_column_alone_is_wrapped() {
        let table = rows(true, 54);

        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], " KID            ALG    WHAT IT IS FOR");
        assert_eq!(lines[1], " one            -      a");
        assert_eq!(lines[2], " second-of-two  HS256  b b b b b b b b b b b b b b b");
        assert_eq!(lines[3], "                       b b b b b c");
    }

    #[test]
    fn a_narrow_terminal_gets_lines_that_are_broken_between_cells() {
        let long = "b ".repeat(20) + "c";

        assert_eq!(rows(true, 24), format!("one  a\nsecond-of-two  HS256\n    {long}\n"));
    }
}
