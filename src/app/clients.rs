//! Clients: an operator makes and ends them, and they come in by name and secret.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Catalog, CheckError, OpenError, Settled,
    metrics::{self, Checked, Finding},
    view::instant,
};
use crate::{
    domain::{
        Act, Authority, Origin, Position, Refusal,
        causes::Causes,
        claims::Teams,
        client::{ChangeClient, Client, ClientPermission, ClientRefusal, SecretDigest},
        text::ClientName,
    },
    store::log,
};

/// A client as it is listed. Nothing of a secret is in it.
#[derive(Debug, Serialize)]
pub struct ClientView<'a> {
    name: &'a ClientName,
    status: &'static str,
    permissions: &'a [ClientPermission],
    teams: &'a Teams,
    added_at: String,
    added_position: Position,
    rotated_at: Option<String>,
    old_secrets_until: Option<String>,
    revoked_at: Option<String>,
    revoked_position: Option<Position>,
}

impl<'a> ClientView<'a> {
    /// The client as of `now`.
    #[must_use]
    pub fn new(client: &'a Client, now: DateTime<Utc>) -> Self {
        Self {
            name: &client.name,
            status: if client.revoked.is_some() { "revoked" } else { "active" },
            permissions: &client.permissions,
            teams: &client.teams,
            added_at: instant(client.added.0),
            added_position: client.added.1,
            rotated_at: client.rotated.map(instant),
            old_secrets_until: client.old_until(now).map(instant),
            revoked_at: client.revoked.map(|(at, _)| instant(at)),
            revoked_position: client.revoked.map(|(_, position)| position),
        }
    }

    /// `active` or `revoked`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        self.status
    }
}

impl Catalog {
    /// Adds a client, gives one a new secret, or ends one: everywhere, and here at once.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn change_client(&self, change: ChangeClient, origin: Origin) -> Result<Settled<Client>, OpenError> {
        let name = change.name().clone();
        let position = self.settle(Act::ChangeClient(change), origin).await?;
        // The change stands; that this process does not know of it yet is no reason to say otherwise.
        if let Err(error) = self.follow_settings().await {
            tracing::warn!(error = %Causes(&error), "settings cannot be followed");
        }
        let settings = log::settings(self.database.reads()).await?;
        let client = settings.client(&name).cloned();
        Ok(Settled { now: client.ok_or(Refusal::from(ClientRefusal::Unknown { name }))?, position })
    }

    /// The authority of a caller that presents a client's name and secret; `None` when it has none here.
    ///
    /// # Errors
    /// [`CheckError`]: it could not tell, which is not a no.
    pub async fn authenticate_client(&self, name: &str, secret: &str) -> Result<Option<Arc<Authority>>, CheckError> {
        let secret = SecretDigest::of(secret);
        let found = self.client_with(name, secret).await;
        let finding = match &found {
            Ok(Some(_)) => Finding::Active,
            Ok(None) => Finding::Invalid,
            Err(_) => Finding::Unavailable,
        };
        metrics::checked(Checked::Client, finding);
        found
    }

    async fn client_with(&self, name: &str, secret: SecretDigest) -> Result<Option<Arc<Authority>>, CheckError> {
        let Ok(name) = ClientName::parse(name) else { return Ok(None) };
        let now = self.ambient.clock.now();
        let authority =
            |client: &Client| client.accepts(&secret, now).then(|| Arc::new(Authority::of_client(client, secret)));
        let found = if self.latest.may_answer() {
            self.live().settings.client(&name).and_then(authority)
        } else {
            // What was known may be of before a revocation: the log is asked, and if it cannot be, nobody is let in.
            Box::pin(log::settings(self.database.reads())).await?.client(&name).and_then(authority)
        };
        if found.is_some() {
            tracing::Span::current().record("actor", tracing::field::display(&name));
        }
        Ok(found)
    }
}
