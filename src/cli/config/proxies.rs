//! Whose word is taken for where a request comes from.

use std::str::FromStr;

use catalog_gateway::admission::TrustedProxies;

use super::{ConfigError, Variables};
use crate::domain::Malformed;

/// The proxies in front, as a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxiesSetting(TrustedProxies);

/// The flag, else `CATALOG_TRUSTED_PROXIES`, else nobody's.
///
/// # Errors
/// [`ConfigError`].
pub fn trusted_proxies(flag: Option<ProxiesSetting>, variables: &Variables) -> Result<TrustedProxies, ConfigError> {
    let setting = variables.setting(flag, &["CATALOG_TRUSTED_PROXIES"])?;
    Ok(setting.map(|ProxiesSetting(proxies)| proxies).unwrap_or_default())
}

impl FromStr for ProxiesSetting {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.parse().map(Self).map_err(|_| Malformed::NotA {
            value: text.to_owned(),
            expected: "addresses and networks with commas between them, such as 127.0.0.1,10.0.0.0/8",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::variables, *};

    #[test]
    fn nobody_is_trusted_unless_a_flag_or_its_variable_says_so() {
        let pairs = variables(&[("CATALOG_TRUSTED_PROXIES", "10.0.0.0/8")]);
        let flag: ProxiesSetting = "127.0.0.1, ::1".parse().unwrap();

        assert_eq!(trusted_proxies(None, &variables(&[])).unwrap(), TrustedProxies::default());
        assert_eq!(trusted_proxies(None, &pairs).unwrap(), "10.0.0.0/8".parse().unwrap());
        assert_eq!(trusted_proxies(Some(flag), &pairs).unwrap(), "127.0.0.1,::1".parse().unwrap());
        assert!(trusted_proxies(None, &variables(&[("CATALOG_TRUSTED_PROXIES", "nginx")])).is_err());
    }
}
