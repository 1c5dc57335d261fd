//! Inputs that do not parse: what is wrong with a value, without saying where it stood.

/// Why a value was not taken. The edge that parsed it adds the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing was given where something is needed.
    #[error("must not be empty")]
    Empty,
    /// More characters than the field holds.
    #[error("has {length} characters, the maximum is {max}")]
    TooLong {
        /// How many Unicode scalar values were given.
        length: usize,
        /// The most that are taken.
        max: usize,
    },
    /// A character that could deceive a reader or break a line.
    #[error("contains {} at character {at}; control, bidirectional and invisible characters are refused", code_point(*.character))]
    ForbiddenCharacter {
        /// The character found.
        character: char,
        /// Its place, counted from 1.
        at: usize,
    },
    /// White space in a value that has none.
    #[error("contains white space at character {at}")]
    WhiteSpace {
        /// Its place, counted from 1.
        at: usize,
    },
    /// White space at the first or last character.
    #[error("must not begin or end with white space")]
    Untrimmed,
    /// A value with a grammar of its own.
    #[error("'{value}' is not {expected}")]
    NotA {
        /// What was given.
        value: String,
        /// What would have been taken, with its article.
        expected: &'static str,
    },
    /// More members than the list holds.
    #[error("has {length} members, the maximum is {max}")]
    TooMany {
        /// How many were given.
        length: usize,
        /// The most that are taken.
        max: usize,
    },
    /// Two members that exclude each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

fn code_point(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}
