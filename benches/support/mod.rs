//! What the benches share: the real program on a directory of its own, connections to it, and figures with their spread.

pub mod figures;
pub mod load;
pub mod stand;
