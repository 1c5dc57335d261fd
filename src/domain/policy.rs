//! What may be issued through which door.

use serde::{Deserialize, Serialize};

use super::origin::Path;

/// The rules in force, recorded as `policy.applied.v1`; every issuance names the version that allowed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// 1 for the first policy of a log, then one more each time.
    pub version: u32,
    /// For `POST /tokens`.
    pub api: PathPolicy,
    /// For `catalog issue --dev`.
    pub cli_dev: PathPolicy,
}

/// The rules of one door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathPolicy {
    /// The lifetime of a token for which none was asked, in seconds.
    pub ttl_seconds_default: u32,
    /// The longest lifetime, in seconds.
    pub ttl_seconds_max: u32,
}

impl Policy {
    /// The policy of a new catalog: an hour and at most 30 days by the API, 20 minutes and at most 7 days from a shell.
    #[must_use]
    pub fn initial() -> Self {
        const MINUTE: u32 = 60;
        const HOUR: u32 = 60 * MINUTE;
        const DAY: u32 = 24 * HOUR;
        Self {
            version: 1,
            api: PathPolicy { ttl_seconds_default: HOUR, ttl_seconds_max: 30 * DAY },
            cli_dev: PathPolicy { ttl_seconds_default: 20 * MINUTE, ttl_seconds_max: 7 * DAY },
        }
    }

    /// The rules of one door; every door past the API is held to the shell's.
    #[must_use]
    pub fn of(&self, path: Path) -> &PathPolicy {
        match path {
            Path::Api => &self.api,
            Path::CliDev | Path::CliAdmin | Path::System => &self.cli_dev,
        }
    }
}
