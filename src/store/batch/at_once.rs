//! A revocation that nothing is read for: the memory knows what it is decided by.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{
    super::{
        StoreError,
        draft::{Decision, Draft},
        metrics,
        names::Names,
    },
    BatchError, Clock, Known, Writer, within,
};
use crate::domain::{
    Act, Command, Event, Position, State, TokenRevoked, causes::Causes, revoke::revoke_known, token::Revocation,
};

/// How long the one statement may take, with the disk and whoever has the head: past it the connection is taken for dead.
const WRITE_TIMEOUT: Duration = Duration::from_millis(1_500);

/// A revocation that was decided, and when it is recorded.
struct Decided<'a> {
    command: &'a Command,
    revoked: TokenRevoked,
    issued: Position,
    now: DateTime<Utc>,
}

impl Writer {
    /// Revokes a token of which the memory knows enough: what is written takes effect if the head is still there that the
    /// memory has come to. `None`: nothing was recorded.
    pub(super) async fn revoke_at_once(&mut self, commands: &[&Command]) -> Result<Option<Vec<Decision>>, BatchError> {
        let Some(decided) = self.decide_at_once(commands) else { return Ok(None) };
        match self.write_at_once(decided).await {
            Ok(decisions) => Ok(decisions),
            Err(error) => {
                let request_ids = Names::of(commands.iter().copied());
                tracing::warn!(error = %Causes(&error), %request_ids, "it is looked for whether a revocation was recorded");
                self.live.doubt();
                self.look_for(commands).await.map(Some)
            }
        }
    }

    /// Decides again on what the log says under the lock, which nobody gets whose statement is still under way: what is found is
    /// told, and what is not is recorded. Who is refused may be so because it was recorded.
    async fn look_for(&mut self, commands: &[&Command]) -> Result<Vec<Decision>, BatchError> {
        match self.record_locked(commands).await {
            Ok(decisions) if decisions.iter().all(Result::is_ok) => Ok(decisions),
            Ok(_) | Err(BatchError::AtCommit) => Err(BatchError::AtCommit),
            Err(BatchError::Before(error)) => {
                let (error, request_ids) = (Causes(&error), Names::of(commands.iter().copied()));
                tracing::error!(%error, %request_ids, "the outcome of a revocation is unknown");
                Err(BatchError::AtCommit)
            }
        }
    }

    /// The one command of a batch, if it revokes a token and the memory, at the known end of the log, can tell that it does.
    fn decide_at_once<'a>(&self, commands: &[&'a Command]) -> Option<Decided<'a>> {
        let [command] = commands else { return None };
        let Act::Revoke(asked) = &command.act else { return None };
        let known = self.known.as_ref().filter(|_| command.idempotency.is_none() && self.connection.is_some())?;
        let now = known.clock.now()?.max(known.head.recorded_at);
        let (revoked, issued) = self.live.at(known.end(), |index| {
            let revoked = revoke_known(|jti| index.get(jti), asked, &command.authority, command.now)?;
            Some((revoked, index.get(asked.jti)?.issued))
        })?;
        Some(Decided { command, revoked, issued, now })
    }

    /// An error: it may be recorded.
    async fn write_at_once(&mut self, decided: Decided<'_>) -> Result<Option<Vec<Decision>>, StoreError> {
        let Decided { command, revoked, issued, now } = decided;
        let (Some(known), Some(mut connection)) = (self.known.take(), self.connection.take()) else { return Ok(None) };
        let Known { head, settings, clock } = known;
        let mut draft = Draft::new(head.clone(), Clock { said: now, ..clock }, State::new(settings));
        let appended = draft.carry_out(command, vec![Event::TokenRevoked(revoked.clone())], &*self.entropy)?;
        let Some(recorded) = appended.events.first() else { return Ok(None) };
        let revocation = Revocation::of(&revoked, recorded);
        let begun = Instant::now();
        let written = within(WRITE_TIMEOUT, draft.write_revocation(&mut connection, issued, &revocation)).await;
        metrics::commit(begun.elapsed());
        self.is_alone = matches!(written, Ok(Some(_)));
        match written {
            Ok(Some(said)) => {
                self.connection = Some(connection);
                let decisions = self.recorded(draft, vec![Ok(appended)]);
                self.known.iter_mut().for_each(|known| known.clock = Clock { said, heard: begun });
                return Ok(Some(decisions));
            }
            Ok(None) => self.connection = Some(connection),
            Err(error) if error.is_rolled_back() => {
                let request_ids = Names::of([command].into_iter());
                tracing::warn!(error = %Causes(&error), %request_ids, "a revocation is decided again, on what is read");
            }
            Err(error) => return Err(error),
        }
        self.known = Some(Known { head, settings: draft.into_settings(), clock });
        Ok(None)
    }
}
