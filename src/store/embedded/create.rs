//! Making the cluster, all or nothing: it is built beside its place and moved there when it is complete.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::account::{Account, command};
use super::binaries::Binaries;
use super::child::{last_lines, run};
use super::{DATABASE, EmbeddedError, OWNER_ROLE, SUPERUSER, directory};

/// Two seconds on a laptop; a slow disk that has to sync everything may need a hundred times that.
const STEP_TIME_MAX: Duration = Duration::from_mins(5);
const STAGING_PREFIX: &str = "pg.new-";
const OUTPUT_LINES: usize = 12;

/// Creates the cluster `pg` in `data`, with its owner role and database. The caller holds the start lock.
pub(super) fn cluster(
    data: &Path,
    pg: &Path,
    binaries: &Binaries,
    account: Option<&Account>,
) -> Result<(), EmbeddedError> {
    let staging = staging_directory(data, account)?;
    let result = fill(&staging, binaries, account).and_then(|()| publish(&staging, pg, data));
    if result.is_err() {
        discard(&staging);
    }
    result
}

/// Removes what a killed set-up left. Its `initdb` may still be writing there, so what cannot go yet stays for the next
/// start and is in nobody's way: every process has a directory of its own. The caller holds the start lock.
pub(super) fn clear_leftovers(data: &Path) -> Result<(), EmbeddedError> {
    let entries = fs::read_dir(data).map_err(EmbeddedError::io("list", data))?;
    let names = entries.filter_map(Result::ok);
    names
        .filter(|entry| directory::starts_with(&entry.file_name(), STAGING_PREFIX))
        .for_each(|entry| discard(&entry.path()));
    Ok(())
}

fn discard(staging: &Path) {
    if let Err(error) = fs::remove_dir_all(staging) {
        tracing::warn!(path = %staging.display(), %error, "an unfinished cluster could not be removed");
    }
}

fn staging_directory(data: &Path, account: Option<&Account>) -> Result<PathBuf, EmbeddedError> {
    let staging = data.join(format!("{STAGING_PREFIX}{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&staging).map_err(EmbeddedError::io("create", &staging))?;
    if let Some(account) = account {
        lchown(&staging, Some(account.uid), Some(account.gid)).map_err(EmbeddedError::io("hand over", &staging))?;
    }
    Ok(staging)
}

/// Fills the staging directory. `initdb` syncs what it wrote, and `postgres --single` ends with a checkpoint. The latter
/// needs no socket and no `psql`, which an installation of the server alone lacks.
fn fill(staging: &Path, binaries: &Binaries, account: Option<&Account>) -> Result<(), EmbeddedError> {
    let mut initdb = command(&binaries.path("initdb"), account);
    initdb
        .args(["--locale=C", "-E", "UTF8", "--data-checksums"])
        .args(["--auth-local=trust", "--auth-host=reject"])
        .args(["-U", SUPERUSER, "--no-instructions", "-D"])
        .arg(staging);
    step("initdb", initdb, "")?;

    let mut single = command(&binaries.path("postgres"), account);
    single.args(["--single", "-D"]).arg(staging);
    single.args(["-c", "exit_on_error=true", "postgres"]);
    let statements =
        format!("create role {OWNER_ROLE} login createrole;\ncreate database {DATABASE} owner {OWNER_ROLE};\n");
    step("postgres --single", single, &statements)
}

fn step(name: &'static str, command: Command, input: &str) -> Result<(), EmbeddedError> {
    let program = PathBuf::from(command.get_program());
    let (status, output) = run(command, input, STEP_TIME_MAX).map_err(EmbeddedError::io("run", &program))?;
    if status.success() {
        return Ok(());
    }
    Err(EmbeddedError::SetUp { step: name, status: status.to_string(), output: last_lines(&output, OUTPUT_LINES) })
}

/// The one step that makes the cluster exist.
fn publish(staging: &Path, pg: &Path, data: &Path) -> Result<(), EmbeddedError> {
    fs::rename(staging, pg).map_err(EmbeddedError::io("move the new cluster to", pg))?;
    directory::sync(data)
}
