//! `catalog` issues, lists, revokes and checks the JWT API tokens of a gateway, and can prove afterwards what happened.
//!
//! The house has floors, and nothing imports upward:
//!
//! * [`domain`] decides. It is pure: time, chance and state are its arguments.
//! * [`signing`] holds the keys: it signs what the log has recorded, and verifies strictly.
//! * [`store`] keeps the log and its projections in Postgres, and is the only floor that speaks SQL.
//! * [`app`] is the one door for every write, and joins signatures with the log for every check.
//! * [`http`] and [`cli`] turn requests and arguments into commands, and outcomes into answers.
pub mod app;
pub mod cli;
pub mod domain;
pub mod http;
pub mod signing;
pub mod store;
