//! The private halves on this machine: which keys it could sign with, and why not with the others.

use super::super::{CliError, Shell, config::signing, session::Session};
use crate::{
    app::SigningKey,
    domain::key::KeyRecord,
    signing::{Keyring, PrivateHalf},
};

/// Those in the keys directory, and the one that the settings name.
pub(super) struct PrivateHalves(Option<Keyring>);

impl PrivateHalves {
    /// Looks for them. There are none where there never were any: looking must not make a directory.
    pub(super) fn look(shell: &Shell<'_>, session: &Session) -> Result<Self, CliError> {
        let key = signing(&shell.global, shell.variables)?.key;
        let directory = session.place.keys();
        if matches!(key, SigningKey::FromLog(_)) && !directory.exists() {
            return Ok(Self(None));
        }
        let mut keyring = Keyring::open_usable(&directory, shell.passphrase()?)?;
        match key {
            SigningKey::FromLog(_) => {}
            SigningKey::Secret(secret) => drop(keyring.add_secret(secret)?),
            SigningKey::File { private, public, alg } => {
                drop(keyring.add_key_file(&private, public.as_deref(), alg)?);
            }
        }
        Ok(Self(Some(keyring)))
    }

    /// What is here of a key.
    pub(super) fn of(&self, key: &KeyRecord) -> PrivateHalf<'_> {
        self.0.as_ref().map_or(PrivateHalf::Missing, |keyring| keyring.private_half(&key.kid))
    }
}
