//! Settings: flag before `CATALOG_*` before the gateway's own names before default. The only reader of the environment.

mod bridge;
mod edge;
mod error;
mod identity;
mod passphrase;
mod place;
mod proxies;
mod server;
mod signing;
mod staleness;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, str::FromStr};

pub use bridge::{BridgePlan, BridgeSettings, GatewayUrl, RedisUrl, bridge_listen};
pub use edge::{EdgeSettings, edge_listen};
pub use error::ConfigError;
pub use identity::{Identity, IssuerSetting, LISTEN_DEFAULT, Listen};
pub use passphrase::passphrase;
pub use place::{Place, Storage};
pub use proxies::{ProxiesSetting, trusted_proxies};
pub use server::ServerUrl;
pub use signing::{Signing, secret, signing};
pub use staleness::{MaxStaleness, StaleSetting, staleness};

use crate::domain::Malformed;

/// The environment of the process, taken once. A variable that is set to nothing counts as not set.
#[derive(Default)]
pub struct Variables {
    values: BTreeMap<OsString, OsString>,
}

impl Variables {
    /// The environment as the process was given it.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value, whatever bytes it has.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&OsString> {
        self.values.get(&OsString::from(name))
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`ConfigError::NotUnicode`].
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, ConfigError> {
        self.raw(name).map(|value| value.to_str().ok_or(ConfigError::NotUnicode { name })).transpose()
    }

    /// The value as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    /// The first of these variables that is set, and its name.
    ///
    /// # Errors
    /// [`ConfigError::NotUnicode`].
    pub fn first(&self, names: &[&'static str]) -> Result<Option<(&'static str, &str)>, ConfigError> {
        for &name in names {
            if let Some(text) = self.text(name)? {
                return Ok(Some((name, text)));
            }
        }
        Ok(None)
    }

    /// The flag if it was given, else the first of these variables that is set.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn setting<T>(&self, flag: Option<T>, names: &[&'static str]) -> Result<Option<T>, ConfigError>
    where
        T: FromStr<Err = Malformed>,
    {
        if flag.is_some() {
            return Ok(flag);
        }
        let parse = |(name, text): (_, &str)| text.parse().map_err(|source| ConfigError::Malformed { name, source });
        self.first(names)?.map(parse).transpose()
    }

    /// Whether a switch is on: `true`, `1`, `yes` or `on`.
    ///
    /// # Errors
    /// [`ConfigError::NotASwitch`] for anything that is neither on nor off.
    pub fn switch(&self, name: &'static str) -> Result<bool, ConfigError> {
        match self.text(name)?.map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "1" | "yes" | "on") => Ok(true),
            None | Some("false" | "0" | "no" | "off") => Ok(false),
            Some(_) => Err(ConfigError::NotASwitch { name }),
        }
    }
}

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(pairs: I) -> Self {
        Self { values: pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::text::Audience, store::postgres::Schema};

    pub(super) fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    const NAMES: &[&str] = &["CATALOG_AUDIENCE", "JWT_AUDIENCE"];

    fn audience(flag: Option<&str>, pairs: &[(&str, &str)]) -> Option<String> {
        let flag = flag.map(|text| text.parse::<Audience>().unwrap());
        variables(pairs).setting(flag, NAMES).unwrap().map(String::from)
    }

    #[test]
    fn a_flag_wins_over_our_variable_and_ours_over_the_gateways() {
        let both = [("CATALOG_AUDIENCE", "ours"), ("JWT_AUDIENCE", "theirs")];

        assert_eq!(audience(Some("flag"), &both).as_deref(), Some("flag"));
        assert_eq!(audience(None, &both).as_deref(), Some("ours"));
        assert_eq!(audience(None, &both[1..]).as_deref(), Some("theirs"));
        assert_eq!(audience(None, &[]), None);
    }

    #[test]
    fn a_variable_that_is_set_to_nothing_is_not_set() {
        let pairs = [("CATALOG_AUDIENCE", ""), ("JWT_AUDIENCE", "theirs")];

        assert_eq!(audience(None, &pairs).as_deref(), Some("theirs"));
    }

    #[test]
    fn an_error_names_the_variable() {
        let error = variables(&[("CATALOG_SCHEMA", "Bad-Name")]).setting::<Schema>(None, &["CATALOG_SCHEMA"]);

        assert!(error.unwrap_err().to_string().starts_with("CATALOG_SCHEMA: 'Bad-Name' is not"));
    }

    #[test]
    fn a_variable_that_is_not_text_is_refused_by_name() {
        use std::os::unix::ffi::OsStringExt;
        let variables: Variables = [("CATALOG_SCHEMA".into(), OsString::from_vec(vec![0xff]))].into_iter().collect();

        let error = variables.setting::<Schema>(None, &["CATALOG_SCHEMA"]).unwrap_err();

        assert!(matches!(error, ConfigError::NotUnicode { name: "CATALOG_SCHEMA" }));
    }

    #[test]
    fn a_switch_is_on_or_off_and_nothing_else() {
        let switch = |value| variables(&[("S", value)]).switch("S");

        assert!(switch("TRUE").unwrap() && switch("1").unwrap());
        assert!(!switch("false").unwrap() && !switch("").unwrap());
        assert!(matches!(switch("maybe"), Err(ConfigError::NotASwitch { name: "S" })));
    }
}
