//! What private key files are locked with. There is no flag for a passphrase: other users can read a process's arguments.

use secrecy::SecretString;

use super::{ConfigError, Variables};
use crate::{cli::GlobalArgs, signing::Passphrase};

const VARIABLE: &str = "CATALOG_KEY_PASSPHRASE";
const FILE_VARIABLE: &str = "CATALOG_KEY_PASSPHRASE_FILE";

/// The passphrase, if there is one: of the file that the flag or the variable names, else in the variable.
///
/// # Errors
/// [`ConfigError`].
pub fn passphrase(global: &GlobalArgs, variables: &Variables) -> Result<Option<Passphrase>, ConfigError> {
    match global.key_passphrase_file.clone().or_else(|| variables.path(FILE_VARIABLE)) {
        Some(path) => Ok(Some(Passphrase::from_file(&path).map_err(ConfigError::Passphrase)?)),
        None => Ok(variables.text(VARIABLE)?.and_then(|text| Passphrase::new(SecretString::from(text)))),
    }
}
