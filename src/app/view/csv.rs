//! Lines of comma-separated values (RFC 4180) that a spreadsheet shows and never calculates.

/// What makes a spreadsheet take a cell for a formula, also as wide as a Chinese character.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}'];

/// One line, its break included. A cell that a spreadsheet would take for a formula begins with an apostrophe; what could
/// command a terminal or turn the direction of a line is replaced.
#[must_use]
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = cells.into_iter().map(cell).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn cell(text: &str) -> String {
    let inert: String = text.chars().map(|c| if is_inert(c) { c } else { '\u{FFFD}' }).collect();
    let mark = if text.starts_with(FORMULA) { "'" } else { "" };
    let inert = format!("{mark}{inert}");
    if inert.contains([',', '"', '\n', '\r']) { format!("\"{}\"", inert.replace('"', "\"\"")) } else { inert }
}

fn is_inert(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\t') || !crate::domain::text::deceives(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, shown) in [
            ("=cmd()", "'=cmd()"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\u{FF1D}cmd()", "'\u{FF1D}cmd()"),
            ("\u{FF0D}1", "'\u{FF0D}1"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("=1,2", "\"'=1,2\""),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(line([text]), format!("{shown}\r\n"));
        }
    }

    #[test]
    fn a_cell_comes_back_as_it_was_and_commands_no_terminal() {
        assert_eq!(line(["a", "b,c", "say \"x\"", "two\nlines"]), "a,\"b,c\",\"say \"\"x\"\"\",\"two\nlines\"\r\n");
        assert_eq!(line(["\u{1b}[2J", "\u{202e}x"]), "\u{FFFD}[2J,\u{FFFD}x\r\n");
    }
}
