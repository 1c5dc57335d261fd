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
//! #         true => r#"{"active": true, "jti": "0197f3a0-5b1c-7c3e-8d4f-0123456789ab", "path": "api", "out_of_band": false, "position": 7}"#,
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
//! let said = confirmer.confirm("issued", &verified, now).await;
//! assert!(matches!(said, Confirmation::Issued(issuance) if !issuance.out_of_band));
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
    causes::Causes,
    client::{self, AskError, Catalog},
    generations::Generations,
    jwt::Verified,
    set::Standing,
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Confirmation {
    /// It was issued with exactly these claims, and was active when the catalog was asked.
    Issued(Issuance),
    /// It was not, or is not active.
    NotActive,
    /// The catalog could not be asked, or could not tell. That is not a no, and no reason to let the token pass.
    CouldNotTell,
}

/// How a token was issued, which its claims do not say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuance {
    /// The door it was issued through: `api`, `cli-dev`, `cli-admin`, `system`.
    pub path: Arc<str>,
    /// Whether it came past the controls of the catalog's API.
    pub out_of_band: bool,
    /// Where in the log it was issued.
    pub position: i64,
}

/// Asks once per unseen token. Cheap to clone: all clones remember the same.
#[derive(Clone)]
pub struct Confirmer(Arc<Shared>);

struct Shared {
    catalog: Catalog,
    state: Mutex<State>,
}

/// What stands for a token: its identifier, and the SHA-256 of its `header.payload`, or, where nobody here could check its signature,
/// of its whole text.
type Token = (Uuid, [u8; 32]);

struct State {
    known: Generations<Token, Known>,
    /// Those that are being asked about.
    asking: HashMap<Token, Arc<OnceCell<Confirmation>>>,
    standing: Standing,
}

/// A token that was confirmed.
struct Known {
    issuance: Issuance,
    /// Until when it is good, in seconds since 1970.
    exp: i64,
    /// How often the catalog had been reached anew when it was asked.
    resumed: u64,
}

/// What is read of the catalog's answer.
#[derive(Deserialize)]
struct Introspection {
    active: bool,
    jti: Option<Uuid>,
    path: Option<String>,
    out_of_band: Option<bool>,
    position: Option<i64>,
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
        let state = State { known: Generations::of(tokens_max), asking: HashMap::new(), standing: Standing::default() };
        Self(Arc::new(Shared { catalog, state: Mutex::new(state) }))
    }

    /// Learns how the feed stands: in a log that was restored from a backup, issuances may be missing that were confirmed.
    #[cfg_attr(not(feature = "judge"), expect(dead_code, reason = "only whoever follows the feed, too, knows"))]
    pub(crate) fn observe(&self, standing: Standing) {
        self.0.state().observe(standing);
    }

    /// What the catalog says of a token, or said of it before. Its text is kept nowhere.
    pub async fn confirm(&self, token: &str, verified: &Verified, now: DateTime<Utc>) -> Confirmation {
        self.confirm_as(verified.signing_input_digest, token, verified, now).await
    }

    /// The same, where what was confirmed is remembered by a digest: that of the whole text, if nobody here can check its signature.
    pub(crate) async fn confirm_as(
        &self,
        digest: [u8; 32],
        token: &str,
        verified: &Verified,
        now: DateTime<Utc>,
    ) -> Confirmation {
        let key = (verified.claims.jti, digest);
        let (cell, standing) = {
            let mut state = self.0.state();
            if let Some(issuance) = state.recall(key, now.timestamp()) {
                return Confirmation::Issued(issuance);
            }
            state.forget_given_up();
            (state.asking.entry(key).or_default().clone(), state.standing)
        };
        // Those who come with the same token meanwhile wait for the one answer.
        let confirmation = cell.get_or_init(|| self.0.ask(token, key.0)).await.clone();
        self.0.state().conclude(key, &confirmation, verified.claims.exp, standing);
        confirmation
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, token: &str, jti: Uuid) -> Confirmation {
        match self.introspect(token).await {
            Ok(Introspection {
                active: true,
                jti: Some(said),
                path: Some(path),
                out_of_band: Some(out_of_band),
                position: Some(position),
            }) if said == jti => Confirmation::Issued(Issuance { path: path.into(), out_of_band, position }),
            Ok(Introspection { active: false, .. }) => Confirmation::NotActive,
            Ok(_) => {
                tracing::error!(%jti, "the catalog does not answer what it was asked");
                Confirmation::CouldNotTell
            }
            Err(error) => {
                tracing::warn!(%jti, address = self.catalog.address(), error = %Causes(&error), "whether a token was issued cannot be told");
                Confirmation::CouldNotTell
            }
        }
    }

    async fn introspect(&self, token: &str) -> Result<Introspection, AskError> {
        let request = self.catalog.request(Method::POST, "introspect")?.form(&[("token", token)]);
        let response = self.catalog.send(request, ANSWER_TIME_MAX).await?;
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

    fn observe(&mut self, standing: Standing) {
        if standing.snapshots > self.standing.snapshots {
            self.asking.clear();
            self.known.clear();
        }
        self.standing = self.standing.max(standing);
    }

    /// What was confirmed since the catalog was reached anew, or lies within what it went on from then.
    fn recall(&self, token: Token, now: i64) -> Option<Issuance> {
        let Known { issuance, exp, resumed } = self.known.get(&token)?;
        let is_of_this_log = *resumed == self.standing.resumed || issuance.position <= self.standing.resumed_at;
        (now < *exp && is_of_this_log).then(|| issuance.clone())
    }

    /// Takes an answer to what was asked when the feed stood so.
    fn conclude(&mut self, token: Token, confirmation: &Confirmation, exp: i64, asked: Standing) {
        // What was asked before is of no use now.
        if asked.snapshots != self.standing.snapshots {
            return;
        }
        self.asking.remove(&token);
        if let Confirmation::Issued(issuance) = confirmation {
            self.known.put(token, Known { issuance: issuance.clone(), exp, resumed: asked.resumed });
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

    fn state() -> State {
        State { known: Generations::of(10), asking: HashMap::new(), standing: Standing::default() }
    }

    fn issued() -> Confirmation {
        Confirmation::Issued(Issuance { path: "api".into(), out_of_band: false, position: 7 })
    }

    #[test]
    fn a_token_is_remembered_under_its_claims_until_it_expires() {
        let mut state = state();

        state.conclude(token(1), &issued(), 100, Standing::default());
        state.conclude(token(2), &Confirmation::NotActive, 100, Standing::default());
        state.conclude(token(3), &Confirmation::CouldNotTell, 100, Standing::default());

        let knows = |token, now| state.recall(token, now).is_some();
        assert!(knows(token(1), 99) && !knows(token(1), 100));
        assert!(!knows((token(1).0, [1; 32]), 99), "other claims under the same identifier");
        assert!(!knows(token(2), 99) && !knows(token(3), 99));
    }

    #[test]
    fn what_was_confirmed_before_a_snapshot_is_forgotten_and_so_are_answers_to_what_was_asked_before_it() {
        let (mut state, snapshot) = (state(), Standing { snapshots: 1, ..Standing::default() });

        state.conclude(token(1), &issued(), 100, Standing::default());
        assert!(state.recall(token(1), 99).is_some());
        state.observe(snapshot);
        assert!(state.recall(token(1), 99).is_none());
        state.conclude(token(1), &issued(), 100, Standing::default());
        assert!(state.recall(token(1), 99).is_none());
        state.conclude(token(1), &issued(), 100, snapshot);
        // One who comes late with what it has read before takes nothing back.
        state.observe(Standing::default());
        assert!(state.recall(token(1), 99).is_some());
    }

    #[test]
    fn what_was_confirmed_of_a_place_that_the_catalog_does_not_go_on_from_is_asked_about_again() {
        let mut state = state();
        state.conclude(token(1), &issued(), 100, Standing::default());

        // It was issued at position 7.
        state.observe(Standing { resumed: 1, resumed_at: 6, ..Standing::default() });
        assert!(state.recall(token(1), 99).is_none());
        state.conclude(token(1), &issued(), 100, Standing { resumed: 1, resumed_at: 6, ..Standing::default() });
        assert!(state.recall(token(1), 99).is_some());
        state.observe(Standing { resumed: 2, resumed_at: 7, ..Standing::default() });
        assert!(state.recall(token(1), 99).is_some());
    }
}
