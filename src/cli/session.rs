//! A command's stay in a catalog: it opens the database, and lets go of it however the command ends.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{
    CliError, Shell,
    config::{Identity, Listen, Place, Signing, Storage, signing},
    interrupt::Interrupt,
    logging::LogFormat,
    operator,
};
use crate::{
    app::{Catalog, OpenError, Opening, SigningKey},
    domain::{Path, Refusal, causes::Causes, key::Algorithm},
    signing::Passphrase,
    store::{
        Address, Database,
        embedded::{Cluster, EmbeddedError, Location},
        follower::Staleness,
        log,
        schema::{self, SchemaError, Warning},
    },
};

/// How long connections that are being closed may keep the process.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);
const CLOSE_POLL: Duration = Duration::from_millis(10);
/// How often a server looks whether its private cluster still runs, and when it tries again to bring it back.
const WATCH_PERIOD: Duration = Duration::from_millis(250);
const REVIVE_PERIOD: Duration = Duration::from_secs(5);

/// What a command needs to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A database; the catalog in it may yet have to be made.
    Database,
    /// A catalog of this program's version. Nothing is made: whoever only reads leaves no trace.
    Catalog,
}

/// An open database, and the private cluster that it is in if there is one.
pub(super) struct Session {
    pub(super) place: Place,
    pub(super) database: Database,
    cluster: Share,
    talk: LogFormat,
}

/// Our share of the private cluster, if there is one and it was not let go of yet.
type Share = Arc<Mutex<Option<Cluster>>>;

/// Runs a command's work in a session; Ctrl-C ends the work, never the letting go.
pub(super) async fn run<T>(
    shell: &Shell<'_>,
    need: Need,
    work: impl AsyncFnOnce(&Session) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let interrupt = Interrupt::install()?;
    // A recovery may take minutes. Whoever comes next adopts the private cluster that an interruption leaves behind.
    let session = interrupt.or(Session::open(shell, need)).await?;
    // On the heap: what a command awaits is too large to be moved about.
    let outcome = Box::pin(interrupt.or(work(&session))).await;
    session.close().await;
    outcome
}

impl Session {
    pub(super) async fn open(shell: &Shell<'_>, need: Need) -> Result<Self, CliError> {
        let (place, talk) = (shell.place()?, shell.log_format()?);
        if let Some(note) = place.note {
            talk.say(&format!("note: {note}"));
        }
        let session = match &place.storage {
            Storage::Remote(address) => {
                let database = Database::new(Address::clone(address).into(), place.schema.clone());
                Self { place, database, cluster: Share::default(), talk }
            }
            Storage::Embedded(location) => {
                require_cluster(need, location, &place)?;
                let cluster = open_cluster(location.clone(), talk).await?;
                let database = Database::new(cluster.connect_options(), place.schema.clone());
                Self { place, database, cluster: Arc::new(Mutex::new(Some(cluster))), talk }
            }
        };
        if need == Need::Catalog
            && let Err(error) = schema::check(&session.database).await
        {
            let error = missing(error, &session.place);
            session.close().await;
            return Err(error);
        }
        Ok(session)
    }

    /// Opens the catalog, as `Migrate` says also one that is older or not there yet.
    pub(super) async fn catalog(&self, shell: &Shell<'_>, start: Start) -> Result<Catalog, CliError> {
        let Start { migrate, signing: Signing { key, alg }, passphrase, identity, staleness } = start;
        let opening = Opening {
            database: self.database.clone(),
            migrate,
            keys: self.place.keys(),
            passphrase,
            signing_key: key,
            issuer: identity.issuer,
            issuer_default: identity.issuer_default,
            audience: identity.audience,
            audience_default: identity.audience_default,
            env: identity.env,
            staleness,
            origin: operator::origin(shell, Path::System)?,
            ambient: shell.ambient.clone(),
        };
        let catalog = Catalog::open(opening).await?;
        let logged = catalog.live().settings.shape(Path::Api).map_err(OpenError::from)?.alg;
        match alg {
            Some(given) if given != logged => {
                let (given, logged) = (given.to_string(), logged.to_string());
                catalog.close().await;
                let refusal = Refusal::SettingDiffers { setting: "the algorithm", given, logged };
                Err(OpenError::from(refusal).into())
            }
            _ => Ok(catalog),
        }
    }

    /// Opens a catalog that has its settings: a command about its keys must not be the one that makes its first.
    pub(super) async fn settled_catalog(&self, shell: &Shell<'_>, start: Start) -> Result<Catalog, CliError> {
        if log::settings(self.database.reads()).await?.active.is_none() {
            return Err(OpenError::from(Refusal::NotConfigured).into());
        }
        let catalog = self.catalog(shell, start).await?;
        self.warn_of_key_files(&catalog);
        Ok(catalog)
    }

    /// Tells of the key files all that an operator should know, where keys are looked after.
    pub(super) fn warn_of_key_files(&self, catalog: &Catalog) {
        catalog.live().key_warnings().iter().for_each(|warning| self.talk.warn(warning));
    }

    /// Tells of those that cannot be used, where one is needed.
    pub(super) fn warn_of_broken_keys(&self, catalog: &Catalog) {
        catalog.live().broken_keys().iter().for_each(|warning| self.talk.warn(warning));
    }

    /// What an operator should know of the fences around the log. Nobody but us reaches a private cluster, whose owner we are.
    pub(super) async fn warnings(&self) -> Result<Vec<Warning>, CliError> {
        let mut warnings = schema::warnings(&self.database).await?;
        let is_private = held(&self.cluster).is_some();
        warnings.retain(|warning| !is_private || *warning != Warning::Owner);
        Ok(warnings)
    }

    /// Lets go. What goes wrong here is told, and changes nothing about how the command ended.
    pub(super) async fn close(self) {
        // A connection that somebody still uses must not keep the cluster.
        let _ = timeout(CLOSE_TIME_MAX, self.database.close()).await;
        let talk = self.talk;
        let release = move || held(&self.cluster).take().map_or(Ok(()), Cluster::release);
        match tokio::task::spawn_blocking(release).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => talk.warn(&format!("the private PostgreSQL was not stopped: {error}")),
            Err(error) => talk.warn(&format!("the private PostgreSQL was not stopped: {error}")),
        }
    }

    /// Brings the private cluster back whenever it dies, for as long as it is polled.
    pub(super) async fn keep_cluster(&self) -> Infallible {
        loop {
            sleep(WATCH_PERIOD).await;
            let (share, mut announce) = (self.cluster.clone(), announce(self.talk));
            let revive = move || held(&share).as_ref().map_or(Ok(false), |cluster| cluster.revive(&mut announce));
            match tokio::task::spawn_blocking(revive).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => tracing::warn!("the private PostgreSQL had ended and was started again"),
                Ok(Err(error)) => {
                    let error = Causes(&error);
                    tracing::error!(%error, "the private PostgreSQL ended and cannot be started again");
                    sleep(REVIVE_PERIOD).await;
                }
                Err(error) => tracing::error!(%error, "the private PostgreSQL cannot be watched"),
            }
        }
    }

    /// As [`Self::close`], but no longer than until `deadline`: the server was told to stop by then.
    pub(super) async fn close_until(self, deadline: Instant) {
        let talk = self.talk;
        if timeout_at(deadline, self.close()).await.is_err() {
            talk.warn("the private PostgreSQL is still stopping");
        }
    }
}

/// How a catalog is to be opened. It is made before anything else is: a setting that is not taken leaves no trace.
pub(super) struct Start {
    migrate: bool,
    signing: Signing,
    passphrase: Option<Arc<Passphrase>>,
    identity: Identity,
    staleness: Staleness,
}

impl Start {
    /// What the settings say. `migrate`: whether an older schema may be brought up to date; `listen`: the address that
    /// a new catalog is named after.
    pub(super) fn choose(shell: &Shell<'_>, migrate: bool, listen: Listen) -> Result<Self, CliError> {
        let signing = signing(&shell.global, shell.variables)?;
        Self::signing_with(shell, migrate, signing, listen)
    }

    /// The same, whatever key this process was told to sign with: the log may not know it yet.
    pub(super) fn with_any_key(shell: &Shell<'_>, listen: Listen) -> Result<Self, CliError> {
        let signing = Signing { key: SigningKey::FromLog(Algorithm::EdDsa), alg: None };
        Self::signing_with(shell, false, signing, listen)
    }

    fn signing_with(shell: &Shell<'_>, migrate: bool, signing: Signing, listen: Listen) -> Result<Self, CliError> {
        let identity = Identity::choose(&shell.global, listen, shell.variables)?;
        let (passphrase, staleness) = (shell.passphrase()?, Staleness::default());
        Ok(Self { migrate, signing, passphrase, identity, staleness })
    }

    /// The same, for a server that answers checks from what it knows within this limit.
    pub(super) fn with_staleness(self, staleness: Staleness) -> Self {
        Self { staleness, ..self }
    }
}

/// Ends a catalog once nobody uses it any more: writes run to their end even when their caller is gone.
pub(super) async fn close_shared(mut catalog: Arc<Catalog>, deadline: Instant) {
    loop {
        match Arc::try_unwrap(catalog) {
            Ok(last) => {
                let _ = timeout_at(deadline, last.close()).await;
                return;
            }
            Err(_) if Instant::now() >= deadline => return,
            Err(shared) => catalog = shared,
        }
        sleep(CLOSE_POLL).await;
    }
}

/// A thread that panicked while it held the share left it as it was.
fn held(share: &Share) -> MutexGuard<'_, Option<Cluster>> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}

fn announce(talk: LogFormat) -> impl FnMut(&str) {
    move |step| talk.say(&format!("catalog: {step}"))
}

async fn open_cluster(location: Location, talk: LogFormat) -> Result<Cluster, CliError> {
    let opened: Result<Cluster, EmbeddedError> =
        tokio::task::spawn_blocking(move || Cluster::open(&location, &mut announce(talk))).await?;
    Ok(opened?)
}

fn require_cluster(need: Need, location: &Location, place: &Place) -> Result<(), CliError> {
    let found = location.data.join("pg").symlink_metadata();
    let is_missing = found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    if need == Need::Catalog && is_missing {
        return Err(CliError::NoCatalog { place: place.name() });
    }
    Ok(())
}

fn missing(error: SchemaError, place: &Place) -> CliError {
    match error {
        SchemaError::Outdated { found: 0, .. } => CliError::NoCatalog { place: place.name() },
        error => error.into(),
    }
}
