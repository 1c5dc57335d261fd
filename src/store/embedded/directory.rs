//! The data directory: made, measured and looked at before anything is started in it.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::EmbeddedError;
use super::account::Account;
use super::probe::socket_path;

/// `sun_path` of unix(7) less its final zero.
pub(super) const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Creates `data` and its missing parents, durably, and returns its real path.
pub(super) fn prepare(data: &Path) -> Result<PathBuf, EmbeddedError> {
    let absolute = std::path::absolute(data).map_err(EmbeddedError::io("find", data))?;
    let existing = |path: &&Path| path.exists();
    let missing = absolute.ancestors().take_while(|path| !existing(path));
    let mut missing: Vec<&Path> = missing.collect();
    missing.reverse();
    for directory in missing {
        create(directory)?;
    }
    absolute.canonicalize().map_err(EmbeddedError::io("find", data))
}

/// `pg` with links resolved, where it exists: as the processes that work in it see it.
pub(super) fn real(pg: PathBuf) -> PathBuf {
    pg.canonicalize().unwrap_or(pg)
}

/// Refuses a cluster whose socket no client could name.
pub(super) fn check_socket_path(pg: &Path) -> Result<(), EmbeddedError> {
    let path = socket_path(pg);
    let bytes = path.as_os_str().len();
    if bytes > SOCKET_PATH_BYTES_MAX {
        return Err(EmbeddedError::SocketPathTooLong { path, bytes, bytes_max: SOCKET_PATH_BYTES_MAX });
    }
    Ok(())
}

/// Refuses a `pg` that the account who runs the server cannot come to; names the first directory in the way.
pub(super) fn check_traversable(pg: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    let Some(account) = account else {
        return Ok(());
    };
    let mut from_the_root: Vec<&Path> = pg.ancestors().skip(1).collect();
    from_the_root.reverse();
    for directory in from_the_root {
        let metadata = fs::metadata(directory).map_err(EmbeddedError::io("look at", directory))?;
        if !account.may_enter(&metadata) {
            return Err(EmbeddedError::Untraversable {
                directory: directory.to_owned(),
                account: account.name.clone(),
            });
        }
    }
    Ok(())
}

/// The major version of the cluster in `pg`; `None` where there is nothing yet.
pub(super) fn major_version(pg: &Path) -> Result<Option<u32>, EmbeddedError> {
    let not_a_cluster = || EmbeddedError::NotACluster { path: pg.to_owned() };
    match fs::read_to_string(pg.join("PG_VERSION")) {
        Ok(text) => {
            let major = text.trim().parse().map_err(|_| not_a_cluster())?;
            Ok(Some(major))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_absent_or_empty(pg) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(not_a_cluster()),
        Err(error) => Err(EmbeddedError::io("read the version of", pg)(error)),
    }
}

/// Makes what was created, renamed or removed in `directory` survive a loss of power.
pub(super) fn sync(directory: &Path) -> Result<(), EmbeddedError> {
    let result = File::open(directory).and_then(|directory| directory.sync_all());
    result.map_err(EmbeddedError::io("sync", directory))
}

/// Whether `name` begins with `prefix`, whatever its encoding.
pub(super) fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.as_bytes().starts_with(prefix.as_bytes())
}

fn is_absent_or_empty(pg: &Path) -> bool {
    match fs::read_dir(pg) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn create(directory: &Path) -> Result<(), EmbeddedError> {
    match fs::create_dir(directory) {
        // Another process was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        result => result.map_err(EmbeddedError::io("create", directory))?,
    }
    // Root's server runs as another user who must be able to enter, whatever the umask; anyone else's is theirs alone.
    let root = rustix::process::geteuid().is_root();
    let mode = Permissions::from_mode(if root { 0o755 } else { 0o700 });
    fs::set_permissions(directory, mode).map_err(EmbeddedError::io("open up", directory))?;
    directory.parent().map_or(Ok(()), sync)
}
