//! What an auditor asks of the log: folds over recorded events, without a clock and without a database.

pub mod token_life;
pub mod what_if;
