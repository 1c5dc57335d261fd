//! What a set makes of pages: those that go on, those that do not, and what it says of tokens meanwhile.

#![expect(unreachable_pub, reason = "the modules of one binary share their helpers")]
#![expect(clippy::unwrap_used, reason = "a test ends where it finds something else than it expects")]

mod set {
    pub mod deliveries;
    pub mod model;
    pub mod pages;
    pub mod readers;
    pub mod truth;
}
