//! A catalog elsewhere, followed: the checks of a sidecar, which has neither a log nor a database.

mod issuer;
mod secret;

use std::{path::PathBuf, sync::Arc, time::Duration};

use catalog_gateway::{
    Now, RevocationSet,
    admission::{Demand, Denied, Use},
    client,
    confirm::{Confirmer, Issuance},
    follow::{self, Clock, Follower, Following},
    judge::{Judge, Judged, Objection},
    jwt::{self, Invalid, Rules, Secret, Verifier},
};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use self::issuer::IssuerWatch;
pub use self::secret::{KeptSecret, ReadSecret};
use super::{
    Ambient,
    metrics::{self, Checked, Finding},
};
use crate::domain::{
    Authority, Claims, Path, Position,
    claims::CATALOG_AUDIENCE,
    text::{Audience, Issuer},
};

/// What an edge is told before it begins.
pub struct Outpost {
    /// The catalog that it follows and asks.
    pub catalog: client::Catalog,
    /// Who may ask it about tokens besides callers of the catalog: whoever has the edge's own name and secret.
    pub own: Option<OwnClient>,
    /// `iss` of the catalog's tokens.
    pub issuer: Issuer,
    /// What tokens have to be meant for here.
    pub audience: Audience,
    /// The shared secret of HS256.
    pub secret: Option<Secret>,
    /// For how long tokens are good after the log's end was last seen.
    pub max_staleness: Duration,
    /// Where what is known is kept across restarts.
    pub file: Option<PathBuf>,
    /// Time and chance.
    pub ambient: Ambient,
}

/// The name and secret with which an edge asks the catalog.
#[derive(Clone)]
pub struct OwnClient {
    /// The name.
    pub name: String,
    /// The secret.
    pub secret: KeptSecret,
}

/// A catalog elsewhere, followed.
pub struct Edge {
    judge: Judge,
    follower: Follower,
    own: Option<OwnClient>,
    issuer: Arc<Issuer>,
    issuer_watch: IssuerWatch,
    max_staleness: Duration,
    ambient: Ambient,
}

/// What becomes of a request that came to a gateway.
#[derive(Debug)]
pub enum EdgePassage {
    /// It may pass.
    Allowed {
        /// What its token says.
        verified: Arc<jwt::Verified>,
        /// How it was issued.
        issuance: Issuance,
    },
    /// Its token is not good here. Why is not said.
    NotGood,
    /// Its token is good, and may not be used for it.
    Denied(Denied),
}

/// A token that is active.
#[derive(Debug)]
pub struct Introspected {
    /// What it says.
    pub claims: Claims,
    /// The door it was issued through.
    pub path: Path,
    /// Whether it came past the controls of the catalog's API.
    pub out_of_band: bool,
    /// Where in the log it was issued.
    pub position: Position,
}

impl Edge {
    /// Begins to follow. It needs a tokio runtime with its timer and its I/O.
    #[must_use]
    pub fn open(outpost: Outpost) -> Self {
        let Outpost { catalog, own, issuer, audience, secret, max_staleness, file, ambient } = outpost;
        let (clock, issuer) = (clock(&ambient), Arc::new(issuer));
        let issuer_watch = IssuerWatch::start(catalog.clone(), issuer.clone());
        let set = RevocationSet::new(max_staleness);
        let settings = follow::Settings { file, clock: clock.clone(), ..follow::Settings::default() };
        let follower = Follower::start(catalog.clone(), set.clone(), settings);
        let rules = Rules { issuer: issuer.as_str().to_owned(), audience: audience.as_str().to_owned() };
        let verifier = match secret {
            Some(secret) => Verifier::with_secret(catalog.clone(), rules, secret),
            None => Verifier::new(catalog.clone(), rules),
        };
        let judge = Judge::new(verifier, set).confirmed_by(Confirmer::new(catalog)).by(clock);
        Self { judge, follower, own, issuer, issuer_watch, max_staleness, ambient }
    }

    /// Judges a token that was presented to a gateway, as [`super::Catalog::authorize`] does. The request comes `from` there.
    ///
    /// # Errors
    /// [`Objection`] that is no no: it could not tell.
    pub async fn authorize(
        &self,
        presented: &str,
        demand: &Demand,
        from: Option<std::net::IpAddr>,
    ) -> Result<EdgePassage, Objection> {
        let Some((verified, issuance)) = said(Checked::Passage, self.judge.judge(presented).await)? else {
            return Ok(EdgePassage::NotGood);
        };
        let used = Use { from, at: self.now() };
        match verified.claims.scopes.terms(issuance.out_of_band).admit(demand, used) {
            Ok(()) => Ok(EdgePassage::Allowed { verified, issuance }),
            Err(denied) => Ok(EdgePassage::Denied(denied)),
        }
    }

    /// Checks a token that a caller asks about, whomever it is meant for. `None` is any that is not active.
    ///
    /// # Errors
    /// [`Objection`] that is no no: it could not tell.
    pub async fn check(&self, presented: &str) -> Result<Option<Introspected>, Objection> {
        let good = said(Checked::Token, self.judge.judge_for_any(presented).await)?;
        good.map(|(verified, issuance)| introspected(&verified, &issuance)).transpose()
    }

    /// The authority of a caller that presents a token of the catalog's own; `None` when it has none.
    ///
    /// # Errors
    /// [`Objection`] that is no no: it could not tell.
    pub async fn authenticate(&self, presented: &str) -> Result<Option<Authority>, Objection> {
        let good = said(Checked::Credential, self.judge.judge_for_any(presented).await)?;
        let good = good.filter(|(verified, _)| verified.claims.aud.iter().any(|member| member == CATALOG_AUDIENCE));
        let introspected = good.map(|(verified, issuance)| introspected(&verified, &issuance)).transpose()?;
        Ok(introspected.map(|Introspected { claims, .. }| Authority::of_token(&claims)))
    }

    /// Whether this is the name and secret with which the edge itself asks the catalog.
    #[must_use]
    pub fn is_own(&self, name: &str, secret: &str) -> bool {
        let own = self.own.as_ref().filter(|own| own.name == name);
        let is_own = own.is_some_and(|own| {
            let secret_now = own.secret.current();
            bool::from(secret_now.expose_secret().as_bytes().ct_eq(secret.as_bytes()))
        });
        metrics::checked(Checked::Client, if is_own { Finding::Active } else { Finding::Invalid });
        is_own
    }

    /// What is known of the log, and how.
    #[must_use]
    pub fn following(&self) -> Following {
        self.follower.status()
    }

    /// Returns once the catalog was heard for the first time.
    pub async fn loaded(&self) {
        self.follower.loaded().await;
    }

    /// For how long tokens are good after the log's end was last seen.
    #[must_use]
    pub fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    /// `iss` of the catalog's tokens.
    #[must_use]
    pub fn issuer(&self) -> &Arc<Issuer> {
        &self.issuer
    }

    /// Whether the catalog said of itself that it has another issuer: then none of its tokens is good here.
    #[must_use]
    pub fn has_other_issuer(&self) -> bool {
        self.issuer_watch.is_other()
    }

    /// Time and chance.
    #[must_use]
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// Ends, and keeps what is known if there is a file for it.
    pub async fn close(self) {
        self.follower.stop().await;
    }

    /// The later of the own clock and the catalog's.
    fn now(&self) -> DateTime<Utc> {
        self.judge.set().latest(self.judge.clock().now())
    }
}

/// The process's clock beside one that nobody sets.
fn clock(ambient: &Ambient) -> Clock {
    let (clock, start) = (ambient.clock.clone(), Instant::now());
    Clock::of(move || Now::new(clock.now(), start.elapsed()))
}

/// A judgement, counted. What is not good is `None`.
fn said(what: Checked, judged: Result<Judged, Objection>) -> Result<Option<(Arc<jwt::Verified>, Issuance)>, Objection> {
    metrics::checked(what, judged.as_ref().map_or_else(finding, |_| Finding::Active));
    match judged {
        Ok(Judged { verified, issuance: Some(issuance) }) => Ok(Some((verified, issuance))),
        // Everything is confirmed here.
        Ok(Judged { issuance: None, .. }) => Err(Objection::Unconfirmed),
        Err(objection) if objection.is_no() => Ok(None),
        Err(objection) => Err(objection),
    }
}

fn finding(objection: &Objection) -> Finding {
    match objection {
        Objection::Invalid(Invalid::Expired { .. }) => Finding::Expired,
        Objection::Invalid(Invalid::UnknownKey) => Finding::Foreign,
        Objection::Invalid(_) => Finding::Invalid,
        Objection::Revoked => Finding::Revoked,
        Objection::NotActive => Finding::NotActive,
        Objection::KeysUnavailable(_) => Finding::KeysUnavailable,
        Objection::SecretUnknown => Finding::SecretUnknown,
        Objection::Stale => Finding::Stale,
        Objection::Unconfirmed => Finding::Unconfirmed,
    }
}

/// What the catalog would say of it. What a later version of the catalog writes otherwise, nobody can tell here.
fn introspected(verified: &jwt::Verified, issuance: &Issuance) -> Result<Introspected, Objection> {
    let claims = serde_json::to_value(&verified.claims).and_then(serde_json::from_value);
    let (Ok(claims), Ok(path)) = (claims, issuance.path.parse()) else { return Err(Objection::Unconfirmed) };
    Ok(Introspected { claims, path, out_of_band: issuance.out_of_band, position: Position(issuance.position) })
}
