//! What checks find, counted. docs/operations.md says what each figure means.

use metrics::{Unit, counter, describe_counter};

const CHECKS: &str = "catalog_checks_total";

const PROVIDERS: &str = "catalog_provider_keys_total";

const ANSWERS: &str = "catalog_check_answers_total";

/// The verdict where there is none: could not tell is not no.
pub const UNAVAILABLE: &str = "unavailable";

/// What was checked.
#[derive(Debug, Clone, Copy)]
pub enum Checked {
    /// A token that a caller asks about.
    Token,
    /// The token that a caller presents as its own.
    Credential,
    /// The name and secret of a client.
    Client,
    /// An identifier, without the token itself.
    Jti,
}

impl Checked {
    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Credential => "credential",
            Self::Client => "client",
            Self::Jti => "jti",
        }
    }
}

/// Describes the metrics to the recorder.
pub fn describe() {
    describe_counter!(CHECKS, Unit::Count, "Checks by what was checked and what was found.");
    describe_counter!(
        PROVIDERS,
        Unit::Count,
        "Times that identity providers were asked for their keys, by the answer."
    );
    describe_counter!(ANSWERS, Unit::Count, "Tokens that checks asked for, by where they were found.");
}

/// An identity provider was asked for its keys.
pub(super) fn provider_asked(is_good: bool) {
    counter!(PROVIDERS, "answer" => if is_good { "good" } else { "none" }).increment(1);
}

/// A check found this.
pub fn checked(what: Checked, verdict: &'static str) {
    counter!(CHECKS, "of" => what.as_str(), "verdict" => verdict).increment(1);
}

/// A token was asked for: the memory could tell, or the log had to be asked.
pub(super) fn answered(from_memory: bool) {
    counter!(ANSWERS, "from" => if from_memory { "memory" } else { "log" }).increment(1);
}
