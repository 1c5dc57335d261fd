//! The words of the domain: each with the length and the characters that its parser takes.

use utoipa::openapi::{
    RefOr,
    schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
};

use super::{described, nullable, of, one_of};
use crate::domain::{
    Path, Position, Status,
    claims::{CanonicalUuid, Teams},
    event::Elevation,
    issue::LIST_MAX,
    key::Algorithm,
    restrictions::{Day, IpRestriction, TimeOfDay, Zone},
    revoke::RevocationReason,
    rotate::Overlap,
    text::{
        Audience, ClientName, Description, Email, Environment, FullName, IdempotencyKey, Issuer, Kid, Name, Namespace,
        Note, Permission, RequestId, ServerId, Subject, TeamId,
    },
};

/// Control, bidirectional and invisible characters, as the inside of a character class. Those past U+FFFF (tag
/// characters) are left to the parser: the dialects of patterns do not agree on how to write them.
macro_rules! deceptive {
    () => {
        concat!(
            r"\u0000-\u001F\u007F-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180E\u200B-\u200F",
            r"\u2028-\u202E\u2060-\u206F\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB"
        )
    };
}

/// White space that is none of those.
macro_rules! spaces {
    () => {
        r"\u0020\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000"
    };
}

/// No white space at all.
const WORD: &str = concat!("^[^", deceptive!(), spaces!(), "]+$");
/// White space inside, none at the ends.
const LINE: &str =
    concat!("^[^", deceptive!(), spaces!(), "]([^", deceptive!(), "]*[^", deceptive!(), spaces!(), "])?$");
const PERMISSION: &str = r"^(\*|[a-z0-9_-]+(\.[a-z0-9_-]+)*(\.\*)?)$";
const PLAIN: &str = "^[A-Za-z0-9._-]+$";
const QUOTABLE: &str = r#"^([!#-~]{1,255}|"[!#-~]{1,255}")$"#;
const UUID: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
const SPAN: &str = "^[0-9]{1,7}[smhd]$";
const TIME_OF_DAY: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$";

described! {
    Subject, "Subject" => text(
        "Whom a token speaks for: an e-mail address or a service's name.",
        WORD,
        Subject::LENGTH_MAX,
    ).examples(["alice@example.com"]);
    Name, "Name" => text(
        "A token's name, unique among the active tokens of its subject.",
        LINE,
        Name::LENGTH_MAX,
    ).examples(["ci"]);
    Description, "Description" => text(
        "What a token is for.",
        LINE,
        Description::LENGTH_MAX,
    ).examples(["nightly builds"]);
    Note, "Note" => text(
        "Why something was done, in a person's words.",
        LINE,
        Note::LENGTH_MAX,
    ).examples(["the laptop was lost"]);
    FullName, "FullName" => text(
        "The name of a person or service, as gateways show it.",
        LINE,
        FullName::LENGTH_MAX,
    ).examples(["Alice"]);
    Email, "Email" => text("An e-mail address.", WORD, Email::LENGTH_MAX).examples(["alice@example.com"]);
    TeamId, "TeamId" => text("The identifier of a team.", WORD, TeamId::LENGTH_MAX).examples(["red"]);
    Namespace, "Namespace" => text(
        "A namespace that a gateway knows.",
        WORD,
        Namespace::LENGTH_MAX,
    ).examples(["default"]);
    ServerId, "ServerId" => text(
        "The identifier of a gateway's virtual server.",
        WORD,
        ServerId::LENGTH_MAX,
    ).examples(["server-1"]);
    Audience, "Audience" => text(
        "One of those whom a token is meant for (`aud`).",
        WORD,
        Audience::LENGTH_MAX,
    ).examples(["gateway"]);
    Issuer, "Issuer" => text(
        "`iss`: the catalog's public address, or the gateway's own issuer name.",
        WORD,
        Issuer::LENGTH_MAX,
    ).examples(["https://tokens.example.com"]);
    Environment, "Environment" => text(
        "`env`: the deployment environment that a gateway compares with its own.",
        WORD,
        Environment::LENGTH_MAX,
    ).examples(["production"]);
    Kid, "Kid" => text(
        "The name of a signing key.",
        WORD,
        Kid::LENGTH_MAX,
    ).examples(["mV8fFOi5XbjkTQwPt1kZ7BeXmyEWqDGbAzVhaCG1X7o"]);
    Permission, "Permission" => text(
        "A permission: dotted lower-case words such as `tools.read`, or `tools.*`, or `*`.",
        PERMISSION,
        Permission::LENGTH_MAX,
    ).examples(["tools.read"]);
    IdempotencyKey, "IdempotencyKey" => text(
        "Names one request among those of its credential: one word of ASCII, with or without quotes around it.",
        QUOTABLE,
        IdempotencyKey::LENGTH_MAX + 2,
    ).examples(["build-7"]);
    ClientName, "ClientName" => text(
        "The name of a client.",
        PLAIN,
        ClientName::LENGTH_MAX,
    ).examples(["edge-gateway"]);
    RequestId, "RequestId" => text(
        "Names one request in the diagnostics and in the log.",
        PLAIN,
        RequestId::LENGTH_MAX,
    ).examples(["build-7"]);
    CanonicalUuid, "Jti" => formatted("The identifier of a token: a UUID in lower case.", "uuid")
        .pattern(Some(UUID))
        .examples(["01990000-0000-7000-8000-000000000000"]);
    Position, "Position" => ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .maximum(Some(i64::MAX))
        .examples([42])
        .description(Some("A place in the log: 1, 2, 3 … without a hole; 0 is before the first."));
    Path, "Path" => one_of(Path::ALL.map(Path::as_str)).description(Some("The door something came through."));
    Status, "Status" => one_of(Status::ALL.map(Status::as_str)).description(Some("A token's state now."));
    RevocationReason, "RevocationReason" => one_of(RevocationReason::ALL.map(RevocationReason::as_str))
        .description(Some("Why a token was revoked, in the words of RFC 5280."));
    Elevation, "Elevation" => one_of(Elevation::ALL.map(Elevation::as_str))
        .description(Some("A claim that makes a token more than its bearer's own public-only one."));
    Algorithm, "Algorithm" => one_of(Algorithm::ALL.map(Algorithm::as_str)).description(Some("A signature algorithm."));
    Day, "Day" => one_of(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"])
        .description(Some("A day of the week."));
    IpRestriction, "IpRestriction" => formatted(
        "An IP address, or a network in CIDR notation.",
        "ip-network",
    ).examples(["10.0.0.0/8"]);
    TimeOfDay, "TimeOfDay" => text("A time of day, `HH:MM`.", TIME_OF_DAY, 5).examples(["09:30"]);
    Overlap, "Overlap" => text("A span in whole seconds, minutes, hours or days.", SPAN, Overlap::DIGITS_MAX + 1)
        .examples(["1h"]);
    Zone, "Zone" => formatted("The name of an IANA time zone.", "iana-time-zone").examples(["Europe/Zurich"]);
    Teams, "Teams" => teams();
}

fn text(description: &'static str, pattern: &'static str, max: usize) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .min_length(Some(1))
        .max_length(Some(max))
}

/// An e-mail address as a request gives it.
pub(super) fn address() -> RefOr<Schema> {
    const ADDRESS: &str = concat!("^[^@", deceptive!(), spaces!(), "]+@[^@", deceptive!(), spaces!(), "]+$");
    text("An e-mail address.", ADDRESS, Email::LENGTH_MAX).into()
}

fn formatted(description: &'static str, format: &'static str) -> ObjectBuilder {
    let format = SchemaFormat::Custom(format.to_owned());
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).format(Some(format))
}

fn teams() -> RefOr<Schema> {
    let description =
        "`null` reaches every team, a list those teams and what is public, an empty list only what is public.";
    super::explained(nullable(super::short_list(of::<TeamId>(), LIST_MAX)), description)
}

#[cfg(test)]
mod tests {
    use jsonschema::Validator;
    use utoipa::PartialSchema;

    use super::*;
    use crate::domain::Malformed;

    fn validator<T: PartialSchema>() -> Validator {
        let schema = serde_json::to_value(T::schema()).expect("json");
        jsonschema::draft202012::new(&schema).expect("a schema")
    }

    /// Asserts that the pattern of a type takes what its parser takes, and nothing else.
    fn agree<T: PartialSchema + TryFrom<String, Error = Malformed>>(texts: impl IntoIterator<Item = String>) {
        let validator = validator::<T>();
        for text in texts {
            let taken = T::try_from(text.clone()).is_ok();
            assert_eq!(validator.is_valid(&text.clone().into()), taken, "{text:?}: {}", std::any::type_name::<T>());
        }
    }

    #[test]
    fn patterns_and_parsers_agree_on_every_character_that_a_pattern_can_name() {
        let characters = || (0..=0xFFFF).filter_map(char::from_u32);

        agree::<Subject>(characters().map(String::from));
        agree::<Name>(characters().map(String::from));
        agree::<Name>(characters().map(|character| format!("a{character}b")));
    }

    #[test]
    fn patterns_and_parsers_agree_on_lengths_and_grammars() {
        agree::<Name>([100, 101].map(|length| "é".repeat(length)));
        agree::<Name>(["", " a", "a ", "a b", "a  b"].map(String::from));
        let permissions =
            ["*", "tools.*", "tools.read", "a-b_c.d.e", "", ".", "a.", "a..b", "*.a", "a*", "Tools", "a b"];
        agree::<Permission>(permissions.map(String::from));
        agree::<TimeOfDay>(
            ["00:00", "23:59", "24:00", "09:60", " 9:30", "9:30", "09:3", "09:300", ""].map(String::from),
        );
        agree::<Overlap>(["0s", "9999999d", "10000000s", "1", "s", "1w", "-1s", "1h30m", "1h ", ""].map(String::from));
        agree::<RequestId>(["a-b_c.D9", "a b", "a/b", "é", ""].map(String::from));
    }
}
