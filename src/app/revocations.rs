//! Revocations of many tokens at once: named one by one, or by a rule.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Catalog, CommandError, Requester};
use crate::{
    domain::{
        Act, Command, Origin, Position, Predicate, Refusal, RevokeByRule, RevokeTokens, Token, denial::Denial,
        revoke_several::Verdict, rule::permit,
    },
    store::{
        self, AppendError, StoreError, fill,
        preview::{self, Preview},
    },
};

/// What became of a request for the end of several tokens.
#[derive(Debug, Clone)]
pub struct RevokedTokens {
    /// The verdicts, in the order of the request.
    pub verdicts: Vec<(Uuid, Verdict)>,
    /// Those that had been rotated, and what is left of their families.
    pub rotated: HashMap<Uuid, Rotated>,
    /// The position of the log that they hold for.
    pub position: Position,
}

/// Where a rotated token went on: its own end is not its successor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The first token of its family.
    pub family: Uuid,
    /// The token that took its place.
    pub successor: Uuid,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedByRule {
    /// The rule, by its position; `None` when it would have covered nothing, and none was needed.
    pub rule: Option<Position>,
    /// The position of the log that this holds for.
    pub position: Position,
}

/// Why a rule was neither added nor previewed.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// It was refused, or could not be recorded.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// What it covers could not be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Catalog {
    /// What a rule would do, at this moment. It is let pass and refused like the rule itself.
    ///
    /// # Errors
    /// [`RuleError`].
    pub async fn preview(&self, command: &RevokeByRule, requester: Requester) -> Result<Preview, RuleError> {
        if let Err(refusal) = permit(&command.predicate, &requester.authority) {
            store::metrics::refused(&refusal, requester.origin.path);
            return Err(self.denied_rule(command, refusal, requester.origin).await.into());
        }
        let predicate = self.of_whole_family(command.predicate.clone()).await?;
        Ok(preview::preview(self.database.reads(), &predicate, requester.authority.token(), self.ambient.clock.now())
            .await?)
    }

    /// Revokes every token that meets a predicate and was issued before: all at once, whatever their number, by one event.
    ///
    /// # Errors
    /// [`RuleError`].
    pub async fn revoke_by_rule(
        &self,
        mut command: RevokeByRule,
        requester: Requester,
    ) -> Result<RevokedByRule, RuleError> {
        let now = self.ambient.clock.now();
        command.predicate = self.of_whole_family(command.predicate).await?;
        let covers_any = self.covers_any(&command.predicate, now).await?;
        let idempotency = requester.named("revoke by rule", &command)?;
        let Requester { authority, origin, .. } = requester;
        let act = Act::RevokeByRule { command: Box::new(command.clone()), covers_any };
        let outcome = self.appender.append(Command { act, authority, origin: origin.clone(), now, idempotency }).await;
        let appended = match outcome {
            Err(AppendError::Refused(refusal)) => return Err(self.denied_rule(&command, refusal, origin).await.into()),
            outcome => outcome.map_err(CommandError::from)?,
        };
        self.rules_added.notify_one();
        let rule = appended.events.first().map(|event| event.position);
        if let Some(rule) = rule.filter(|_| !appended.is_repeat) {
            tracing::info!(command = "revoke by rule", reason = %command.reason, position = rule.0, "a rule was added");
        }
        Ok(RevokedByRule { rule, position: appended.position })
    }

    /// Whether a rule of `now` would end anything.
    async fn covers_any(&self, predicate: &Predicate, now: DateTime<Utc>) -> Result<bool, StoreError> {
        // What is in memory is most often what a rule is about, and the log has rules that are not in the rows to look at.
        if self.live_tokens.is_met_by_some(predicate, now) {
            return Ok(true);
        }
        match fill::covers_any(self.database.reads(), predicate, now).await {
            // A rule that covers nothing does no harm, and one that is not added may.
            Err(StoreError::TimedOut(_)) => Ok(true),
            found => found,
        }
    }

    /// A family goes by its first token, and may be asked for by any.
    async fn of_whole_family(&self, predicate: Predicate) -> Result<Predicate, StoreError> {
        let member = match predicate.family {
            Some(member) => self.token(member).await?,
            None => None,
        };
        Ok(Predicate { family: member.map(|member| member.family()).or(predicate.family), ..predicate })
    }

    async fn denied_rule(&self, command: &RevokeByRule, refusal: Refusal, origin: Origin) -> CommandError {
        let denial = Denial::of_rule(command, &refusal, self.ambient.clock.now());
        self.denied(refusal, denial, origin).await
    }

    /// Revokes several tokens in one transaction. A token that is unknown, or not the caller's to know, keeps no other
    /// from its end; that it was asked for is recorded like a revocation of it alone that was refused.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn revoke_several(
        &self,
        command: RevokeTokens,
        requester: Requester,
    ) -> Result<RevokedTokens, CommandError> {
        let now = self.ambient.clock.now();
        let idempotency = requester.named("revoke several", &command)?;
        let Requester { authority, origin, .. } = requester;
        let act = Act::RevokeSeveral(command.clone());
        let asked = Command { act, authority: authority.clone(), origin: origin.clone(), now, idempotency };
        let appended = match self.appender.append(asked).await {
            Err(AppendError::Refused(refusal)) => {
                self.note_denials(&command, command.ids(), |_| refusal.clone(), &origin).await?;
                return Err(refusal.into());
            }
            outcome => outcome?,
        };
        let since = appended.events.first().map(|event| event.position);
        let verdicts = command.verdicts(&authority, &appended.several, since);
        let (revoked, position) = (appended.events.len(), appended.position.0);
        if revoked > 0 && !appended.is_repeat {
            tracing::info!(command = "revoke several", revoked, position, "tokens were revoked");
        }
        let is_unknown = |(_, verdict): &&(Uuid, Verdict)| *verdict == Verdict::Unknown;
        let unknown: Vec<Uuid> = verdicts.iter().filter(is_unknown).map(|(jti, _)| *jti).collect();
        self.note_denials(&command, &unknown, |jti| Refusal::TokenUnknown { jti }, &origin).await?;
        let within = appended.several.iter().filter(|token| authority.reaches(token));
        let rotated =
            |token: &Token| Some((token.jti, Rotated { family: token.family(), successor: token.lineage.successor? }));
        Ok(RevokedTokens {
            rotated: within.filter_map(rotated).collect(),
            position: verdicts.iter().filter_map(position_of).fold(appended.position, Position::max),
            verdicts,
        })
    }

    async fn note_denials(
        &self,
        command: &RevokeTokens,
        ids: &[Uuid],
        refusal: impl Fn(Uuid) -> Refusal,
        origin: &Origin,
    ) -> Result<(), AppendError> {
        let now = self.ambient.clock.now();
        for jti in ids {
            let refusal = refusal(*jti);
            let denial = Denial::of_revocation(&command.one(*jti), &refusal, now);
            self.note_denial(&refusal, denial, origin.clone()).await?;
        }
        Ok(())
    }
}

/// The events of a repeated request stand behind the one that it is known by.
fn position_of((_, verdict): &(Uuid, Verdict)) -> Option<Position> {
    match verdict {
        Verdict::Revoked(position) => Some(*position),
        Verdict::AlreadyRevoked(_) | Verdict::Unknown => None,
    }
}
