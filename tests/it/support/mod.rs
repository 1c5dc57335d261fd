//! What tests stand on: a real cluster, a database each, a clock and an entropy of their own, and both doors.

pub mod appending;
pub mod cluster;
pub mod contract;
pub mod hand;
pub mod load;
pub mod office;
pub mod process;
pub mod provider;
pub mod proxy;
pub mod settings;
pub mod terminal;
pub mod tls;
pub mod world;

pub use cluster::TestDatabase;
pub use hand::{Does, Hand};
pub use office::Office;
pub use process::Site;
pub use world::World;
