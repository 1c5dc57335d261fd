//! What a rule would do, as it is shown before it is added.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::instant;
use crate::{
    domain::{
        Path, Position,
        claims::CanonicalUuid,
        text::{Name, Subject},
    },
    store::preview::{Preview, Sample, Share},
};

/// What a rule would do. Breakdown and sample are of the active tokens.
#[derive(Serialize, ToSchema)]
pub struct RulePreview<'a> {
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

impl<'a> From<&'a Preview> for RulePreview<'a> {
    fn from(preview: &'a Preview) -> Self {
        let shares = |shares: &'a [Share]| {
            shares.iter().map(|share| RuleShare { value: share.value.as_deref(), tokens: share.tokens }).collect()
        };
        Self {
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
        }
    }
}

impl<'a> From<&'a Sample> for RuleSample<'a> {
    fn from(sample: &'a Sample) -> Self {
        let (sub, name, path) = (sample.sub.as_deref(), sample.name.as_deref(), sample.path.as_str());
        Self { jti: sample.jti, sub, name, path, issued_at: instant(sample.iat) }
    }
}
