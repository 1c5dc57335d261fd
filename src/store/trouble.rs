//! What the matter is with a database that answers, and cannot do what it is asked at the moment.

use std::fmt;

/// Why a database that answers cannot do what it is asked. Nothing is wrong with what is stored or asked, so the same
/// may well succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Its disk is full.
    DiskFull,
    /// Its memory is used up.
    MemoryFull,
    /// Every connection that it takes is in use.
    ConnectionsFull,
    /// It is starting, stopping or recovering.
    StartingOrStopping,
    /// It does not know the user, or the password.
    LoginRefused,
    /// It has no database of that name.
    DatabaseMissing,
    /// It only reads: a standby, or a primary that was told to.
    ReadOnly,
    /// Somebody else held a lock for too long: the head of the log, as a rule.
    LockHeld,
    /// It ended a session that stood still inside a transaction.
    SessionEnded,
    /// It gave up one of two transactions that were in each other's way.
    Conflict,
    /// Anything else that passes.
    Other,
}

impl Trouble {
    /// What an SQLSTATE means (PostgreSQL documentation, appendix A), if it is one that passes.
    #[must_use]
    pub fn of(sqlstate: &str) -> Option<Self> {
        match (sqlstate.get(..2)?, sqlstate) {
            (_, "25006") => Some(Self::ReadOnly),
            (_, "25P03") => Some(Self::SessionEnded),
            (_, "53100") => Some(Self::DiskFull),
            (_, "53200") => Some(Self::MemoryFull),
            (_, "53300") => Some(Self::ConnectionsFull),
            (_, "55P03") => Some(Self::LockHeld),
            (_, "57P01" | "57P02" | "57P03") => Some(Self::StartingOrStopping),
            ("28", _) => Some(Self::LoginRefused),
            ("3D", _) => Some(Self::DatabaseMissing),
            ("40", _) => Some(Self::Conflict),
            ("08" | "25" | "53" | "55" | "57" | "58", _) => Some(Self::Other),
            _ => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "the disk of the database is full",
            Self::MemoryFull => "the database is out of memory",
            Self::ConnectionsFull => "the database has no connection to spare",
            Self::StartingOrStopping => "the database is starting or stopping",
            Self::LoginRefused => "the database refuses the login",
            Self::DatabaseMissing => "there is no such database",
            Self::ReadOnly => "the database only reads",
            Self::LockHeld => "a lock of the database was held for too long",
            Self::SessionEnded => "the database ended a session that stood still",
            Self::Conflict => "the database gave up a transaction that was in another's way",
            Self::Other => "the database cannot do it at the moment",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_passes_is_told_by_name_and_no_other_passes() {
        assert_eq!(Trouble::of("53100"), Some(Trouble::DiskFull));
        assert_eq!(Trouble::of("53400"), Some(Trouble::Other));
        assert_eq!(Trouble::of("28P01"), Some(Trouble::LoginRefused));
        for defect in ["23505", "42P01", "22001", "XX001", "5", ""] {
            assert_eq!(Trouble::of(defect), None, "{defect}");
        }
    }
}
