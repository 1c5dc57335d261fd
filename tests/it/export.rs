//! `catalog audit export`: the log for other programs, in their formats, whole, once each, and never twice.

mod follow;
mod forms;
mod outputs;
mod ranges;
