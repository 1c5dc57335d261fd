//! The body of `POST /revocations`: tokens by their identifiers, by what they are like, or all of them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{Object, ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

use super::{body::instant, problem::Problem};
use crate::domain::{
    Path, Predicate, RevokeByRule, RevokeTokens,
    claims::CanonicalUuid,
    object,
    revoke::RevocationReason,
    text::{Kid, Name, Note, Permission, Subject, TeamId},
};

/// What is to be revoked.
#[derive(Debug)]
pub(super) enum Asked {
    /// These tokens.
    Tokens(RevokeTokens),
    /// What a rule covers.
    Rule(RevokeByRule),
    /// Nothing: what would a rule cover?
    Preview(RevokeByRule),
}

/// All that may be in the body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[serde(default, deserialize_with = "said")]
    ids: Option<Vec<CanonicalUuid>>,
    #[serde(default, rename = "where", deserialize_with = "said_object")]
    conditions: Option<Conditions>,
    #[serde(default, deserialize_with = "said")]
    successors: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    all: Option<bool>,
    #[serde(default)]
    reason: RevocationReason,
    #[serde(default)]
    note: Option<Note>,
    #[serde(default, deserialize_with = "said")]
    dry_run: Option<bool>,
}

/// A condition that is `null` is none, and must not be left out: the rule would cover more than was meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Conditions {
    #[serde(default, deserialize_with = "said")]
    sub: Option<Subject>,
    #[serde(default, deserialize_with = "said")]
    team: Option<TeamId>,
    #[serde(default, deserialize_with = "said")]
    path: Option<Path>,
    #[serde(default, deserialize_with = "said")]
    kid: Option<Kid>,
    #[serde(default, deserialize_with = "said")]
    permission: Option<Permission>,
    #[serde(default, deserialize_with = "said")]
    name: Option<Name>,
    #[serde(default, deserialize_with = "instant")]
    issued_after: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "instant")]
    issued_before: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "said")]
    family: Option<CanonicalUuid>,
}

/// For members whose `null` must not be read as absent.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn said_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    object::object(deserializer).map(Some)
}

impl Body {
    /// What is asked for, if it is one thing.
    pub(super) fn asked(self) -> Result<Asked, Problem> {
        let (reason, note, dry_run) = (self.reason, self.note, self.dry_run);
        if self.successors.is_some() && self.conditions.is_none() {
            return Err(Problem::malformed_body("/successors", "is for rules with conditions".to_owned()));
        }
        match (self.ids, self.conditions, self.all) {
            (Some(_), None, None) if dry_run.is_some() => {
                Err(Problem::malformed_body("/dry_run", "is for rules; identifiers have no preview".to_owned()))
            }
            (Some(ids), None, None) => {
                let ids = ids.into_iter().map(|CanonicalUuid(jti)| jti).collect();
                let command = RevokeTokens::new(ids, reason, note);
                command.map(Asked::Tokens).map_err(|error| Problem::malformed_body("/ids", error.to_string()))
            }
            (None, Some(conditions), None) => {
                let predicate = Predicate::from(conditions).kept();
                if predicate.is_empty() {
                    let detail = "names no condition; if every token is meant, say \"all\": true";
                    return Err(Problem::malformed_body("/where", detail.to_owned()));
                }
                let predicate = Predicate { successors: self.successors == Some(true), ..predicate };
                Ok(Asked::rule(RevokeByRule { predicate, reason, note }, dry_run))
            }
            (None, None, Some(true)) => {
                Ok(Asked::rule(RevokeByRule { predicate: Predicate::default(), reason, note }, dry_run))
            }
            (None, None, Some(false)) => Err(Problem::malformed_body("/all", "can only be true".to_owned())),
            _ => Err(Problem::malformed_body("", "needs exactly one of ids, where and all".to_owned())),
        }
    }
}

impl Asked {
    fn rule(command: RevokeByRule, dry_run: Option<bool>) -> Self {
        if dry_run == Some(true) { Self::Preview(command) } else { Self::Rule(command) }
    }
}

impl From<Conditions> for Predicate {
    fn from(conditions: Conditions) -> Self {
        let Conditions { sub, team, path, kid, permission, name, issued_after, issued_before, family } = conditions;
        let family = family.map(|CanonicalUuid(jti)| jti);
        let successors = false;
        Self { sub, team, path, kid, permission, name, issued_after, issued_before, family, successors }
    }
}

impl PartialSchema for Body {
    fn schema() -> RefOr<Schema> {
        let ways = OneOfBuilder::new().description(Some("What is to be revoked, and why."));
        ways.item(ByIds::schema()).item(ByRule::schema()).item(Everything::schema()).into()
    }
}

impl ToSchema for Body {
    fn name() -> std::borrow::Cow<'static, str> {
        "RevocationsRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ByIds::schemas(schemas);
        ByRule::schemas(schemas);
        Everything::schemas(schemas);
    }
}

/// These tokens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is the schema of one of the forms that the body has")]
struct ByIds {
    /// Their identifiers, in any order and as often as one likes.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<CanonicalUuid>,
    /// Why, in one of RFC 5280's words; absent = `unspecified`.
    #[serde(default)]
    reason: RevocationReason,
    /// Why, in a person's words.
    note: Option<Note>,
}

/// Every token that was issued before and meets all conditions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is the schema of one of the forms that the body has")]
struct ByRule {
    /// What a token must be like.
    #[serde(rename = "where")]
    conditions: Predicate,
    /// Whether `path`, `kid`, `issued_after` and `issued_before` may, all of them, be met by the first of a token's family
    /// instead: so the rule also covers what took the place of such tokens.
    #[serde(default)]
    successors: bool,
    /// Why, in one of RFC 5280's words; absent = `unspecified`.
    #[serde(default)]
    reason: RevocationReason,
    /// Why, in a person's words.
    note: Option<Note>,
    /// Whether nothing is to be revoked, and only told what would be.
    #[serde(default)]
    dry_run: bool,
}

/// Every token that was issued before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is the schema of one of the forms that the body has")]
struct Everything {
    #[schema(schema_with = yes)]
    all: bool,
    /// Why, in one of RFC 5280's words; absent = `unspecified`.
    #[serde(default)]
    reason: RevocationReason,
    /// Why, in a person's words.
    note: Option<Note>,
    /// Whether nothing is to be revoked, and only told what would be.
    #[serde(default)]
    dry_run: bool,
}

fn yes() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).build()
}
