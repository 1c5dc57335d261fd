//! What another policy makes of a decision, as it is shown.

use serde::Serialize;
use uuid::Uuid;

use super::instant;
use crate::{
    domain::{
        Event, Path, Position, Recorded,
        audit::what_if::{Decided, Outcome, Verdict},
    },
    store::codec,
};

/// A decision of which something else would have come, or may have.
#[derive(Debug, Serialize)]
pub struct VerdictView<'a> {
    /// `changed`, or `untold` where the log does not tell.
    verdict: &'static str,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    /// Where in the log the decision stands.
    position: Position,
    /// Its kind.
    kind: &'static str,
    /// When it was decided.
    occurred_at: String,
    /// The door it came through.
    path: Path,
    /// Who asked, for people to read; `null` once erased.
    actor: Option<String>,
    /// For whom; `null` once erased, and where a rotation was refused.
    sub: Option<String>,
    /// The token that was issued; `null` for a refusal, but for that of a rotation.
    jti: Option<Uuid>,
    /// How many refusals the event stands for; the last is decided again.
    count: u32,
    /// What came of it.
    was: OutcomeView<'a>,
    /// What would have come of it: one of these.
    now: Vec<OutcomeView<'a>>,
}

/// What comes of a decision.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum OutcomeView<'a> {
    /// A token.
    Issued {
        /// Its lifetime, in seconds.
        expires_in: i64,
    },
    /// None.
    Refused {
        /// The rule that says no.
        rule: &'a str,
        /// What would be said of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
    },
}

impl<'a> VerdictView<'a> {
    /// `None` where the same comes of it.
    #[must_use]
    pub fn new(recorded: &Recorded, verdict: &'a Verdict) -> Option<Self> {
        let (name, why, was, now) = match verdict {
            Verdict::Same => return None,
            Verdict::Changed { was, now } => ("changed", None, was, now),
            Verdict::Untold { was, why, now } => ("untold", Some(why.as_str()), was, now),
        };
        let occurrence = &recorded.occurrence;
        let (sub, count) = match &occurrence.event {
            Event::TokenIssued(issued) => (issued.claims().map(|claims| claims.sub.to_string()), 1),
            Event::IssuanceRefused(refused) => (refused.sub.as_ref().map(ToString::to_string), refused.count),
            Event::RotationRefused(refused) => (None, refused.count),
            _ => (None, 1),
        };
        Some(Self {
            verdict: name,
            why,
            position: recorded.position,
            kind: codec::kind(&occurrence.event),
            occurred_at: instant(occurrence.occurred_at),
            path: occurrence.origin.path,
            actor: occurrence.origin.actor.display(),
            sub,
            jti: occurrence.event.jti(),
            count,
            was: OutcomeView::new(was, None),
            now: now.iter().map(|Decided { outcome, detail }| OutcomeView::new(outcome, detail.as_deref())).collect(),
        })
    }
}

impl<'a> OutcomeView<'a> {
    fn new(outcome: &'a Outcome, detail: Option<&'a str>) -> Self {
        match outcome {
            Outcome::Issued { expires_in } => Self::Issued { expires_in: *expires_in },
            Outcome::Refused { rule } => Self::Refused { rule, detail },
        }
    }
}
