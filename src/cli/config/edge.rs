//! What an edge is told: where its catalog is, as whom it asks, and what it needs to judge by itself.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use catalog_gateway::{
    client::{self, Credential, Kind},
    jwt::Secret,
};
use secrecy::SecretString;

use super::{
    ConfigError, Listen, MaxStaleness, ServerUrl, Variables,
    identity::{audience_or_default, env, issuer},
    signing::ENVIRONMENT_DEFAULT,
    staleness,
};
use crate::{
    app::{
        Ambient,
        edge::{KeptSecret, Outpost, OwnClient},
    },
    cli::GlobalArgs,
    domain::text::Issuer,
    signing::read_secret_file,
};

/// Port 8081 of this machine alone: the catalog itself may be beside it.
const LISTEN: &str = "127.0.0.1:8081";
/// The permission bit of a directory where everybody may write.
const OTHERS_WRITE: u32 = 0o002;

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
    /// What flags and variables say together. Secrets are read here; the client's again when the catalog does not know it.
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
            file: self.snapshot.or_else(|| variables.path("CATALOG_SNAPSHOT")).map(snapshot).transpose()?,
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
    let secret = if let Some(path) = secret_file.or_else(|| variables.path("CATALOG_CLIENT_SECRET_FILE")) {
        KeptSecret::read_by(first_line(&path)?, Box::new(move || Ok(first_line(&path)?)))
    } else {
        let secret = variables.text("CATALOG_CLIENT_SECRET")?.ok_or(ConfigError::CredentialMissing)?;
        KeptSecret::fixed(SecretString::from(secret))
    };
    let own = OwnClient { name, secret };
    let (asking, refused) = (own.clone(), own.secret.clone());
    let credential =
        Credential::current(move || Kind::Client { name: asking.name.clone(), secret: asking.secret.current() });
    Ok((credential.when_unknown(move || refused.look_again()), Some(own)))
}

/// The secret of HS256, if there is one, as the catalog itself takes it.
fn shared_secret(
    file: Option<PathBuf>,
    global: &GlobalArgs,
    variables: &Variables,
) -> Result<Option<Secret>, ConfigError> {
    let text = match file.or_else(|| variables.path("JWT_SECRET_KEY_FILE")) {
        Some(path) => Some(first_line(&path)?),
        None => variables.text("JWT_SECRET_KEY")?.map(SecretString::from),
    };
    let Some(text) = text else { return Ok(None) };
    let secret = Secret::new(&text).map_err(ConfigError::ShortSecret)?;
    if !variables.switch("DERIVE_KEY_PER_ENVIRONMENT")? {
        return Ok(Some(secret));
    }
    let env = env(global, variables)?;
    Ok(Some(secret.derive_for_environment(env.as_ref().map_or(ENVIRONMENT_DEFAULT, |env| env.as_str()))))
}

/// The secret in a file's first line.
fn first_line(path: &Path) -> Result<SecretString, ConfigError> {
    let text = read_secret_file(path).map_err(|source| ConfigError::SecretFile { path: path.to_owned(), source })?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(ConfigError::NoSecretInFile { path: path.to_owned() });
    }
    Ok(SecretString::from(line))
}

/// Where a snapshot can be kept, and nobody else can put another in its place: what it says is believed.
fn snapshot(path: PathBuf) -> Result<PathBuf, ConfigError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| ConfigError::SnapshotPlace { path: directory.to_owned(), source };
    let facts = fs::metadata(directory).map_err(failed)?;
    if !facts.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    if path.is_dir() {
        return Err(failed(io::Error::new(
            io::ErrorKind::IsADirectory,
            "the snapshot's own name is that of a directory",
        )));
    }
    let mode = facts.permissions().mode() & 0o7777;
    if mode & OTHERS_WRITE != 0 {
        return Err(ConfigError::SnapshotExposed { path: directory.to_owned(), mode });
    }
    Ok(path)
}
