//! What gateways link, against the real program: a gateway knows what the log says, or says that it does not.

mod faults;
mod guard;
mod outpost;
#[path = "../../clients/gateway/tests/feed/proxy.rs"]
pub mod proxy;
