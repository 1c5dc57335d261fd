//! What a bridge is told: the catalog and as whom it is asked, the gateway, and the gateway's Redis.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

use catalog_gateway::client;
use reqwest::Url;

use super::{
    ConfigError, Listen, ServerUrl, Variables,
    edge::{credential, listen_or},
};
use crate::{
    cli::GlobalArgs,
    domain::{Malformed, text::Audience},
};

/// Port 8082 of this machine alone: the catalog and an edge may be beside it.
const LISTEN: &str = "127.0.0.1:8082";
/// `JWT_AUDIENCE` of a `ContextForge` as it comes.
const AUDIENCE: &str = "mcpgateway-api";
/// `CACHE_PREFIX` of a `ContextForge` as it comes.
const PREFIX: &str = "mcpgw:";

/// The URL of a gateway: `https`, or `http` on this machine, so that nobody overhears couriers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayUrl(Url);

/// The address of a Redis, which may have a password: it is shown nowhere.
#[derive(Clone)]
pub struct RedisUrl(String);

/// The flags of a bridge.
pub struct BridgeSettings {
    /// The catalog.
    pub url: ServerUrl,
    /// The client that it is.
    pub client: Option<String>,
    /// Where that client's secret is.
    pub client_secret_file: Option<PathBuf>,
    /// The gateway.
    pub gateway: Option<GatewayUrl>,
    /// The gateway's Redis.
    pub redis: Option<RedisUrl>,
    /// What the names of its keys begin with.
    pub redis_prefix: Option<String>,
    /// Where it is kept how far the gateway was told.
    pub position_file: Option<PathBuf>,
}

/// What flags and variables say together.
pub struct BridgePlan {
    /// The catalog.
    pub catalog: client::Catalog,
    /// The gateway.
    pub gateway: GatewayUrl,
    /// The gateway's audience.
    pub audience: Audience,
    /// The gateway's Redis, and what the names of its keys begin with.
    pub redis: Option<(RedisUrl, String)>,
    /// Where it is kept how far the gateway was told.
    pub position_file: Option<PathBuf>,
}

/// The flag, else `CATALOG_LISTEN`, else port 8082 of this machine alone.
///
/// # Errors
/// [`ConfigError`].
pub fn bridge_listen(flag: Option<Listen>, variables: &Variables) -> Result<Listen, ConfigError> {
    listen_or(LISTEN, flag, variables)
}

impl BridgeSettings {
    /// What flags and variables say together. The secret is read here, and again when the catalog does not know it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn plan(self, global: &GlobalArgs, variables: &Variables) -> Result<BridgePlan, ConfigError> {
        let gateway = variables.setting(self.gateway, &["CATALOG_GATEWAY"])?.ok_or(ConfigError::GatewayMissing)?;
        let (credential, _) = credential(self.client, self.client_secret_file, variables)?;
        let audience = match variables.setting(global.audience.clone(), &["CATALOG_AUDIENCE", "JWT_AUDIENCE"])? {
            Some(audience) => audience,
            None => {
                Audience::parse(AUDIENCE).map_err(|source| ConfigError::Malformed { name: "--audience", source })?
            }
        };
        let prefix = match self.redis_prefix {
            Some(prefix) => prefix,
            None => {
                variables.first(&["CATALOG_REDIS_PREFIX", "CACHE_PREFIX"])?.map_or(PREFIX, |(_, text)| text).to_owned()
            }
        };
        let redis = variables.setting(self.redis, &["CATALOG_REDIS_URL"])?;
        Ok(BridgePlan {
            catalog: client::Catalog::new(&self.url.to_string(), credential).map_err(ConfigError::Catalog)?,
            gateway,
            audience,
            redis: redis.map(|redis| (redis, prefix)),
            position_file: self.position_file.or_else(|| variables.path("CATALOG_POSITION_FILE")),
        })
    }
}

impl GatewayUrl {
    /// The URL itself.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for GatewayUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let url = Url::parse(text).ok().filter(|url| {
            let is_plain = (url.username(), url.password(), url.query(), url.fragment()) == ("", None, None, None);
            is_plain && url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_here(url)))
        });
        url.map(Self).ok_or_else(|| Malformed::NotA {
            value: text.to_owned(),
            expected: "the URL of a gateway: https, or http on this machine, such as http://127.0.0.1:4444",
        })
    }
}

/// Whether what is sent stays on this machine.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl RedisUrl {
    /// The address, perhaps with a password.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(..)")
    }
}

impl FromStr for RedisUrl {
    type Err = Malformed;

    /// What was given may have a password in it, and is not repeated.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if matches!(scheme, Some("redis" | "rediss" | "unix")) {
            return Ok(Self(text.to_owned()));
        }
        Err(Malformed::NotA {
            value: "(what was given)".to_owned(),
            expected: "the address of a Redis such as redis://127.0.0.1:6379/0",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::variables, *};

    fn settings(gateway: Option<&str>) -> BridgeSettings {
        BridgeSettings {
            url: "http://127.0.0.1:8080".parse().unwrap(),
            client: Some("bridge".to_owned()),
            client_secret_file: None,
            gateway: gateway.map(|url| url.parse().unwrap()),
            redis: None,
            redis_prefix: None,
            position_file: None,
        }
    }

    #[test]
    fn a_gateway_is_one_to_which_nobody_overhears_a_courier() {
        for good in
            ["https://gateway.example.com", "http://127.0.0.1:4444", "http://localhost:4444/base/", "http://[::1]:1"]
        {
            assert!(good.parse::<GatewayUrl>().is_ok(), "{good}");
        }
        for bad in
            ["http://gateway.example.com", "https://a:b@h", "https://h?q", "https://h#f", "ftp://localhost", "h", ""]
        {
            assert!(bad.parse::<GatewayUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_redis_that_is_refused_is_not_repeated_and_none_is_shown() {
        let error = "http://:hush@127.0.0.1".parse::<RedisUrl>().unwrap_err().to_string();
        let shown = format!("{:?}", "redis://:hush@127.0.0.1:6379/0".parse::<RedisUrl>().unwrap());

        assert!(!error.contains("hush") && error.contains("redis://127.0.0.1:6379/0"), "{error}");
        assert!(!shown.contains("hush"));
    }

    #[test]
    fn a_gateway_is_needed_and_the_rest_is_as_a_gateway_comes() {
        let secret = ("CATALOG_CLIENT_SECRET", "s");
        let plan =
            |settings: BridgeSettings, pairs: &[(&str, &str)]| settings.plan(&GlobalArgs::default(), &variables(pairs));

        assert!(matches!(plan(settings(None), &[secret]), Err(ConfigError::GatewayMissing)));
        assert!(matches!(plan(settings(Some("https://h")), &[]), Err(ConfigError::CredentialMissing)));
        let found =
            plan(settings(None), &[secret, ("CATALOG_GATEWAY", "https://h"), ("CATALOG_REDIS_URL", "redis://r")]);
        let found = found.unwrap();
        assert_eq!((found.gateway.url().as_str(), found.audience.as_str()), ("https://h/", "mcpgateway-api"));
        assert_eq!(found.redis.map(|(_, prefix)| prefix).as_deref(), Some("mcpgw:"));
        let theirs = [secret, ("JWT_AUDIENCE", "other"), ("CACHE_PREFIX", "cf:"), ("CATALOG_REDIS_URL", "redis://r")];
        let found = plan(settings(Some("https://h")), &theirs).unwrap();
        assert_eq!((found.audience.as_str(), found.redis.unwrap().1.as_str()), ("other", "cf:"));
    }
}
