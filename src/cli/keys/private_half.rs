//! The private halves on this machine: which keys it could sign with, and why not with the others.

use super::super::{CliError, Shell, config::signing, output, session::Session};
use crate::{
    app::SigningKey,
    domain::{
        Settings,
        causes::Causes,
        key::{Algorithm, KeyRecord},
        text::Kid,
    },
    signing::{Keyring, KeyringError, PrivateHalf},
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

    /// Why files of the keys directory cannot be used, a line for each, whether the log knows such a key or not.
    pub(super) fn faults(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(Keyring::faults).map(KeyringError::told)
    }

    /// What is here of a key.
    pub(super) fn of(&self, key: &KeyRecord) -> PrivateHalf<'_> {
        self.0.as_ref().map_or(PrivateHalf::Missing, |keyring| keyring.private_half(&key.kid))
    }
}

/// Refuses to have a key sign that this process cannot sign with: it may be that no server can, and then nothing is issued.
/// Whoever keeps private halves on the servers alone says `elsewhere`, and is warned.
pub(super) fn require(
    shell: &Shell<'_>,
    session: &Session,
    settings: &Settings,
    kid: &Kid,
    elsewhere: bool,
) -> Result<(), CliError> {
    let signs_already = settings.active.as_ref() == Some(kid);
    let Some(key) = settings.key(kid).filter(|_| !signs_already) else { return Ok(()) };
    match tokio::task::block_in_place(|| try_to_sign(shell, session, key)) {
        Err(error) if elsewhere => {
            output::say(&format!("warning: {}; a server of which that is true issues nothing", output::told(&error)));
            Ok(())
        }
        outcome => outcome,
    }
}

fn try_to_sign(shell: &Shell<'_>, session: &Session, key: &KeyRecord) -> Result<(), CliError> {
    let (why, remedy) = match (PrivateHalves::look(shell, session)?.of(key), key.alg) {
        (PrivateHalf::Here, _) => return Ok(()),
        (PrivateHalf::Unusable(fault), _) => (Causes(fault).to_string(), fault.hint()),
        (PrivateHalf::Missing, Algorithm::Hs256) => {
            ("its secret was not given".to_owned(), Some("set JWT_SECRET_KEY".to_owned()))
        }
        (PrivateHalf::Missing, Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256) => (
            "its private half is not here".to_owned(),
            Some(format!(
                "bring it into the keys directory as {}.pem, or name its file in JWT_PRIVATE_KEY_PATH",
                key.kid
            )),
        ),
    };
    Err(CliError::CannotSign { kid: key.kid.clone(), why, remedy })
}
