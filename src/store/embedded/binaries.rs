//! Finding the binaries of a Postgres server on this machine; nothing is ever downloaded.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::{Account, command};
use super::child::run;
use super::{EmbeddedError, Location};

/// The oldest major version whose features the store may use.
const MAJOR_MIN: u32 = 15;
const REQUIRED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];
const VERSION_TIME_MAX: Duration = Duration::from_secs(20);

/// Where distributions put each version: the parent, how its entries begin, and where the binaries are in them.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

/// A directory of server binaries that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory; it holds `initdb`, `pg_ctl` and `postgres`.
    pub directory: PathBuf,
    /// The major version: 15 or newer.
    pub major: u32,
}

impl Binaries {
    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }
}

/// Finds the server binaries for `location`, with `wanted_major` those of that major version alone.
///
/// # Errors
///
/// [`EmbeddedError`] when there are none that run as the user who would run them, or only those of other versions.
pub fn find_binaries(location: &Location, wanted_major: Option<u32>) -> Result<Binaries, EmbeddedError> {
    let account = Account::for_cluster(&location.data.join("pg"))?;
    find(location, wanted_major, account.as_ref())
}

pub(super) fn find(
    location: &Location,
    wanted_major: Option<u32>,
    account: Option<&Account>,
) -> Result<Binaries, EmbeddedError> {
    let mut others = Vec::new();
    let mut rejected = Vec::new();
    for directory in candidates(location) {
        match examine(&directory, account) {
            Ok(binaries) if wanted_major.is_none_or(|wanted| wanted == binaries.major) => {
                return Ok(binaries);
            }
            Ok(binaries) => others.push(binaries),
            Err(reason) => rejected.push(format!("{}: {reason}", directory.display())),
        }
    }
    Err(none_suits(location, wanted_major, &others, rejected))
}

fn none_suits(
    location: &Location,
    wanted_major: Option<u32>,
    others: &[Binaries],
    rejected: Vec<String>,
) -> EmbeddedError {
    if location.pg_bin.is_some() && others.is_empty() {
        return EmbeddedError::NamedBinaries { reason: rejected.join("; ") };
    }
    match wanted_major {
        Some(cluster) => EmbeddedError::WrongMajor { path: location.data.join("pg"), cluster, found: describe(others) },
        None => EmbeddedError::NoBinaries { rejected },
    }
}

/// The directories to examine, best first. One that was named is the only one: a setting that is silently passed over
/// would be worse than an error.
fn candidates(location: &Location) -> Vec<PathBuf> {
    if let Some(named) = &location.pg_bin {
        return vec![named.clone()];
    }
    let mut found = on_path(location);
    found.extend(versioned());
    found.push(PathBuf::from("/usr/local/pgsql/bin"));
    found.extend(location.cache.as_ref().map(|cache| cache.join("postgresql/bin")));
    let mut distinct: Vec<PathBuf> = Vec::new();
    for directory in found {
        if directory.join("initdb").exists() && !distinct.contains(&directory) {
            distinct.push(directory);
        }
    }
    distinct
}

/// The real directories of each `initdb` on `PATH`: beside a link there is often nothing else of Postgres.
fn on_path(location: &Location) -> Vec<PathBuf> {
    let directories = std::env::split_paths(&location.path).filter(|path| path.is_absolute());
    let real = directories.filter_map(|directory| directory.join("initdb").canonicalize().ok());
    real.filter_map(|initdb| initdb.parent().map(Path::to_owned)).collect()
}

fn versioned() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> =
        VERSIONED.into_iter().flat_map(|(parent, prefix, bin)| versions_in(Path::new(parent), prefix, bin)).collect();
    found.sort_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}

fn versions_in(parent: &Path, prefix: &str, bin: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let versions = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let version = name.strip_prefix(prefix)?.parse().ok()?;
        Some((version, entry.path().join(bin)))
    });
    versions.collect()
}

/// Whether the binaries in `directory` are whole, run, and are new enough; else why not.
fn examine(directory: &Path, account: Option<&Account>) -> Result<Binaries, String> {
    for program in REQUIRED {
        if !directory.join(program).exists() {
            return Err(format!("has no {program}"));
        }
    }
    let mut version = command(&directory.join("postgres"), account);
    version.arg("--version");
    let (status, output) =
        run(version, "", VERSION_TIME_MAX).map_err(|error| format!("its postgres does not run: {error}"))?;
    if !status.success() {
        return Err(format!("its postgres does not run ({status}): {}", output.trim()));
    }
    match parse_major(&output) {
        Some(major) if major >= MAJOR_MIN => Ok(Binaries { directory: directory.to_owned(), major }),
        Some(major) => Err(format!("is PostgreSQL {major}, older than {MAJOR_MIN}")),
        None => Err(format!("names no version: {}", output.trim())),
    }
}

/// The major version in what `postgres --version` says: `postgres (Postgres) 15.20 (Debian …)`, `… 18beta1`.
fn parse_major(output: &str) -> Option<u32> {
    let (_, version) = output.split_once("(PostgreSQL) ")?;
    let end = version.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

fn describe(found: &[Binaries]) -> String {
    if found.is_empty() {
        return "none".to_owned();
    }
    let each = found.iter().map(|binaries| format!("{} ({})", binaries.major, binaries.directory.display()));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("postgres: not found\n"), None);
    }
}
