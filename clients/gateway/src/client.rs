//! Where the catalog is, and as whom it is asked.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode, Url, header, redirect};
use secrecy::{ExposeSecret, SecretString};

/// How long the way to the catalog may take to open.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// How long a connection is kept that nobody uses: less than the catalog keeps it, so that no request meets its closing.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// A catalog that can be asked. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    base: Url,
    http: Client,
    credential: Credential,
}

/// As whom the catalog is asked. Its text is shown nowhere.
#[derive(Clone)]
pub struct Credential {
    current: Arc<dyn Fn() -> Kind + Send + Sync>,
    unknown: Arc<dyn Fn() + Send + Sync>,
}

/// What a [`Credential`] is at the moment.
#[derive(Clone)]
pub enum Kind {
    /// A token of the catalog with the permission `tokens.check`.
    Bearer(SecretString),
    /// A client of the catalog (`catalog clients add`) with that permission.
    Client {
        /// Its name.
        name: String,
        /// Its secret.
        secret: SecretString,
    },
}

impl Credential {
    /// A token of the catalog with the permission `tokens.check`.
    #[must_use]
    pub fn bearer(token: SecretString) -> Self {
        Self::current(move || Kind::Bearer(token.clone()))
    }

    /// A client of the catalog with that permission, as `catalog clients add` has made it.
    #[must_use]
    pub fn client(name: impl Into<String>, secret: SecretString) -> Self {
        let name = name.into();
        Self::current(move || Kind::Client { name: name.clone(), secret: secret.clone() })
    }

    /// Whatever the function says before each request, so that it can be replaced while the program runs. It must not block.
    #[must_use]
    pub fn current(current: impl Fn() -> Kind + Send + Sync + 'static) -> Self {
        Self { current: Arc::new(current), unknown: Arc::new(|| {}) }
    }

    /// Hears of it when the catalog does not know what it is asked with (401): time to look whether there is another credential by
    /// now. It must not block.
    #[must_use]
    pub fn when_unknown(self, unknown: impl Fn() + Send + Sync + 'static) -> Self {
        Self { unknown: Arc::new(unknown), ..self }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// Why no catalog can be asked there.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// It is no address.
    #[error("'{0}' is not the address of a catalog: https, or http on this machine, without user, query and fragment")]
    Address(String),
    /// The certificates cannot be used.
    #[error("the certificates cannot be used")]
    Certificates(#[source] reqwest::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// Why the catalog did not answer what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No answer came, or it broke off.
    #[error("the catalog cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// None came in time.
    #[error("the catalog did not answer within {0:?}")]
    Silent(Duration),
    /// It answered that it cannot.
    #[error("the catalog answered {status}")]
    Unavailable {
        /// The answer's status.
        status: StatusCode,
        /// After how long to ask again, if it said so.
        retry_after: Option<Duration>,
    },
    /// It does not let us ask.
    #[error("{}", refused(*.0))]
    Refused(StatusCode),
    /// It answered what nobody can read.
    #[error("the catalog's answer {0}")]
    Answer(&'static str),
    /// It answered JSON of another shape.
    #[error("the catalog's answer is not what was asked for")]
    Json(#[source] serde_json::Error),
}

impl Catalog {
    /// The catalog at an address, such as `https://tokens.example.com`. Redirects are not followed, and no proxy of the
    /// environment is used.
    ///
    /// # Errors
    /// [`SetUpError`], also for an address over which a credential could be overheard.
    pub fn new(address: &str, credential: Credential) -> Result<Self, SetUpError> {
        Self::make(address, credential, None)
    }

    /// The same, believing the authorities of these certificates (PEM), and no others.
    ///
    /// # Errors
    /// [`SetUpError`].
    pub fn with_authorities(address: &str, credential: Credential, pem: &[u8]) -> Result<Self, SetUpError> {
        let authorities = Certificate::from_pem_bundle(pem).map_err(SetUpError::Certificates)?;
        Self::make(address, credential, Some(authorities))
    }

    fn make(address: &str, credential: Credential, authorities: Option<Vec<Certificate>>) -> Result<Self, SetUpError> {
        let base = base(address).ok_or_else(|| SetUpError::Address(address.to_owned()))?;
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIME_MAX)
            .pool_idle_timeout(IDLE_TIME_MAX)
            .user_agent(concat!("catalog-gateway/", env!("CARGO_PKG_VERSION")));
        let builder = match authorities {
            Some(authorities) => builder.tls_certs_only(authorities),
            None => builder,
        };
        Ok(Self { base, http: builder.build().map_err(SetUpError::Client)?, credential })
    }

    /// The catalog's address.
    #[must_use]
    pub fn address(&self) -> &str {
        self.base.as_str()
    }

    /// Asks as whom the credential says.
    pub(crate) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, AskError> {
        let request = self.http.request(method, self.url(path)?);
        Ok(match (self.credential.current)() {
            Kind::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Kind::Client { name, secret } => request.basic_auth(name, Some(secret.expose_secret())),
        })
    }

    /// Asks what everybody may know.
    #[cfg(feature = "jwt")]
    pub(crate) fn public(&self, path: &str) -> Result<RequestBuilder, AskError> {
        Ok(self.http.get(self.url(path)?))
    }

    /// The head of an answer, if it comes in time.
    pub(crate) async fn send(&self, request: RequestBuilder, time_max: Duration) -> Result<Response, AskError> {
        let response = tokio::time::timeout(time_max, request.send()).await.map_err(|_| AskError::Silent(time_max))?;
        let response = response.map_err(AskError::Unreachable)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            (self.credential.unknown)();
        }
        Ok(response)
    }

    fn url(&self, path: &str) -> Result<Url, AskError> {
        self.base.join(path).map_err(|_| AskError::Answer("cannot be asked for: the address is broken"))
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("address", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// What an answer's status says, if it is not the one that was hoped for.
pub(crate) fn refusal(response: &Response) -> Option<AskError> {
    let status = response.status();
    match status {
        StatusCode::OK => None,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(AskError::Refused(status)),
        _ => Some(AskError::Unavailable { status, retry_after: retry_after(response) }),
    }
}

fn refused(status: StatusCode) -> String {
    let why = match status {
        StatusCode::FORBIDDEN => "it lacks the permission, which is tokens.check, or tokens.courier for couriers",
        _ => "it does not know it, or it is over",
    };
    format!("the catalog refuses the credential ({}): {why}", status.as_u16())
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The whole body, of so many bytes at most, if it comes in time.
pub(crate) async fn body(response: Response, bytes_max: usize, time_max: Duration) -> Result<Vec<u8>, AskError> {
    tokio::time::timeout(time_max, read(response, bytes_max)).await.map_err(|_| AskError::Silent(time_max))?
}

async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(AskError::Unreachable)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(AskError::Answer("is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An address over which nobody can overhear, with a slash at its end.
fn base(address: &str) -> Option<Url> {
    let mut url: Url = address.parse().ok()?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let is_private = match url.scheme() {
        "https" => url.has_host(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    };
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    (is_plain && is_private).then_some(url)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_nobody_can_overhear() {
        let ask = |address: &str| base(address).map(|url| url.join("revocations").map(|url| url.to_string()));

        for (good, expected) in [
            ("https://tokens.example.com", "https://tokens.example.com/revocations"),
            ("https://example.com/tokens", "https://example.com/tokens/revocations"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/revocations"),
            ("http://localhost:1", "http://localhost:1/revocations"),
            ("http://[::1]:1", "http://[::1]:1/revocations"),
        ] {
            assert_eq!(ask(good), Some(Ok(expected.to_owned())), "{good}");
        }
        for bad in [
            "http://tokens.example.com",
            "http://127.0.0.1.example.com",
            "ftp://localhost",
            "https://a:b@example.com",
            "https://example.com/?a=b",
            "https://example.com/#a",
            "tokens.example.com",
            "",
        ] {
            assert_eq!(ask(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        let unknown = AskError::Refused(StatusCode::UNAUTHORIZED).to_string();
        let unpermitted = AskError::Refused(StatusCode::FORBIDDEN).to_string();

        assert_eq!(unknown, "the catalog refuses the credential (401): it does not know it, or it is over");
        assert!(unpermitted.contains("(403): it lacks the permission, which is tokens.check"), "{unpermitted}");
    }

    #[test]
    fn no_secret_is_shown() {
        let credential = Credential::client("edge", SecretString::from("hush-hush"));
        let catalog = Catalog::new("http://localhost:1", credential.clone());

        let shown = format!("{credential:?} {catalog:?}");

        assert!(!shown.contains("hush"), "{shown}");
    }
}
