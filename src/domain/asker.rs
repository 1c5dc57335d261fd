//! By what authority somebody asked, as far as the log tells: what a recorded actor could do at that place of the log.

use super::{Actor, Authority, Origin, Path, State, person::PersonSeen, text::Subject};

/// The authority of whoever caused an event, by the state before it. `None`: the log does not tell. A person's address
/// is not recorded.
#[must_use]
pub fn authority(state: &State, origin: &Origin) -> Option<Authority> {
    match &origin.actor {
        Actor::Token { jti, .. } => state.token(*jti).map(Authority::of_record),
        Actor::Person { issuer, sub } => {
            let sub = Subject::parse(sub.clone()?).ok()?;
            state.person(&sub).filter(|seen| seen.issuer == *issuer).and_then(PersonSeen::authority)
        }
        Actor::OsUser(_) if origin.path != Path::Api => Some(Authority::of_shell()),
        Actor::OsUser(_) | Actor::Client { .. } | Actor::Anonymous => None,
    }
}
