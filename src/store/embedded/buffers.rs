//! How much memory the cluster's server keeps pages in.

use std::fs;

use rustix::system::sysinfo;

/// What PostgreSQL takes if it is not told.
const LEAST_MB: u64 = 128;
/// Room for the indexes of some millions of tokens. It is taken as it is used.
const MOST_MB: u64 = 1024;
/// What a container may use of the machine, where it may not use all of it.
const LIMIT: &str = "/sys/fs/cgroup/memory.max";

/// A quarter of the memory here, as PostgreSQL's manual advises, within bounds; in megabytes.
pub(super) fn megabytes() -> u64 {
    let machine = sysinfo();
    let machine = machine.totalram.saturating_mul(machine.mem_unit.into());
    let container = fs::read_to_string(LIMIT).ok().and_then(|limit| limit.trim().parse().ok());
    of(container.unwrap_or(u64::MAX).min(machine))
}

fn of(bytes: u64) -> u64 {
    (bytes / 4 / 1024 / 1024).clamp(LEAST_MB, MOST_MB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_memory_is_for_pages_and_never_less_or_more_than_is_of_use() {
        const GB: u64 = 1024 * 1024 * 1024;
        for (bytes, megabytes) in [(0, 128), (GB, 256), (4 * GB, 1024), (64 * GB, 1024)] {
            assert_eq!(of(bytes), megabytes, "{bytes}");
        }
    }
}
