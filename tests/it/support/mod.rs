//! What tests stand on: a real cluster, a database each, a clock and an entropy of their own, and both doors.

pub mod cluster;
pub mod world;

pub use cluster::TestDatabase;
pub use world::World;
