//! stdout is data, stderr is talk. Neither has colours, and no data can move a terminal's cursor.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use clap::ValueEnum;
use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
use serde::Serialize;

use super::CliError;
use crate::domain::{causes::Causes, text::deceives};

/// Shorter words are no part of a token.
const TOKEN_LENGTH_MIN: usize = 16;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// One JSON value.
    Json,
}

/// stdout, and whether a person reads it.
pub(super) struct Out<W: Write = BufWriter<Stdout>> {
    writer: W,
    is_terminal: bool,
}

impl Out {
    pub(super) fn stdout() -> Self {
        let stdout = io::stdout();
        Self { is_terminal: stdout.is_terminal(), writer: BufWriter::new(stdout) }
    }
}

impl<W: Write> Out<W> {
    #[cfg(test)]
    pub(super) fn to(writer: W, is_terminal: bool) -> Self {
        Self { writer, is_terminal }
    }

    /// Whether a person reads it.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.writer, "{text}")
    }

    /// Labels and their values, a line each, the values below each other.
    fn card(&mut self, lines: &[(&str, String)]) -> io::Result<()> {
        let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        lines.iter().try_for_each(|(label, value)| self.line(&format!("{label:width$}  {value}")))
    }

    /// One JSON value: over several lines on a terminal, on one otherwise.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = if self.is_terminal { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }?;
        self.line(&ascii_harmless(&text))
    }

    /// One JSON value on one line.
    pub(super) fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.line(&ascii_harmless(&serde_json::to_string(value)?))
    }

    pub(super) fn raw(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// What a token that cannot be shown is told with.
pub(super) const TOKEN_MADE: &str = "the token was issued";

/// Refuses a stdout that swallows whatever is written: a secret that is shown once would be lost.
pub(super) fn require_stdout() -> Result<(), CliError> {
    if swallows(&io::stdout()) { Err(CliError::NowhereToShow) } else { Ok(()) }
}

/// Whether it was closed when the program began, or is not open for writing. In place of a closed one the runtime opens
/// the null device for reading, too; a shell's `> /dev/null` does not, and is meant.
fn swallows(stdout: &Stdout) -> bool {
    let Ok(flags) = fcntl_getfl(stdout) else { return true };
    let mode = flags & OFlags::RWMODE;
    if mode != OFlags::RDWR {
        return mode != OFlags::WRONLY;
    }
    match (fstat(stdout), stat("/dev/null")) {
        (Ok(found), Ok(null)) => (found.st_rdev, found.st_mode) == (null.st_rdev, null.st_mode),
        _ => true,
    }
}

/// Writes one object to stdout, for people as labels and values.
pub(super) fn object(format: Format, lines: &[(&str, String)], value: &impl Serialize) -> io::Result<()> {
    let mut out = Out::stdout();
    match format {
        Format::Text => out.card(lines)?,
        Format::Json => out.json(value)?,
    }
    out.flush()
}

/// Writes to stdout what became of a command: a line for people, a value for programs.
pub(super) fn outcome(format: Format, line: &str, value: &impl Serialize) -> io::Result<()> {
    let mut out = Out::stdout();
    match format {
        Format::Text => out.line(line)?,
        Format::Json => out.json(value)?,
    }
    out.flush()
}

/// Writes a text of ours to stdout as it is.
pub(super) fn bytes(text: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text)?;
    stdout.flush()
}

/// One JSON array, written member by member.
pub(super) struct JsonArray<W: Write = BufWriter<Stdout>> {
    out: Out<W>,
    is_empty: bool,
}

impl<W: Write> JsonArray<W> {
    pub(super) fn new(out: Out<W>) -> Self {
        Self { out, is_empty: true }
    }

    pub(super) fn member(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.out.raw(if self.is_empty { "[\n" } else { ",\n" })?;
        self.is_empty = false;
        self.out.raw(&ascii_harmless(&serde_json::to_string(value)?))
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.raw(if self.is_empty { "[]\n" } else { "\n]\n" })?;
        self.out.flush()
    }
}

/// Writes what is no letter, digit or ASCII in JSON text as the escapes of RFC 8259 section 7: the value is the same, and
/// nothing in it can command a terminal or turn the direction of a line.
pub(super) fn ascii_harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        let is_plain = (character.is_ascii() && character != '\u{7f}') || character.is_alphanumeric();
        if is_plain {
            text.push(character);
        } else {
            let mut units = [0; 2];
            text.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// Tells people something, on stderr.
pub(super) fn say(text: &str) {
    // Nobody may be listening, and then there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// Tells an error and its hint, and returns the exit code.
pub(super) fn report(error: &CliError) -> u8 {
    let code = error.exit_code();
    if code != 0 {
        say(&format!("catalog: error: {}", told(error)));
        if let Some(hint) = error.hint() {
            say(&format!("hint: {hint}"));
        }
    }
    code
}

/// An error with its causes.
pub(super) fn told(error: &CliError) -> String {
    without_secrets(&Causes(error).to_string())
}

/// Tells what is wrong with the arguments, or shows the help that was asked for, and returns the exit code.
pub(super) fn usage(error: &clap::Error) -> u8 {
    let text = error.render().to_string();
    if error.use_stderr() {
        let prefix = if text.starts_with("error:") { "catalog: " } else { "" };
        say(&format!("{prefix}{}", without_secrets(text.trim_end())));
        return u8::try_from(error.exit_code()).unwrap_or(2);
    }
    let mut out = Out::stdout();
    match out.raw(&text).and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(error) => report(&error.into()),
    }
}

pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if deceives(c) && c != '\n' && c != '\t' { '\u{FFFD}' } else { c }).collect()
}

/// Hides tokens, and what stands between the user's name and `@` in a URL: an argument that is refused is repeated in the
/// error.
fn without_secrets(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(|word| without_tokens(&without_password(word))).collect()
}

/// Hides what is made of a token's characters and has a part of one in it. Every part but the signature begins so.
fn without_tokens(word: &str) -> String {
    let is_of_tokens = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let mut shown = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let (run, after) = rest.split_at(rest.find(|c| !is_of_tokens(c)).unwrap_or(rest.len()));
        shown.push_str(if run.contains("eyJ") && run.len() >= TOKEN_LENGTH_MIN { "***" } else { run });
        let next = after.find(is_of_tokens).unwrap_or(after.len());
        shown.push_str(&after[..next]);
        rest = &after[next..];
    }
    shown
}

fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    match rest.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{scheme}://{user}:***@{host}"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(is_terminal: bool, write: impl FnOnce(Out<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(Out::to(&mut bytes, is_terminal)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_array_is_json_whatever_its_length() {
        let array = |members: &[i32]| {
            written(false, |out| {
                let mut array = JsonArray::new(out);
                members.iter().try_for_each(|member| array.member(member))?;
                array.finish()
            })
        };

        assert_eq!(array(&[]), "[]\n");
        assert_eq!(array(&[1, 2]), "[\n1,\n2\n]\n");
    }

    #[test]
    fn json_says_the_same_without_commanding_a_terminal() {
        let text = "é\u{1b}\u{9b}\u{7f}\u{202e}\u{1f600}";

        let json = written(false, |mut out| out.json(&text));

        assert_eq!(json, "\"é\\u001b\\u009b\\u007f\\u202e\\ud83d\\ude00\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn an_error_shows_no_password_and_no_escape() {
        assert_eq!(without_secrets("in 'postgres://u:p@ss@h/d' found"), "in 'postgres://u:***@h/d' found");
        assert_eq!(without_secrets("http://127.0.0.1:8080 a@b"), "http://127.0.0.1:8080 a@b");
        assert_eq!(without_secrets("'eyJhbGciOiJFZERTQSJ9.eyJhIjoxfQ.c2ln' is none"), "'***' is none");
        assert_eq!(without_secrets("--jti=eyJhbGciOiJFZERTQSJ9, é eyJ-short"), "--jti=***, é eyJ-short");
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\u{FFFD}[2J\nb");
    }

    #[test]
    fn a_reader_that_had_enough_is_no_error() {
        let error = CliError::Output(io::ErrorKind::BrokenPipe.into());

        assert_eq!(report(&error), 0);
    }
}
