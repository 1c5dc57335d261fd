//! What a server says, made harmless before anybody is shown it.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::domain::text::harmless;

/// Longer than anything that a catalog says in one line.
const LENGTH_MAX: usize = 1_000;

/// Text of a server as one line in which nothing commands a terminal, deceives a reader or goes on for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Line(pub(super) String);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(line(&text)))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text of a server as a [`Line`] holds it.
pub(super) fn line(text: &str) -> String {
    harmless(text, LENGTH_MAX)
}

/// Several, with commas between them.
pub(super) fn listed(lines: &[Line]) -> String {
    lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_harmless_line() {
        let said: Line = serde_json::from_str(r#""a\u001b[2J\nhint: b\u202ec\u0085d""#).unwrap();

        assert_eq!(said.0, "a\u{FFFD}[2J\u{FFFD}hint: b\u{FFFD}c\u{FFFD}d");
        assert_eq!(line(&"x".repeat(5_000)).len(), LENGTH_MAX);
    }
}
