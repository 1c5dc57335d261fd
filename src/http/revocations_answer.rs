//! The answers of `POST /revocations`.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{RevokedTokens, Rotated, view::instant},
    domain::{
        Path, Position,
        claims::CanonicalUuid,
        revoke_several::Verdict,
        text::{Name, Subject},
    },
    store::preview::{Preview, Sample, Share},
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

/// What a rule would do. Breakdown and sample are of the active tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct RulePreview<'a> {
    /// The position of the log that it holds for.
    position: Position,
    /// How many tokens would newly become inactive.
    active: u64,
    /// How many suspended ones could no longer be resumed.
    suspended: u64,
    /// How many expired ones would be revoked besides.
    expired: u64,
    /// By subject, the most frequent first, 20 at most.
    #[schema(max_items = 20)]
    by_subject: Vec<RuleShare<'a>>,
    /// By team; `null` is every team. A token of several counts for each.
    #[schema(max_items = 20)]
    by_team: Vec<RuleShare<'a>>,
    /// By door.
    #[schema(max_items = 20)]
    by_path: Vec<RuleShare<'a>>,
    /// The newest, 20 at most.
    #[schema(max_items = 20)]
    sample: Vec<RuleSample<'a>>,
    /// Whether the token that this was asked with is among them.
    covers_credential: bool,
    /// How many active tokens would stay that the rule covered with `successors`: they took the place of tokens that meet it.
    successors_left: u64,
}

/// How many tokens share something.
#[derive(Serialize, ToSchema)]
struct RuleShare<'a> {
    /// What.
    #[schema(required)]
    value: Option<&'a str>,
    /// How many.
    tokens: u64,
}

/// One of the tokens that a rule would revoke.
#[derive(Serialize, ToSchema)]
struct RuleSample<'a> {
    /// Its identifier.
    #[schema(value_type = CanonicalUuid)]
    jti: Uuid,
    /// Whom it speaks for.
    #[schema(required, value_type = Option<Subject>)]
    sub: Option<&'a str>,
    /// Its name.
    #[schema(required, value_type = Option<Name>)]
    name: Option<&'a str>,
    /// The door it came through.
    #[schema(value_type = Path)]
    path: &'a str,
    /// When it was issued.
    #[schema(format = DateTime)]
    issued_at: String,
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

impl<'a> From<&'a Preview> for Revocations<'a> {
    fn from(preview: &'a Preview) -> Self {
        let shares = |shares: &'a [Share]| {
            shares.iter().map(|share| RuleShare { value: share.value.as_deref(), tokens: share.tokens }).collect()
        };
        Self::Preview(RulePreview {
            position: preview.position,
            active: preview.counts.active,
            suspended: preview.counts.suspended,
            expired: preview.counts.expired,
            by_subject: shares(&preview.by_subject),
            by_team: shares(&preview.by_team),
            by_path: shares(&preview.by_path),
            sample: preview.sample.iter().map(RuleSample::from).collect(),
            covers_credential: preview.covers_credential,
            successors_left: preview.successors_left,
        })
    }
}

impl<'a> From<&'a Sample> for RuleSample<'a> {
    fn from(sample: &'a Sample) -> Self {
        let (sub, name, path) = (sample.sub.as_deref(), sample.name.as_deref(), sample.path.as_str());
        Self { jti: sample.jti, sub, name, path, issued_at: instant(sample.iat) }
    }
}
