//! A follower against a feed that loses, repeats, delays and contradicts itself: it knows, or it says that it does not.

#![cfg(feature = "follow")]
#![expect(unreachable_pub, reason = "the modules of one binary share their helpers")]
#![expect(clippy::unwrap_used, reason = "a test ends where it finds something else than it expects")]

mod feed {
    pub mod catalog;
    pub mod faults;
    pub mod follows;
    pub mod proxy;
    pub mod restarts;
    pub mod stage;
}
