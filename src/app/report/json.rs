//! A report as JSON: all of it, a member a line.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::{
    Serializer,
    ser::{CompactFormatter, Formatter, PrettyFormatter},
};

use crate::domain::audit::Report;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    // Most of what is written are beginnings of lines, two spaces at a time: too little to call somebody else for each.
    let mut pieces = BufWriter::new(out);
    report.serialize(&mut Serializer::with_formatter(&mut pieces, Harmless(PrettyFormatter::new())))?;
    pieces.write_all(b"\n")?;
    pieces.flush()
}

/// A value on one line.
pub(super) fn compact(value: &impl Serialize) -> io::Result<String> {
    let mut line = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut line, Harmless(CompactFormatter)))?;
    String::from_utf8(line).map_err(io::Error::other)
}

/// As another formatter, and texts without anything that commands a terminal or turns the direction of a line: what
/// is no letter, digit or ASCII is written as the escapes of RFC 8259 section 7.
struct Harmless<F>(F);

impl<F: Formatter> Formatter for Harmless<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain = 0;
        for (start, character) in fragment.char_indices() {
            let is_plain = (character.is_ascii() && character != '\u{7f}') || character.is_alphanumeric();
            if is_plain {
                continue;
            }
            writer.write_all(&fragment.as_bytes()[plain..start])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = start + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_without_commanding_a_terminal() {
        let text = "=cmd() é\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{1f600}日";
        let mut written = Vec::new();

        text.serialize(&mut Serializer::with_formatter(&mut written, Harmless(PrettyFormatter::new()))).unwrap();

        let written = String::from_utf8(written).unwrap();
        assert_eq!(written, "\"=cmd() é\\u001b[2J\\u009b\\u007f\\u202e\\ud83d\\ude00日\"");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
