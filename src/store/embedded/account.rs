//! The account that runs the server: ours, or when we are root one that is not.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use super::EmbeddedError;

/// Postgres refuses to run as root: root's children run as the first of these that exists.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// A user of the operating system whom root lets run the server. Where it is absent, the server runs as we do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// Who runs the server of the cluster in `pg`, which need not exist yet; `None` is ourselves.
    pub(super) fn for_cluster(pg: &Path) -> Result<Option<Self>, EmbeddedError> {
        let passwd = read_passwd()?;
        let owner = owner(pg)?;
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            return match owner {
                Some(owner) if owner != uid.as_raw() => Err(foreign(pg, owner, &passwd)),
                _ => Ok(None),
            };
        }
        let mut candidates = NAMES.iter().filter_map(|name| named(&passwd, name));
        let Some(owner) = owner else {
            let account = candidates.next().ok_or(EmbeddedError::NoAccount)?;
            return Ok(Some(account));
        };
        let account = candidates.find(|account| account.uid == owner);
        account.map(Some).ok_or_else(|| foreign(pg, owner, &passwd))
    }

    /// Whether this account may pass through `directory`. It has its primary group alone: a child that drops root's
    /// privileges drops the supplementary groups too.
    pub(super) fn may_enter(&self, directory: &Metadata) -> bool {
        let shift = if directory.uid() == self.uid {
            6
        } else if directory.gid() == self.gid {
            3
        } else {
            0
        };
        directory.mode() >> shift & 1 == 1
    }
}

/// A command that runs `program` as `account`, with nothing of our environment.
pub(super) fn command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC");
    // Our own directory may be closed to the account, and then `initdb` cannot come back to where it was.
    command.current_dir("/");
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

fn read_passwd() -> Result<String, EmbeddedError> {
    let path = Path::new("/etc/passwd");
    let bytes = fs::read(path).map_err(EmbeddedError::io("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn owner(pg: &Path) -> Result<Option<u32>, EmbeddedError> {
    match fs::metadata(pg) {
        Ok(metadata) => Ok(Some(metadata.uid())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EmbeddedError::io("look at", pg)(error)),
    }
}

fn foreign(pg: &Path, owner: u32, passwd: &str) -> EmbeddedError {
    let name = |uid: u32| {
        let account = accounts(passwd).find(|account| account.uid == uid);
        account.map_or_else(|| format!("user {uid}"), |account| account.name)
    };
    let parent = pg.parent().and_then(|parent| fs::metadata(parent).ok());
    EmbeddedError::Foreign {
        path: pg.to_owned(),
        owner: name(owner),
        maker: name(parent.map_or(owner, |parent| parent.uid())),
    }
}

fn named(passwd: &str, name: &str) -> Option<Account> {
    accounts(passwd).find(|account| account.name == name)
}

/// The accounts of a passwd(5) file; lines of another form are passed over.
fn accounts(passwd: &str) -> impl Iterator<Item = Account> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Account { name: name.to_owned(), uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_name_among_lines_of_any_form() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\n+::::::\npostgres:x:101:104:a, b:/var:/bin/bash\n";

        let account = named(passwd, "postgres");

        assert_eq!(account.map(|account| (account.uid, account.gid)), Some((101, 104)));
        assert_eq!(named(passwd, "nobody"), None);
    }
}
