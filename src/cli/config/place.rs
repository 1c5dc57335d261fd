//! Where the catalog lies: a private cluster in a directory of ours, or a schema in somebody else's database.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::{ConfigError, Variables};
use crate::{
    cli::GlobalArgs,
    store::{Address, embedded::Location, postgres::Schema},
};

/// Where the catalog lies.
#[derive(Debug, Clone)]
pub struct Place {
    /// The state directory: the private keys, and the private cluster if there is one.
    pub data: PathBuf,
    /// Where the log is.
    pub storage: Storage,
    /// The schema that is the catalog.
    pub schema: Schema,
    /// What the reader should know of how this place was chosen.
    pub note: Option<&'static str>,
}

/// Where the log is.
#[derive(Debug, Clone)]
pub enum Storage {
    /// In a private cluster.
    Embedded(Location),
    /// In somebody else's database.
    Remote(Box<Address>),
}

const BARE_URL_IGNORED: &str =
    "DATABASE_URL is not used, it belongs to the gateway; name the catalog's database in CATALOG_DATABASE_URL";
const SCHEMA_DEFAULT: &str = "catalog";

impl Place {
    /// The place that the flags and variables name. `is_root` decides between the system's directories and the user's.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn choose(global: &GlobalArgs, variables: &Variables, is_root: bool) -> Result<Self, ConfigError> {
        let data = data_directory(global.data.clone(), variables, is_root)?;
        let schema = variables.setting(global.schema.clone(), &["CATALOG_SCHEMA"])?;
        let schema = match schema {
            Some(schema) => schema,
            None => SCHEMA_DEFAULT.parse().map_err(|source| ConfigError::Malformed { name: "--schema", source })?,
        };
        let address = address(global.database_url.as_deref(), variables)?;
        let note = (address.is_none() && variables.raw("DATABASE_URL").is_some()).then_some(BARE_URL_IGNORED);
        let storage = match address {
            Some(address) => Storage::Remote(Box::new(address)),
            None => Storage::Embedded(location(&data, variables, is_root)),
        };
        Ok(Self { data, storage, schema, note })
    }

    /// The directory of the private keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// Where the log is, without a password.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.storage {
            Storage::Embedded(location) => location.data.display().to_string(),
            Storage::Remote(address) => format!("the schema {} of {address}", self.schema.as_str()),
        }
    }

    /// The place in one line, without a password.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.storage {
            Storage::Embedded(_) => format!("{} (private PostgreSQL in pg, keys in keys)", self.data.display()),
            Storage::Remote(address) => {
                format!("{address} (schema {}), keys in {}", self.schema.as_str(), self.keys().display())
            }
        }
    }
}

fn address(flag: Option<&str>, variables: &Variables) -> Result<Option<Address>, ConfigError> {
    let (name, url) = match (flag.filter(|url| !url.is_empty()), variables.first(&["CATALOG_DATABASE_URL"])?) {
        (Some(url), _) => ("--database-url", url),
        (None, Some(setting)) => setting,
        (None, None) => return Ok(None),
    };
    url.parse().map(Some).map_err(|source| ConfigError::DatabaseUrl { name, source })
}

fn location(data: &Path, variables: &Variables, is_root: bool) -> Location {
    Location {
        data: data.to_owned(),
        pg_bin: variables.path("CATALOG_PG_BIN"),
        path: variables.raw("PATH").map_or_else(OsString::new, Clone::clone),
        cache: user_directory(variables, is_root, "/var/cache", "XDG_CACHE_HOME", ".cache"),
    }
}

fn data_directory(flag: Option<PathBuf>, variables: &Variables, is_root: bool) -> Result<PathBuf, ConfigError> {
    let directory = flag
        .filter(|path| !path.as_os_str().is_empty())
        .or_else(|| variables.path("CATALOG_DATA"))
        .or_else(|| user_directory(variables, is_root, "/var/lib", "XDG_STATE_HOME", ".local/state"))
        .ok_or(ConfigError::NoHome)?;
    std::path::absolute(&directory).map_err(|source| ConfigError::Relative { path: directory, source })
}

/// Our directory under the system's for root, else under the user's. The XDG Base Directory Specification has relative
/// paths ignored.
fn user_directory(
    variables: &Variables,
    is_root: bool,
    system: &str,
    xdg: &'static str,
    in_home: &str,
) -> Option<PathBuf> {
    if is_root {
        return Some(Path::new(system).join("catalog"));
    }
    let xdg = variables.path(xdg).filter(|path| path.is_absolute());
    xdg.or_else(|| variables.path("HOME").map(|home| home.join(in_home))).map(|base| base.join("catalog"))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::variables, *};

    fn place(pairs: &[(&str, &str)], is_root: bool) -> Result<Place, ConfigError> {
        Place::choose(&GlobalArgs::default(), &variables(pairs), is_root)
    }

    fn data(pairs: &[(&str, &str)], is_root: bool) -> String {
        place(pairs, is_root).unwrap().data.display().to_string()
    }

    #[test]
    fn root_has_the_systems_directory_and_others_their_own() {
        let home = ("HOME", "/home/alice");

        assert_eq!(data(&[home], true), "/var/lib/catalog");
        assert_eq!(data(&[home], false), "/home/alice/.local/state/catalog");
        assert_eq!(data(&[home, ("XDG_STATE_HOME", "/state")], false), "/state/catalog");
        assert_eq!(data(&[home, ("XDG_STATE_HOME", "state")], false), "/home/alice/.local/state/catalog");
        assert_eq!(data(&[home, ("CATALOG_DATA", "/srv/c")], true), "/srv/c");
        assert!(matches!(place(&[], false), Err(ConfigError::NoHome)));
    }

    #[test]
    fn a_bare_database_url_is_never_used_and_noted() {
        let bare = ("DATABASE_URL", "postgres://gateway@localhost/gateway");

        let ignored = place(&[bare], true).unwrap();
        let named = place(&[bare, ("CATALOG_DATABASE_URL", "postgres://c@h/d")], true).unwrap();

        assert!(matches!(ignored.storage, Storage::Embedded(_)) && ignored.note == Some(BARE_URL_IGNORED));
        assert!(matches!(named.storage, Storage::Remote(_)) && named.note.is_none());
    }

    #[test]
    fn no_error_and_no_description_shows_a_password() {
        let broken = place(&[("CATALOG_DATABASE_URL", "mysql://u:hunter2@h/d")], true).unwrap_err();
        let sound = place(&[("CATALOG_DATABASE_URL", "postgres://u:hunter2@h/d")], true).unwrap();

        assert!(!format!("{broken} {broken:?}").contains("hunter2"));
        assert_eq!(sound.describe(), "postgres://u@h:5432/d (schema catalog), keys in /var/lib/catalog/keys");
        assert!(!format!("{sound:?}").contains("hunter2"));
    }
}
