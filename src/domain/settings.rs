//! What shapes every token and is itself in the log: a fold over a few events.

use super::{
    Event, Path, Position, Recorded, Refusal,
    client::Client,
    key::{Algorithm, Compromise, KeyRecord},
    key_life::KeyRefusal,
    policy::Policy,
    status_list::StatusListBegun,
    text::{Audience, ClientName, Environment, Issuer, Kid},
};

/// The settings as of a position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `iss`.
    pub issuer: Option<Issuer>,
    /// `aud` when none is asked for.
    pub audience: Option<Audience>,
    /// `env`.
    pub env: Option<Environment>,
    /// The policy in force.
    pub policy: Option<Policy>,
    /// Every key, in the order in which they were added.
    pub keys: Vec<KeyRecord>,
    /// The key that signs.
    pub active: Option<Kid>,
    /// Every client, in the order in which they were added.
    pub clients: Vec<Client>,
    /// Every status list, in the order in which they began; the last one is open.
    pub status_lists: Vec<StatusListBegun>,
}

/// The settings that one issuance needs, all of them there.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `aud` when none is asked for.
    pub audience: &'a Audience,
    /// `env`.
    pub env: Option<&'a Environment>,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The key that signs.
    pub kid: &'a Kid,
    /// Its algorithm.
    pub alg: Algorithm,
}

impl Settings {
    /// Takes one event into account; events of other kinds change nothing.
    pub fn apply(&mut self, recorded: &Recorded) {
        match &recorded.occurrence.event {
            Event::Configured(configured) => {
                self.issuer = Some(configured.issuer.clone());
                self.audience = Some(configured.audience.clone());
                self.env.clone_from(&configured.env);
            }
            Event::PolicyApplied(policy) => self.apply_policy(policy, recorded.position),
            Event::StatusListBegun(begun) => self.status_lists.push(begun.clone()),
            Event::KeyAdded(key) => self.keys.push(KeyRecord::added(key, recorded)),
            Event::KeyActivated(key) => self.activate(&key.kid, recorded.position),
            Event::ClientAdded(added) => self.clients.push(Client::added(added, recorded)),
            Event::ClientRotated(rotated) => {
                if let Some(client) = self.client_mut(&rotated.name) {
                    client.rotate(rotated, recorded);
                }
            }
            Event::ClientRevoked(revoked) => {
                if let Some(client) = self.client_mut(&revoked.name) {
                    client.revoke(recorded);
                }
            }
            Event::KeyRetired(key) => self.change(&key.kid, |record| record.retired = Some(recorded.position)),
            Event::KeyCompromised(key) => self.compromise(&key.kid, key.from, recorded.position),
            Event::TokenIssued(_)
            | Event::TokenRevoked(_)
            | Event::TokenSuspended(_)
            | Event::TokenResumed(_)
            | Event::TokensRevokedByRule(_)
            | Event::RevocationByRuleRefused(_)
            | Event::CourierIssued(_)
            | Event::CourierRefused(_)
            | Event::IssuanceRefused(_)
            | Event::RevocationRefused(_)
            | Event::SuspensionRefused(_)
            | Event::RotationRefused(_)
            | Event::RotatedTokenReused(_)
            | Event::LoginRefused(_)
            | Event::PersonSeen(_)
            | Event::AuditRead(_)
            | Event::ShadowTokenSeen(_) => {}
        }
    }

    fn apply_policy(&mut self, policy: &Policy, position: Position) {
        let before = self.signer_of_shell().cloned();
        self.policy = Some(policy.clone());
        if let Some(kid) = before.filter(|kid| self.signer_of_shell() != Some(kid)) {
            self.change(&kid, |record| record.relieved = Some(position));
        }
    }

    fn activate(&mut self, kid: &Kid, position: Position) {
        if self.key(kid).is_none() {
            return;
        }
        self.change(kid, |record| record.activated = Some(position));
        if let Some(before) = self.active.replace(kid.clone()).filter(|before| before != kid) {
            self.change(&before, |record| record.relieved = Some(position));
        }
    }

    fn compromise(&mut self, kid: &Kid, from: Position, position: Position) {
        self.change(kid, |record| {
            let first = record.compromise.get_or_insert(Compromise { position, from });
            first.from = first.from.min(from);
        });
    }

    fn change(&mut self, kid: &Kid, change: impl FnOnce(&mut KeyRecord)) {
        if let Some(record) = self.keys.iter_mut().find(|record| record.kid == *kid) {
            change(record);
        }
    }

    /// The client of that name, revoked or not.
    #[must_use]
    pub fn client(&self, name: &ClientName) -> Option<&Client> {
        self.clients.iter().find(|client| client.name == *name)
    }

    fn client_mut(&mut self, name: &ClientName) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.name == *name)
    }

    /// The key of that name.
    #[must_use]
    pub fn key(&self, kid: &Kid) -> Option<&KeyRecord> {
        self.keys.iter().find(|record| record.kid == *kid)
    }

    /// Whether access tokens of that identity provider are taken.
    #[must_use]
    pub fn trusts(&self, issuer: &Issuer) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.rules.trusted_issuer(issuer).is_some())
    }

    /// The keys that are published.
    pub fn published(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter().filter(|key| key.is_published())
    }

    /// The key that the policy names for tokens from a shell.
    #[must_use]
    pub fn signer_of_shell(&self) -> Option<&Kid> {
        self.policy.as_ref().and_then(|policy| policy.rules.shell.kid.as_ref())
    }

    /// The key that signs what comes through a door.
    #[must_use]
    pub fn signer(&self, path: Path) -> Option<&Kid> {
        self.signer_of_shell().filter(|_| path == Path::CliDev).or(self.active.as_ref())
    }

    /// Everything that an issuance through a door needs.
    ///
    /// # Errors
    /// [`Refusal::NotConfigured`] while any of it is missing, [`KeyRefusal::Over`] for a key that signs no more.
    pub fn shape(&self, path: Path) -> Result<Shape<'_>, Refusal> {
        let key = self.signer(path).and_then(|kid| self.key(kid));
        if let Some((key, over)) = key.and_then(|key| Some((key, key.over()?))) {
            return Err(KeyRefusal::Over { kid: key.kid.clone(), over }.into());
        }
        match (&self.issuer, &self.audience, &self.policy, key) {
            (Some(issuer), Some(audience), Some(policy), Some(key)) => {
                Ok(Shape { issuer, audience, env: self.env.as_ref(), policy, kid: &key.kid, alg: key.alg })
            }
            _ => Err(Refusal::NotConfigured),
        }
    }
}
