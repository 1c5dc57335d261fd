//! Who the catalog is: address, issuer, audience, environment.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::{ConfigError, Variables};
use crate::{
    cli::GlobalArgs,
    domain::{
        Malformed,
        text::{Audience, Environment, Issuer},
    },
};

/// Port 8080 of this machine alone. A client that is told no URL asks there.
pub const LISTEN_DEFAULT: Listen = Listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT_DEFAULT));
const PORT_DEFAULT: u16 = 8080;
const AUDIENCE_DEFAULT: &str = "gateway";

/// The address that `serve` listens at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl Listen {
    /// The flag, else `CATALOG_LISTEN`, else port 8080 of this machine alone.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn choose(flag: Option<Self>, variables: &Variables) -> Result<Self, ConfigError> {
        Ok(variables.setting(flag, &["CATALOG_LISTEN"])?.unwrap_or(LISTEN_DEFAULT))
    }

    /// The URL at which this machine finds it, any address as loopback. Port 0, which nobody has taken yet, is written as
    /// the default one.
    pub(super) fn url(self) -> String {
        let port = if self.0.port() == 0 { PORT_DEFAULT } else { self.0.port() };
        let ip = match self.0.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, port))
    }
}

impl FromStr for Listen {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let named = text.strip_prefix("localhost:").map(|port| format!("{}:{port}", Ipv4Addr::LOCALHOST));
        named.as_deref().unwrap_or(text).parse().map(Self).map_err(|_| Malformed::NotA {
            value: text.to_owned(),
            expected: "an address and port such as 127.0.0.1:8080 or [::1]:8080",
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `iss` as a setting: a URL without query and fragment (RFC 8414 section 2), or a plain word such as `mcpgateway`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSetting(pub Issuer);

impl FromStr for IssuerSetting {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let issuer = Issuer::parse(text)?;
        let url = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let is_sound = match url {
            Some(rest) => !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', '@', '\\']),
            None => text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        };
        if is_sound {
            return Ok(Self(issuer));
        }
        Err(Malformed::NotA {
            value: text.to_owned(),
            expected: "an issuer: a URL such as https://catalog.example.com, or a plain word such as mcpgateway",
        })
    }
}

/// What this process was told about who the catalog is, and what a new catalog begins with otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `iss`, if it was told.
    pub issuer: Option<Issuer>,
    /// `iss` of a new log otherwise.
    pub issuer_default: Issuer,
    /// `aud`, if it was told.
    pub audience: Option<Audience>,
    /// `aud` of a new log otherwise.
    pub audience_default: Audience,
    /// `env`, if it was told.
    pub env: Option<Environment>,
}

impl Identity {
    /// The identity that the flags and variables name.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn choose(global: &GlobalArgs, listen: Listen, variables: &Variables) -> Result<Self, ConfigError> {
        let by_default = |name| move |source| ConfigError::Malformed { name, source };
        Ok(Self {
            issuer: issuer(global, variables)?,
            issuer_default: Issuer::parse(listen.url()).map_err(by_default("--issuer"))?,
            audience: variables.setting(global.audience.clone(), &["CATALOG_AUDIENCE", "JWT_AUDIENCE"])?,
            audience_default: Audience::parse(AUDIENCE_DEFAULT).map_err(by_default("--audience"))?,
            env: env(global, variables)?,
        })
    }
}

/// `iss`, if it was told.
pub(super) fn issuer(global: &GlobalArgs, variables: &Variables) -> Result<Option<Issuer>, ConfigError> {
    let issuer = variables.setting(global.issuer.clone(), &["CATALOG_ISSUER", "JWT_ISSUER"])?;
    Ok(issuer.map(|setting| setting.0))
}

/// `aud`, if it was told, else that of a new catalog.
pub(super) fn audience_or_default(global: &GlobalArgs, variables: &Variables) -> Result<Audience, ConfigError> {
    match variables.setting(global.audience.clone(), &["CATALOG_AUDIENCE", "JWT_AUDIENCE"])? {
        Some(audience) => Ok(audience),
        None => {
            Audience::parse(AUDIENCE_DEFAULT).map_err(|source| ConfigError::Malformed { name: "--audience", source })
        }
    }
}

/// `env`, if it was told.
pub(super) fn env(global: &GlobalArgs, variables: &Variables) -> Result<Option<Environment>, ConfigError> {
    variables.setting(global.environment.clone(), &["CATALOG_ENVIRONMENT", "ENVIRONMENT"])
}

#[cfg(test)]
mod tests {
    use super::{super::tests::variables, *};

    fn identity(pairs: &[(&str, &str)]) -> Identity {
        let variables = variables(pairs);
        let listen = Listen::choose(None, &variables).unwrap();
        Identity::choose(&GlobalArgs::default(), listen, &variables).unwrap()
    }

    #[test]
    fn without_settings_a_new_catalog_is_named_after_its_address() {
        let identity = identity(&[]);

        assert_eq!((identity.issuer, identity.audience, identity.env), (None, None, None));
        assert_eq!(identity.issuer_default.as_str(), "http://127.0.0.1:8080");
        assert_eq!(identity.audience_default.as_str(), "gateway");
    }

    #[test]
    fn the_default_issuer_is_an_address_that_can_be_reached() {
        for (listen, issuer) in [
            ("127.0.0.1:0", "http://127.0.0.1:8080"),
            ("0.0.0.0:9000", "http://127.0.0.1:9000"),
            ("[::]:9000", "http://[::1]:9000"),
            ("localhost:9000", "http://127.0.0.1:9000"),
        ] {
            assert_eq!(identity(&[("CATALOG_LISTEN", listen)]).issuer_default.as_str(), issuer);
        }
    }

    #[test]
    fn the_gateways_own_names_are_honoured() {
        let pairs = [("JWT_ISSUER", "mcpgateway"), ("JWT_AUDIENCE", "mcpgateway-api"), ("ENVIRONMENT", "staging")];

        let identity = identity(&pairs);

        assert_eq!(identity.issuer.as_ref().map(Issuer::as_str), Some("mcpgateway"));
        assert_eq!(identity.audience.as_ref().map(Audience::as_str), Some("mcpgateway-api"));
        assert_eq!(identity.env.as_ref().map(Environment::as_str), Some("staging"));
    }

    #[test]
    fn an_issuer_is_a_url_or_a_plain_word() {
        for good in ["https://catalog.example.com", "http://127.0.0.1:8080", "https://h/tenant", "mcpgateway"] {
            assert!(good.parse::<IssuerSetting>().is_ok(), "{good}");
        }
        for bad in
            ["", "https://", "https:///x", "https://h?x", "https://h#x", "https://u:p@h", "ftp://h", "a b", "a/b"]
        {
            assert!(bad.parse::<IssuerSetting>().is_err(), "{bad}");
        }
    }
}
