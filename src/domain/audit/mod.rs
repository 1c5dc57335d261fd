//! The log, read out: folds over recorded events that anyone can repeat. They know no clock, no zone and no chance, and what
//! they come to is sorted.

mod cover;
pub mod days;
pub mod denials;
pub mod findings;
mod fold;
mod held;
pub mod issuance;
pub mod live;
pub mod out_of_band;
mod pool;
mod read;
pub mod reads;
pub mod report;
pub mod revocations;
mod scope;
pub mod seen;
pub mod settings;
pub mod tally;
pub mod token_life;
pub mod watch;
pub mod what_if;

pub use fold::Fold;
pub use read::{AuditRead, Handed};
pub use report::{LogPart, Report};
pub use scope::{REPORT_VERSION, Scope};
