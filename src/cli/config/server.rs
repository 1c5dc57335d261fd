//! Where the server is that a client command asks.

use std::{fmt, net::IpAddr, str::FromStr};

use reqwest::Url;

use super::{ConfigError, LISTEN_DEFAULT, Variables};
use crate::domain::Malformed;

/// The URL of a server: `http` or `https`, a host, and perhaps a path before its routes. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// The flag, else `CATALOG_URL`, else where `serve` listens by default.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn choose(flag: Option<Self>, variables: &Variables) -> Result<Self, ConfigError> {
        match variables.setting(flag, &["CATALOG_URL"])? {
            Some(url) => Ok(url),
            None => LISTEN_DEFAULT.url().parse().map_err(|source| ConfigError::Malformed { name: "--url", source }),
        }
    }

    /// The URL of a route, below the path that the server was given with.
    #[must_use]
    pub fn route(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Whether what is sent stays on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            // RFC 6761 section 6.3.
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    /// Whether what is sent is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for ServerUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let url = Url::parse(text).ok().filter(|url| {
            ["http", "https"].contains(&url.scheme())
                && url.has_host()
                && (url.username(), url.password()) == ("", None)
                && (url.query(), url.fragment()) == (None, None)
        });
        url.map(Self).ok_or_else(|| Malformed::NotA {
            value: text.to_owned(),
            expected: "the URL of a catalog such as http://127.0.0.1:8080 or https://catalog.example.com",
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::variables, *};

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_server_is_found_by_flag_variable_or_default() {
        let chosen = |flag: Option<&str>, pairs: &[(&str, &str)]| {
            ServerUrl::choose(flag.map(url), &variables(pairs)).map(|url| url.to_string()).ok()
        };
        let variable = ("CATALOG_URL", "https://h/");

        assert_eq!(chosen(None, &[]).as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(chosen(None, &[variable]).as_deref(), Some("https://h"));
        assert_eq!(chosen(Some("http://f"), &[variable]).as_deref(), Some("http://f"));
        assert_eq!(chosen(None, &[("CATALOG_URL", "h")]), None);
    }

    #[test]
    fn a_url_is_http_with_a_host_and_nothing_that_does_not_belong() {
        for bad in [
            "",
            "localhost:8080",
            "127.0.0.1:8080",
            "ftp://h",
            "http://",
            "http://u@h",
            "http://h?q",
            "http://h#f",
            "//h",
        ] {
            assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn routes_stand_below_the_path_that_was_given() {
        let route = |text| url(text).route(&["tokens", "a b"]).to_string();

        assert_eq!(route("http://h"), "http://h/tokens/a%20b");
        assert_eq!(route("http://h:1/catalog/"), "http://h:1/catalog/tokens/a%20b");
        assert_eq!(route("http://h/catalog"), "http://h/catalog/tokens/a%20b");
    }

    #[test]
    fn loopback_is_this_machine_whatever_it_is_called() {
        for here in
            ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:8080", "http://localhost", "http://a.localhost"]
        {
            assert!(url(here).is_loopback(), "{here}");
        }
        for elsewhere in ["http://catalog", "http://10.0.0.1", "http://localhost.example.com", "http://[fe80::1]"] {
            assert!(!url(elsewhere).is_loopback(), "{elsewhere}");
        }
    }
}
