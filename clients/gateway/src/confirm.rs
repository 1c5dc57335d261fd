//! Asks the catalog once per unseen token whether it was issued.
//!
//! A feed of revocations proves that a token is not revoked. It does not prove that it was issued: what a thief of a key has
//! signed is in no feed. For those who want both, a [`Confirmer`] asks (RFC 7662) about each token that it has not seen, and
//! remembers the good ones until they expire.
//!
//! ```
//! use catalog_gateway::{Now, client::{Catalog, Credential}, confirm::{Confirmation, Confirmer}};
//! # use axum::{Form, Router, routing::post};
//! # use catalog_gateway::jwt::{Claims, Verified};
//! # let claims = serde_json::json!({
//! #     "iss": "https://tokens.example.com", "aud": ["gateway"], "sub": "alice@example.com", "client_id": "catalog",
//! #     "jti": "0197f3a0-5b1c-7c3e-8d4f-0123456789ab", "iat": 0, "exp": 4_000_000_000_i64, "token_use": "api",
//! #     "user": {"email": "alice@example.com", "full_name": "Alice", "is_admin": false, "auth_provider": "api_token"},
//! #     "teams": ["red"], "namespaces": [], "scopes": {"server_id": null, "permissions": [], "ip_restrictions": [],
//! #     "time_restrictions": {}, "usage_limits": {}}
//! # });
//! # let verified = Verified {
//! #     claims: serde_json::from_value::<Claims>(claims)?, kid: "k1".to_owned(), signing_input_digest: [0; 32],
//! # };
//! # // A catalog that has issued one token.
//! # async fn introspect(Form(form): Form<Vec<(String, String)>>) -> &'static str {
//! #     match form.iter().any(|(_, text)| text == "issued") {
//! #         true => r#"{"active": true, "jti": "0197f3a0-5b1c-7c3e-8d4f-0123456789ab"}"#,
//! #         false => r#"{"active": false}"#,
//! #     }
//! # }
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(async { axum::serve(listener, Router::new().route("/introspect", post(introspect))).await });
//! # let forged = Verified { signing_input_digest: [1; 32], ..verified.clone() };
//!
//! let catalog = Catalog::new(&address, Credential::client("edge", "the client's secret".into()))?;
//! let confirmer = Confirmer::new(catalog);
//!
//! // `verified` is what a `Verifier` said of the token.
//! let now = Now::read().wall();
//! assert_eq!(confirmer.confirm("issued", &verified, now).await, Confirmation::Issued);
//! assert_eq!(confirmer.confirm("forged with a stolen key", &forged, now).await, Confirmation::NotActive);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Deserialize;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{
    client::{self, AskError, Catalog},
    jwt::Verified,
};

/// How many tokens are remembered at most, where nothing else is said.
const TOKENS_MAX: usize = 100_000;
/// Past how many it is looked whether anybody still waits for their answers.
const ASKING_MAX: usize = 1_024;
/// How long the catalog may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// The longest answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What the catalog says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Confirmation {
    /// It was issued with exactly these claims, and was active when the catalog was asked.
    Issued,
    /// It was not, or is not active.
    NotActive,
    /// The catalog could not be asked, or could not tell. That is not a no, and no reason to let the token pass.
    CouldNotTell,
}

/// Asks once per unseen token. Cheap to clone: all clones remember the same.
#[derive(Clone)]
pub struct Confirmer(Arc<Shared>);

struct Shared {
    catalog: Catalog,
    state: Mutex<State>,
    tokens_max: usize,
}

/// What stands for a token: its identifier, and the SHA-256 of its `header.payload`.
type Token = (Uuid, [u8; 32]);

#[derive(Default)]
struct State {
    /// Until when, in seconds since 1970: those that came lately, and those before them.
    young: HashMap<Token, i64>,
    old: HashMap<Token, i64>,
    /// Those that are being asked about.
    asking: HashMap<Token, Arc<OnceCell<Confirmation>>>,
}

#[derive(Deserialize)]
struct Introspection {
    active: bool,
    jti: Option<Uuid>,
}

impl Confirmer {
    /// Remembers 100,000 tokens, which takes about 10 MB.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        Self::remembering(catalog, TOKENS_MAX)
    }

    /// Remembers so many tokens. Past that, those that came longest ago are asked about again.
    #[must_use]
    pub fn remembering(catalog: Catalog, tokens_max: usize) -> Self {
        Self(Arc::new(Shared { catalog, state: Mutex::default(), tokens_max }))
    }

    /// What the catalog says of a token, or said of it before. Its text is kept nowhere.
    pub async fn confirm(&self, token: &str, verified: &Verified, now: DateTime<Utc>) -> Confirmation {
        let key = (verified.claims.jti, verified.signing_input_digest);
        let cell = {
            let mut state = self.0.state();
            if state.knows(key, now.timestamp()) {
                return Confirmation::Issued;
            }
            state.forget_given_up();
            state.asking.entry(key).or_default().clone()
        };
        // Those who come with the same token meanwhile wait for the one answer.
        let confirmation = *cell.get_or_init(|| self.0.ask(token, key.0)).await;
        self.0.state().conclude(key, confirmation, verified.claims.exp, self.0.tokens_max);
        confirmation
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, token: &str, jti: Uuid) -> Confirmation {
        match self.introspect(token).await {
            Ok(Introspection { active: true, jti: Some(said) }) if said == jti => Confirmation::Issued,
            Ok(Introspection { active: false, .. }) => Confirmation::NotActive,
            Ok(_) => {
                tracing::error!(%jti, "the catalog answers about another token than it was asked about");
                Confirmation::CouldNotTell
            }
            Err(error) => {
                tracing::warn!(%jti, address = self.catalog.address(), %error, "whether a token was issued cannot be told");
                Confirmation::CouldNotTell
            }
        }
    }

    async fn introspect(&self, token: &str) -> Result<Introspection, AskError> {
        let request = self.catalog.request(Method::POST, "introspect")?.form(&[("token", token)]);
        let response = client::send(request, ANSWER_TIME_MAX).await?;
        if let Some(refusal) = client::refusal(&response) {
            return Err(refusal);
        }
        let body = client::body(response, ANSWER_BYTES_MAX, ANSWER_TIME_MAX).await?;
        serde_json::from_slice(&body).map_err(AskError::Json)
    }
}

impl State {
    /// Those for whose answer nobody waits any more.
    fn forget_given_up(&mut self) {
        if self.asking.len() >= ASKING_MAX {
            self.asking.retain(|_, cell| Arc::strong_count(cell) > 1);
        }
    }

    fn knows(&self, token: Token, now: i64) -> bool {
        let is_young = self.young.get(&token).is_some_and(|exp| now < *exp);
        is_young || self.old.get(&token).is_some_and(|exp| now < *exp)
    }

    fn conclude(&mut self, token: Token, confirmation: Confirmation, exp: i64, tokens_max: usize) {
        self.asking.remove(&token);
        if confirmation != Confirmation::Issued {
            return;
        }
        // Two generations of half the number each: the older goes when the younger is full.
        if self.young.len() >= tokens_max / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        if tokens_max > 0 {
            self.young.insert(token, exp);
        }
    }
}

impl fmt::Debug for Confirmer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmer").field("catalog", &self.0.catalog).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u128) -> Token {
        (Uuid::from_u128(number), [0; 32])
    }

    #[test]
    fn a_token_is_remembered_under_its_claims_until_it_expires() {
        let mut state = State::default();

        state.conclude(token(1), Confirmation::Issued, 100, 10);
        state.conclude(token(2), Confirmation::NotActive, 100, 10);
        state.conclude(token(3), Confirmation::CouldNotTell, 100, 10);

        assert!(state.knows(token(1), 99) && !state.knows(token(1), 100));
        assert!(!state.knows((token(1).0, [1; 32]), 99), "other claims under the same identifier");
        assert!(!state.knows(token(2), 99) && !state.knows(token(3), 99));
    }

    #[test]
    fn no_more_are_remembered_than_may_be_and_the_latest_are() {
        let mut state = State::default();

        for number in 0..1_000 {
            state.conclude(token(number), Confirmation::Issued, 100, 10);
            assert!(state.young.len() + state.old.len() <= 10);
        }

        assert!((995..1_000).all(|number| state.knows(token(number), 0)) && !state.knows(token(980), 0));
    }
}
