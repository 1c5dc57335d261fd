//! What an edge is told: where its catalog is, as whom it asks, and what it needs to judge by itself.

use std::{fs, io::Read, path::PathBuf};

use catalog_gateway::{
    client::{self, Credential},
    jwt::Secret,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    ConfigError, Listen, MaxStaleness, ServerUrl, Variables,
    identity::{audience_or_default, env, issuer},
    signing::ENVIRONMENT_DEFAULT,
    staleness,
};
use crate::{
    app::{
        Ambient,
        edge::{Outpost, OwnClient},
    },
    cli::GlobalArgs,
    domain::text::Issuer,
};

/// Port 8081 of this machine alone: the catalog itself may be beside it.
const LISTEN: &str = "127.0.0.1:8081";
/// More than any secret has.
const FILE_BYTES_MAX: u64 = 65_536;

/// The flags of an edge.
pub struct EdgeSettings {
    /// The catalog.
    pub url: ServerUrl,
    /// The client that it is.
    pub client: Option<String>,
    /// Where that client's secret is.
    pub client_secret_file: Option<PathBuf>,
    /// Where the shared secret of HS256 is.
    pub shared_secret_file: Option<PathBuf>,
    /// How old what it knows may become.
    pub max_staleness: Option<MaxStaleness>,
    /// Where it keeps what it knows.
    pub snapshot: Option<PathBuf>,
}

/// The flag, else `CATALOG_LISTEN`, else port 8081 of this machine alone.
///
/// # Errors
/// [`ConfigError`].
pub fn edge_listen(flag: Option<Listen>, variables: &Variables) -> Result<Listen, ConfigError> {
    listen_or(LISTEN, flag, variables)
}

/// The flag, else `CATALOG_LISTEN`, else what is the default.
pub(super) fn listen_or(default: &str, flag: Option<Listen>, variables: &Variables) -> Result<Listen, ConfigError> {
    match variables.setting(flag, &["CATALOG_LISTEN"])? {
        Some(listen) => Ok(listen),
        None => default.parse().map_err(|source| ConfigError::Malformed { name: "--listen", source }),
    }
}

impl EdgeSettings {
    /// What flags and variables say together. Secrets are read here, once.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn outpost(self, global: &GlobalArgs, variables: &Variables, ambient: Ambient) -> Result<Outpost, ConfigError> {
        let secret = shared_secret(self.shared_secret_file, global, variables)?;
        let (credential, own) = credential(self.client, self.client_secret_file, variables)?;
        let address = self.url.to_string();
        Ok(Outpost {
            catalog: client::Catalog::new(&address, credential).map_err(ConfigError::Catalog)?,
            own,
            issuer: match issuer(global, variables)? {
                Some(issuer) => issuer,
                None => Issuer::parse(address).map_err(|source| ConfigError::Malformed { name: "--issuer", source })?,
            },
            audience: audience_or_default(global, variables)?,
            secret,
            max_staleness: staleness(self.max_staleness, None, variables)?.max,
            file: self.snapshot.or_else(|| variables.path("CATALOG_SNAPSHOT")),
            ambient,
        })
    }
}

/// As whom the catalog is asked: a client, else the bearer of a token.
pub(super) fn credential(
    client: Option<String>,
    secret_file: Option<PathBuf>,
    variables: &Variables,
) -> Result<(Credential, Option<OwnClient>), ConfigError> {
    let name = match client {
        Some(name) => Some(name),
        None => variables.text("CATALOG_CLIENT")?.map(str::to_owned),
    };
    let Some(name) = name else {
        let token = variables.text("CATALOG_TOKEN")?.ok_or(ConfigError::CredentialMissing)?;
        return Ok((Credential::bearer(SecretString::from(token)), None));
    };
    let secret = secret(secret_file, ["CATALOG_CLIENT_SECRET_FILE", "CATALOG_CLIENT_SECRET"], variables)?;
    let secret = secret.ok_or(ConfigError::CredentialMissing)?;
    Ok((Credential::client(&name, secret.clone()), Some(OwnClient { name, secret })))
}

/// The secret of HS256, if there is one, as the catalog itself takes it.
fn shared_secret(
    file: Option<PathBuf>,
    global: &GlobalArgs,
    variables: &Variables,
) -> Result<Option<Secret>, ConfigError> {
    let Some(text) = secret(file, ["JWT_SECRET_KEY_FILE", "JWT_SECRET_KEY"], variables)? else { return Ok(None) };
    let secret = Secret::new(&text).map_err(ConfigError::ShortSecret)?;
    if !variables.switch("DERIVE_KEY_PER_ENVIRONMENT")? {
        return Ok(Some(secret));
    }
    let env = env(global, variables)?;
    Ok(Some(secret.derive_for_environment(env.as_ref().map_or(ENVIRONMENT_DEFAULT, |env| env.as_str()))))
}

/// The first line of the file that the flag or the first variable names, else what the second one says.
fn secret(
    file: Option<PathBuf>,
    [file_variable, variable]: [&'static str; 2],
    variables: &Variables,
) -> Result<Option<SecretString>, ConfigError> {
    match file.or_else(|| variables.path(file_variable)) {
        Some(path) => first_line(path).map(Some),
        None => Ok(variables.text(variable)?.map(SecretString::from)),
    }
}

fn first_line(path: PathBuf) -> Result<SecretString, ConfigError> {
    let mut text = String::new();
    let read = fs::File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    let text = SecretString::from(text);
    read.map_err(|source| ConfigError::SecretFile { path: path.clone(), source })?;
    let line = text.expose_secret().lines().next().unwrap_or_default().trim();
    if line.is_empty() { Err(ConfigError::NoSecretInFile { path }) } else { Ok(SecretString::from(line)) }
}
