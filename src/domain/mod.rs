//! The decisions, pure: no clock, no chance, no `await`, no SQL, no HTTP.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | command | something asked for, imperative: [`IssueToken`], [`RevokeToken`] |
//! | event | something that happened, past tense: [`TokenIssued`], [`TokenRevoked`] |
//! | position | the place of an event in the log: 1, 2, 3 … without a hole |
//! | cursor | a reader's last position |
//! | subject | whom a token speaks for (`sub`, RFC 7519 section 4.1.2) |
//! | actor | who caused an event |
//! | caller | who sent the request at hand |
//! | courier | a token with the `jti` of one that is revoked here, which a gateway takes as the word to revoke it: [`courier`] |
//! | client | a gateway or service that calls with a name and a secret of its own: [`client`] |
//! | authority | what a caller may grant |
//! | path | the door an event came through: `api`, `cli-dev`, `cli-admin`, `system` |
//! | family | a token and its successors, each of which took the place of the one before |
//! | person | whoever a trusted issuer vouches for |
//! | out-of-band | issued through a shell, past the API's controls, and flagged so |
//! | state | what the log says of a token: issued, revoked, suspended |
//! | status | a state at an instant: `active`, `expired`, `suspended`, `revoked` |
//! | rule | a revocation of every token that was issued before it and meets its predicate: [`Rule`] |
//! | refusal | the domain said no |
//! | malformed | an input that did not parse |
//! | trusted issuer | an identity provider whose access tokens the policy takes |
//! | status list | many tokens' status in one signed list that anybody may fetch (Token Status List) |
//! | entry | a token's place in a status list |
//! | settings | what shapes every token and is itself in the log: issuer, audience, policy, keys |
//! | signing input | the exact `header.payload` that is signed (RFC 7515 section 2) |

pub mod ambient;
pub mod as_of;
pub mod asker;
pub mod audit;
pub mod authority;
pub mod causes;
pub mod changes;
pub mod claims;
pub mod client;
pub mod command;
pub mod configure;
mod contain;
pub mod courier;
pub mod denial;
pub mod event;
pub mod idempotency;
pub mod index;
pub mod issue;
pub mod key;
pub mod key_history;
pub mod key_life;
pub mod likeness;
mod live_lists;
mod live_token;
pub mod malformed;
pub mod membership;
pub mod object;
pub mod origin;
mod packed;
mod permit;
pub mod person;
pub mod policy;
pub mod positive;
pub mod provenance;
pub mod refusal;
pub mod restrictions;
pub mod revoke;
pub mod revoke_several;
pub mod rotate;
pub mod rule;
pub mod settings;
mod spread;
pub mod state;
pub mod status;
pub mod status_list;
pub mod suspend;
pub mod text;
pub mod token;
pub mod trusted_issuer;

pub use as_of::AsOf;
pub use authority::Authority;
pub use claims::{Claims, Header};
pub use command::{Act, Command};
pub use event::{Event, Occurrence, Position, Recorded, TokenIssued, TokenRevoked, TokensRevokedByRule};
pub use issue::IssueToken;
pub use malformed::Malformed;
pub use origin::{Actor, Origin, Path};
pub use refusal::Refusal;
pub use revoke::RevokeToken;
pub use revoke_several::RevokeTokens;
pub use rotate::RotateToken;
pub use rule::{Predicate, RevokeByRule, Rule};
pub use settings::Settings;
pub use state::State;
pub use status::Status;
pub use suspend::ChangeSuspension;
pub use token::Token;
