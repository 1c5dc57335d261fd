//! Opening a catalog: the schema as this program needs it, and settings that the log and this process agree on.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::Notify;

use super::{
    Ambient, Catalog,
    denials::Denials,
    feed::Feed,
    live::{Latest, Live},
    login::People,
    membership::Members,
    providers::Providers,
    status_lists::StatusLists,
};
use crate::{
    domain::{
        Act, Authority, Command, Origin, Path, Position, Refusal,
        configure::{Configure, KeyChoice, configure},
        event::KeyAdded,
        key::Algorithm,
        text::{Audience, Environment, Issuer, Kid},
    },
    signing::{Keyring, KeyringError, Passphrase, SharedSecret},
    store::{AppendError, Appender, Database, LiveTokens, Lookups, StoreError, follower::Staleness, log, schema},
};

/// What a process was told about the catalog that it opens.
pub struct Opening {
    /// The catalog.
    pub database: Database,
    /// Whether to bring an older schema up to date, or to refuse it.
    pub migrate: bool,
    /// The directory of the private keys.
    pub keys: PathBuf,
    /// What the files in it may be locked with.
    pub passphrase: Option<Arc<Passphrase>>,
    /// With what to sign.
    pub signing_key: SigningKey,
    /// `iss`, if it was told.
    pub issuer: Option<Issuer>,
    /// `iss` of a new log otherwise.
    pub issuer_default: Issuer,
    /// `aud`, if it was told.
    pub audience: Option<Audience>,
    /// `aud` of a new log otherwise.
    pub audience_default: Audience,
    /// `env`, if it was told.
    pub env: Option<Environment>,
    /// For how long checks are answered from what is known, and what is done then.
    pub staleness: Staleness,
    /// Who opens it, for the record of a first start.
    pub origin: Origin,
    /// Time and chance.
    pub ambient: Ambient,
}

/// With what a process was told to sign.
pub enum SigningKey {
    /// With whatever the log says; a new log begins with a generated key of this algorithm.
    FromLog(Algorithm),
    /// With a secret that is shared with the gateway.
    Secret(SharedSecret),
    /// With a private key from a file.
    File {
        /// The private key.
        private: PathBuf,
        /// Its public half, to be compared.
        public: Option<PathBuf>,
        /// Its algorithm, to be compared.
        alg: Option<Algorithm>,
    },
}

/// Why a catalog could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The schema does not fit, or could not be made to.
    #[error(transparent)]
    Schema(#[from] schema::SchemaError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is a log, and the events that say who the catalog is are not in it.
    #[error("the log has events, and those that configured the catalog are gone")]
    SettingsLost,
    /// The keys cannot be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The log and this process do not agree, or the first start could not be recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl From<Refusal> for OpenError {
    fn from(refusal: Refusal) -> Self {
        Self::Append(refusal.into())
    }
}

impl Catalog {
    /// Opens a catalog. The first start of all writes its settings into the log; every later one must agree with them.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(opening: Opening) -> Result<Self, OpenError> {
        let Opening { database, ambient, .. } = opening;
        schema::ensure(&database, opening.migrate).await?;
        // Before the settings: whoever configures a new log at this moment makes it longer after them.
        let length = log::head(database.reads()).await?.position;
        let mut place = log::settings_place(database.reads()).await?;
        let mut settings = log::settings(database.reads()).await?;
        let is_new = settings.active.is_none();
        if is_new && length > Position(0) {
            return Err(OpenError::SettingsLost);
        }
        let (keyring, key) =
            tokio::task::block_in_place(|| keyring(&opening.keys, opening.passphrase, opening.signing_key, is_new))?;
        let command = Configure {
            issuer: opening.issuer,
            issuer_default: opening.issuer_default,
            audience: opening.audience,
            audience_default: opening.audience_default,
            env: opening.env,
            key,
        };
        let live_tokens = Arc::new(LiveTokens::new(opening.staleness));
        let (appender, task) = Appender::start(database.clone(), ambient.entropy.clone(), live_tokens.clone());
        if !configure(&settings, &command)?.is_empty() {
            let act = Act::Configure(Box::new(command));
            let (authority, origin, now) = (Authority::of_shell(), opening.origin, ambient.clock.now());
            appender.append(Command { act, authority, origin, now, idempotency: None }).await?;
            place = log::settings_place(database.reads()).await?;
            settings = log::settings(database.reads()).await?;
        }
        let head = log::head(database.reads()).await?;
        let issuer = settings.shape(Path::Api)?.issuer.clone();
        Ok(Self {
            latest: Latest::new(Live::new(settings, place, Arc::new(keyring))?, opening.staleness),
            members: Members::default(),
            providers: Providers::default(),
            people: People::default(),
            denials: Denials::default(),
            shadows: Arc::default(),
            reuses: Arc::default(),
            rules_added: Notify::new(),
            status_lists: StatusLists::default(),
            issuer,
            ambient,
            log_id: head.log_id,
            opened_at: head.position,
            lookups: Lookups::start(&database),
            live_tokens,
            feed: Arc::new(Feed::default()),
            database,
            appender,
            task,
        })
    }
}

/// The keys of this process, and the one that it would have a new log begin with. Reads and writes files.
fn keyring(
    directory: &std::path::Path,
    passphrase: Option<Arc<Passphrase>>,
    signing_key: SigningKey,
    is_new: bool,
) -> Result<(Keyring, KeyChoice), KeyringError> {
    // A file that cannot be used keeps nobody from checking tokens, but a new log does not begin beside one.
    let open = if is_new { Keyring::open_locked } else { Keyring::open_usable };
    let mut keyring = open(directory, passphrase)?;
    let choice = match signing_key {
        SigningKey::Secret(secret) => {
            let kid = keyring.add_secret(secret)?;
            added(&keyring, &kid).map_or(KeyChoice::Kept, KeyChoice::Told)
        }
        SigningKey::File { private, public, alg } => {
            let kid = keyring.add_key_file(&private, public.as_deref(), alg)?;
            added(&keyring, &kid).map_or(KeyChoice::Kept, KeyChoice::Told)
        }
        SigningKey::FromLog(_) if !is_new => KeyChoice::Kept,
        SigningKey::FromLog(alg) => {
            let kid = keyring.ensure_generated(alg)?;
            added(&keyring, &kid).map_or(KeyChoice::Kept, KeyChoice::Offered)
        }
    };
    Ok((keyring, choice))
}

fn added(keyring: &Keyring, kid: &Kid) -> Option<KeyAdded> {
    keyring.facts(kid).map(|facts| KeyAdded { kid: facts.kid, alg: facts.alg, jwk: facts.jwk, dev: false })
}
