//! Words that people choose: subjects, names, teams, reasons. Past these types no bare `String` travels.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Malformed, authority::RoutePermission};

/// Refuses characters that deceive a reader, break a line of a report or cannot be stored.
fn check_characters(text: &str) -> Result<(), Malformed> {
    match text.chars().enumerate().find(|(_, c)| deceives(*c)) {
        Some((index, character)) => Err(Malformed::ForbiddenCharacter { character, at: index + 1 }),
        None => Ok(()),
    }
}

/// Control characters, line separators, bidirectional controls (UAX 9), invisible and tag characters.
#[must_use]
pub fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061C}' | '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180E}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

fn check_length(text: &str, max: usize) -> Result<(), Malformed> {
    if text.is_empty() {
        return Err(Malformed::Empty);
    }
    match text.chars().count() {
        length if length > max => Err(Malformed::TooLong { length, max }),
        _ => Ok(()),
    }
}

/// One line of prose: spaces inside, none at the ends.
fn check_line(text: &str, max: usize) -> Result<(), Malformed> {
    check_length(text, max)?;
    check_characters(text)?;
    if text.trim() != text {
        return Err(Malformed::Untrimmed);
    }
    Ok(())
}

/// One identifier: no white space at all.
fn check_word(text: &str, max: usize) -> Result<(), Malformed> {
    check_length(text, max)?;
    check_characters(text)?;
    match text.chars().position(char::is_whitespace) {
        Some(index) => Err(Malformed::WhiteSpace { at: index + 1 }),
        None => Ok(()),
    }
}

/// Letters, digits, dots, hyphens and underscores: nothing that names a person by accident, nothing that needs quoting.
fn check_plain(text: &str, max: usize) -> Result<(), Malformed> {
    check_word(text, max)?;
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Ok(());
    }
    Err(Malformed::NotA { value: text.to_owned(), expected: "made of letters, digits, dots, hyphens and underscores" })
}

/// `*`, `resource.*` or dotted lower-case words.
fn check_permission(text: &str, max: usize) -> Result<(), Malformed> {
    check_word(text, max)?;
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    };
    let parts: Vec<&str> = text.split('.').collect();
    let (last, rest) = parts.split_last().unwrap_or((&"", &[]));
    if (*last == "*" || word(last)) && rest.iter().all(|part| word(part)) {
        return Ok(());
    }
    Err(Malformed::NotA {
        value: text.to_owned(),
        expected: "a permission: dotted lower-case words such as tools.read, or tools.*, or *",
    })
}

/// Lower-case letters, digits and hyphens in labels with a dot between them.
fn check_domain(text: &str, max: usize) -> Result<(), Malformed> {
    check_word(text, max)?;
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if text.split('.').all(is_label) {
        return Ok(());
    }
    Err(Malformed::NotA { value: text.to_owned(), expected: "a domain in lower case, such as example.com" })
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The most characters (Unicode scalar values) that are taken.
            pub const LENGTH_MAX: usize = $max;

            /// Takes the text if it keeps the rules of the type.
            ///
            /// # Errors
            /// [`Malformed`], naming the rule that was broken.
            pub fn parse(text: impl Into<String>) -> Result<Self, Malformed> {
                let text = text.into();
                $check(&text, Self::LENGTH_MAX)?;
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Malformed;
            fn try_from(text: String) -> Result<Self, Malformed> {
                Self::parse(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// `sub`, RFC 7519 section 4.1.2: whom the token speaks for. An e-mail address or a service's name.
    Subject, check_word, 255);
text_type!(
    /// A token's name, unique among the active tokens of its subject.
    Name, check_line, 100);
text_type!(
    /// Free text that describes a token.
    Description, check_line, 500);
text_type!(
    /// Why something was done, in a person's words.
    Note, check_line, 500);
text_type!(
    /// The name of a person or service, as shown by gateways (`user.full_name`).
    FullName, check_line, 255);
text_type!(
    /// An e-mail address, checked for shape only by [`is_email`] where it matters.
    Email, check_word, 320);
text_type!(
    /// The identifier of a team.
    TeamId, check_word, 128);
text_type!(
    /// A namespace that a gateway knows.
    Namespace, check_word, 128);
text_type!(
    /// The identifier of the one virtual server that a token is bound to.
    ServerId, check_word, 128);
text_type!(
    /// One member of `aud`, RFC 7519 section 4.1.3.
    Audience, check_word, 255);
text_type!(
    /// `iss`, RFC 7519 section 4.1.1.
    Issuer, check_word, 255);
text_type!(
    /// The `env` claim: the deployment environment that a gateway compares with its own.
    Environment, check_word, 64);
text_type!(
    /// The name of a signing key: an RFC 7638 thumbprint, or for a shared secret a label's HMAC.
    Kid, check_word, 128);
text_type!(
    /// A permission: `tools.read`, `tools.*`, `*`.
    Permission, check_permission, 128);
text_type!(
    /// `Idempotency-Key`: names one request among those of its credential, so that a repeat gets the same answer.
    IdempotencyKey, check_word, 255);
text_type!(
    /// The name of a client: what it calls itself in HTTP Basic, so no colon.
    ClientName, check_plain, 64);
text_type!(
    /// The part of an e-mail address behind the `@`, in lower case.
    EmailDomain, check_domain, 253);
text_type!(
    /// The name of a claim of an identity provider.
    ClaimName, check_word, 128);
text_type!(
    /// A group or a role, as an identity provider calls it.
    Group, check_line, 255);
text_type!(
    /// Names one request in diagnostics and in the log.
    RequestId, check_plain, 128);

impl RequestId {
    /// A fresh name.
    #[must_use]
    pub fn of_uuid(id: uuid::Uuid) -> Self {
        Self(id.to_string())
    }
}

impl ClaimName {
    /// `email`, `OpenID` Connect Core section 5.1.
    #[must_use]
    pub fn email() -> Self {
        Self("email".to_owned())
    }

    /// `groups`, RFC 9068 section 2.2.3.1.
    #[must_use]
    pub fn groups() -> Self {
        Self("groups".to_owned())
    }

    /// `roles`, RFC 9068 section 2.2.3.1.
    #[must_use]
    pub fn roles() -> Self {
        Self("roles".to_owned())
    }
}

impl Email {
    /// The subject itself when it is an address, else one under `service.invalid` (RFC 2606) that nobody can receive.
    #[must_use]
    pub fn of_subject(sub: &Subject) -> Self {
        // A subject keeps the rules of this type by itself: no white space, and shorter by more than the suffix.
        Self(if is_email(&sub.0) { sub.0.clone() } else { format!("{}@service.invalid", sub.0) })
    }
}

impl FullName {
    /// The subject itself, for want of a name: it keeps the rules of this type.
    #[must_use]
    pub fn of_subject(sub: &Subject) -> Self {
        Self(sub.0.clone())
    }
}

/// Whether the text has the shape `local@domain`.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let mut parts = text.split('@');
    matches!((parts.next(), parts.next(), parts.next()), (Some(local), Some(domain), None) if !local.is_empty() && !domain.is_empty())
}

/// Cuts text of unknown origin (a host name, a user agent) to one harmless line of at most `max` characters.
#[must_use]
pub fn harmless(text: &str, max: usize) -> String {
    text.trim().chars().take(max).map(|c| if deceives(c) { '\u{FFFD}' } else { c }).collect()
}

impl Permission {
    /// What a route asks for, as a permission that is held.
    #[must_use]
    pub fn of_route(route: RoutePermission) -> Self {
        Self(route.as_str().to_owned())
    }

    /// `*`.
    #[must_use]
    pub fn everything() -> Self {
        Self("*".to_owned())
    }

    /// Whether holding `self` lets its holder use `other`: the same, `*`, or `tools.*` for `tools.read`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.covers_name(&other.0)
    }

    /// The same of a permission that the program itself names.
    #[must_use]
    pub fn covers_name(&self, other: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => other.starts_with(prefix),
            None => self.0 == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_length_allowed_is_taken_and_the_next_is_refused() {
        let longest = "é".repeat(Name::LENGTH_MAX);

        assert!(Name::parse(longest.clone()).is_ok());
        assert_eq!(Name::parse(longest + "é"), Err(Malformed::TooLong { length: 101, max: 100 }));
        assert_eq!(Name::parse(""), Err(Malformed::Empty));
    }

    #[test]
    fn characters_that_deceive_a_reader_are_refused() {
        for character in
            ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{e0041}']
        {
            let expected = Err(Malformed::ForbiddenCharacter { character, at: 2 });

            assert_eq!(Name::parse(format!("a{character}b")), expected.clone());
            assert_eq!(Subject::parse(format!("a{character}b")).map(|_| ()), expected.clone().map(|_: Name| ()));
            assert_eq!(Note::parse(format!("a{character}b")).map(|_| ()), expected.map(|_| ()));
        }
    }

    #[test]
    fn a_subject_has_no_white_space_and_a_name_none_at_its_ends() {
        assert_eq!(Subject::parse("a b"), Err(Malformed::WhiteSpace { at: 2 }));
        assert!(Name::parse("a b").is_ok());
        assert_eq!(Name::parse(" a"), Err(Malformed::Untrimmed));
    }

    #[test]
    fn a_wildcard_covers_its_own_resource_only() {
        let holds = |held: &str, asked: &str| matches!((Permission::parse(held), Permission::parse(asked)), (Ok(h), Ok(a)) if h.covers(&a));

        assert!(holds("*", "tools.read") && holds("tools.*", "tools.read") && holds("tools.*", "tools.*"));
        assert!(!holds("tools.*", "toolsmith.read") && !holds("tools.read", "tools.*") && !holds("tools.*", "*"));
        assert!(!holds("tools.read", "tools.readonly"));
    }

    #[test]
    fn a_domain_is_written_in_lower_case_and_never_as_a_pattern() {
        for good in ["example.com", "a.b-c.d9", "localhost", "xn--bcher-kva.example"] {
            assert!(EmailDomain::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "Example.com", "*.example.com", "a@b", ".example.com", "example.com.", "a..b", "bücher.example"]
        {
            assert!(EmailDomain::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn permissions_keep_their_grammar() {
        for good in ["*", "tools.*", "tools.read", "a-b_c.d.e", "tokens"] {
            assert!(Permission::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "*.a", "a.*.b", "a*", "Tools.read", "tools read", "tools,read"] {
            assert!(Permission::parse(bad).is_err(), "{bad}");
        }
    }
}
