//! The answers of `POST /revocations`.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{RevokedTokens, Rotated, view::RulePreview},
    domain::{Position, claims::CanonicalUuid, revoke_several::Verdict},
};

/// What became of the request, in the form of what was asked for.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Revocations<'a> {
    Results(RevocationResults),
    Rule(RuleResult),
    Preview(RulePreview<'a>),
}

/// What became of tokens that were named.
#[derive(Serialize, ToSchema)]
pub(super) struct RevocationResults {
    /// One for each identifier, in their order.
    results: Vec<RevocationResult>,
}

/// What became of one token.
#[derive(Serialize, ToSchema)]
struct RevocationResult {
    /// Its identifier.
    #[schema(value_type = CanonicalUuid)]
    jti: Uuid,
    /// What became of it.
    outcome: RevocationOutcome,
    /// Where in the log its revocation stands.
    #[schema(required)]
    position: Option<Position>,
    /// For a token that had been rotated: its successor, which does not end with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated: Option<RotatedToken>,
}

/// Where a rotated token went on.
#[derive(Serialize, ToSchema)]
struct RotatedToken {
    /// The first token of its family: a rule `where` it is the `family` ends them all.
    #[schema(value_type = CanonicalUuid)]
    family: Uuid,
    /// The token that took its place.
    #[schema(value_type = CanonicalUuid)]
    successor: Uuid,
}

/// What became of a token: `revoked` by this request, revoked before, or unknown, which is also said of one that is not
/// the caller's to know.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RevocationOutcome {
    Revoked,
    AlreadyRevoked,
    Unknown,
}

/// What became of a rule.
#[derive(Serialize, ToSchema)]
pub(super) struct RuleResult {
    /// The rule, by its position in the log; `null` when there was nothing for it to revoke, and none was added.
    #[schema(required)]
    pub(super) rule: Option<Position>,
}

impl From<RevokedTokens> for Revocations<'_> {
    fn from(revoked: RevokedTokens) -> Self {
        let RevokedTokens { verdicts, rotated, .. } = revoked;
        let result = |(jti, verdict)| RevocationResult::of(jti, verdict, rotated.get(&jti).copied());
        Self::Results(RevocationResults { results: verdicts.into_iter().map(result).collect() })
    }
}

impl RevocationResult {
    fn of(jti: Uuid, verdict: Verdict, rotated: Option<Rotated>) -> Self {
        let (outcome, position) = match verdict {
            Verdict::Revoked(position) => (RevocationOutcome::Revoked, Some(position)),
            Verdict::AlreadyRevoked(position) => (RevocationOutcome::AlreadyRevoked, Some(position)),
            Verdict::Unknown => (RevocationOutcome::Unknown, None),
        };
        let rotated = rotated.map(|Rotated { family, successor }| RotatedToken { family, successor });
        Self { jti, outcome, position, rotated }
    }
}
