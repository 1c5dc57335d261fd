//! A revocation that nothing is read for: the memory knows what it is decided by.

use tokio::time::Instant;

use super::{
    super::{
        StoreError,
        draft::{Decision, Draft},
        metrics,
    },
    BEGIN_TIMEOUT, Clock, Writer, within,
};
use crate::domain::{Act, Command, Event, Position, State, TokenRevoked, revoke::revoke_known, token::Revocation};

impl Writer {
    /// Revokes a token of which the memory knows enough: nothing is read, and what is written takes effect if the head is
    /// still there that the memory has come to. `None`: nothing was recorded. An error: perhaps it was.
    pub(super) async fn revoke_at_once(&mut self, commands: &[&Command]) -> Result<Option<Vec<Decision>>, StoreError> {
        let Some((command, revoked, issued)) = self.known_revocation(commands) else { return Ok(None) };
        let Some(known) = self.known.take() else { return Ok(None) };
        let (Some(now), Some(mut connection)) = (known.clock.now(), self.connection.take()) else { return Ok(None) };
        let now = now.max(known.head.recorded_at);
        let mut draft = Draft::new(known.head, now, State::new(known.settings));
        let appended = draft.carry_out(command, vec![Event::TokenRevoked(revoked.clone())], &*self.entropy)?;
        let Some(recorded) = appended.events.first() else { return Ok(None) };
        let begun = Instant::now();
        let revocation = Revocation::of(&revoked, recorded);
        let writing = draft.write_revocation(&mut connection, issued, &revocation);
        let written = within(BEGIN_TIMEOUT, writing).await;
        metrics::commit(begun.elapsed());
        self.is_alone = matches!(written, Ok(Some(_)));
        match written {
            Ok(Some(said)) => {
                self.connection = Some(connection);
                let decisions = self.recorded(draft, vec![Ok(appended)]);
                self.known.iter_mut().for_each(|known| known.clock = Clock { said, heard: Instant::now() });
                Ok(Some(decisions))
            }
            Ok(None) => {
                self.connection = Some(connection);
                Ok(None)
            }
            Err(error) if error.is_rolled_back() => Ok(None),
            Err(error) => {
                self.live.doubt();
                Err(error)
            }
        }
    }

    /// The one command of a batch, if it revokes a token and the memory, at the known end of the log, can tell that it does;
    /// with where the token was issued.
    fn known_revocation<'a>(&self, commands: &[&'a Command]) -> Option<(&'a Command, TokenRevoked, Position)> {
        let [command] = commands else { return None };
        let Act::Revoke(asked) = &command.act else { return None };
        let known = self.known.as_ref().filter(|_| command.idempotency.is_none())?;
        let tokens = self.live.at(known.end(), command.tokens_needed())?;
        let revoked = revoke_known(|jti| tokens.get(&jti).cloned(), asked, &command.authority, command.now)?;
        Some((command, revoked, tokens.get(&asked.jti)?.issued))
    }
}
