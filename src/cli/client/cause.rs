//! Why there was no connection, or none any more, in words.

use std::{error::Error, fmt, io};

use super::text::line;
use crate::cli::config::ServerUrl;

/// What to do when a proxy answers 407.
pub(super) const PROXY_LOGIN: &str = "a proxy on the way wants a login: put its user and password into https_proxy or \
                                      http_proxy (http://USER:PASSWORD@HOST:PORT), or the catalog's host into no_proxy";
/// How hyper-util says that a proxy answered 407 to CONNECT; the error itself is not public.
const TUNNEL_REFUSED: &str = "proxy authorization required";

/// Why there was no connection, or none any more.
#[derive(Debug)]
pub enum Cause {
    /// The name has no address.
    NoSuchHost,
    /// Nobody listens.
    Refused,
    /// There was no connection in time.
    NoAnswer,
    /// The proxy on the way wants a login.
    ProxyLogin,
    /// There is a connection, but no trust in who is at its other end, or no TLS.
    Tls(Box<rustls::Error>),
    /// Anything else, as the system says it.
    Other(String),
}

impl Cause {
    /// Why a request failed.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let io_kind = source_of::<io::Error>(error).map(io::Error::kind);
        if error.is_dns() {
            Self::NoSuchHost
        } else if let Some(tls) = tls_error(error) {
            Self::Tls(Box::new(tls.clone()))
        } else if error.is_timeout() {
            Self::NoAnswer
        } else if io_kind == Some(io::ErrorKind::ConnectionRefused) {
            Self::Refused
        } else if root(error).to_string().ends_with(TUNNEL_REFUSED) {
            Self::ProxyLogin
        } else {
            Self::Other(line(&root(error).to_string()))
        }
    }

    /// What the reader can do when it kept a server from being reached.
    pub(super) fn hint(&self, server: &ServerUrl) -> String {
        let hint = match self {
            Self::NoSuchHost => {
                "see that the host in --url (CATALOG_URL) is spelt right and that this machine can look it up"
            }
            Self::Refused if server.is_loopback() => {
                "start it with 'catalog serve', or name where it is in --url (CATALOG_URL)"
            }
            Self::Tls(error) => tls_hint(error),
            Self::ProxyLogin => PROXY_LOGIN,
            Self::Refused | Self::NoAnswer | Self::Other(_) => {
                "see that the server runs, and that host and port of --url (CATALOG_URL) are its own"
            }
        };
        hint.to_owned()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchHost => f.write_str("there is no address for its name"),
            Self::Refused => f.write_str("nobody listens there (connection refused)"),
            Self::NoAnswer => f.write_str("nobody answers there"),
            Self::ProxyLogin => f.write_str("the proxy on the way wants a login (407)"),
            Self::Tls(error) => f.write_str(&line(&error.to_string())),
            Self::Other(text) => f.write_str(text),
        }
    }
}

fn tls_hint(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidMessage(_) => "it does not speak TLS there: write http://, or name its port for https",
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "its certificate is signed by nobody whom this machine trusts; name a file with your CA's in SSL_CERT_FILE"
        }
        rustls::Error::InvalidCertificate(_) => {
            "see that --url (CATALOG_URL) has the name that its certificate is for, and that it is still valid"
        }
        _ => "see that --url (CATALOG_URL) has the scheme and the port that it speaks TLS at",
    }
}

/// The TLS error inside an error; a connection hands it on inside an I/O error or two.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inside.and_then(|inner| tls_error(inner)).or_else(|| error.source().and_then(tls_error))
}

fn source_of<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    error.downcast_ref().or_else(|| error.source().and_then(source_of))
}

/// What the error began with. What stands before it names a URL, and whom a request is about can stand in that.
fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, root)
}
