//! `catalog serve`: the API, from the first connection to the last answer.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use catalog_gateway::admission::TrustedProxies;
use clap::Args;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    CliError, Outcome, Shell, banner,
    config::{Listen, MaxStaleness, ProxiesSetting, StaleSetting, staleness, trusted_proxies},
    interrupt::Interrupt,
    recorder,
    session::{self, Need, Session, Start},
};
use crate::{
    app::Catalog,
    http::{
        self,
        connections::{self, Patience},
    },
};

/// Start the API
///
/// Without settings it runs on a private PostgreSQL in the state directory. SIGTERM and Ctrl-C end it: requests in flight
/// are answered, for at most 8 seconds.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes any free one, which is also in the issuer of a new catalog unless --issuer names another
    /// [env: CATALOG_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<Listen>,
    /// Refuse a schema that is older than this program instead of migrating it
    #[arg(long)]
    no_migrate: bool,
    /// For how long checks are answered from memory after the end of the log was last seen, from 1s to 1h
    /// [env: CATALOG_MAX_STALENESS] [default: 5s]
    #[arg(long, value_name = "SPAN")]
    max_staleness: Option<MaxStaleness>,
    /// What is done then [env: CATALOG_STALE] [default: deny]
    #[arg(long, value_name = "WAY", value_enum)]
    stale: Option<StaleSetting>,
    /// Proxies in front, as addresses and networks with commas between them: of these it is believed, by X-Forwarded-For, from
    /// where a request comes [env: CATALOG_TRUSTED_PROXIES] [default: none]
    #[arg(long, value_name = "LIST")]
    trusted_proxies: Option<ProxiesSetting>,
}

const EXAMPLES: &str = "\
Examples:
  catalog serve
  catalog serve --listen 127.0.0.1:0 --data /tmp/try
  CATALOG_DATABASE_URL=postgres://writer@db.example.com/gateway catalog serve --no-migrate --issuer https://tokens.example.com";

/// How long requests in flight may take to be answered once the process is asked to end.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(8);
/// When the catalog is let go of at the latest, and when the private cluster.
const CLOSED_AFTER: Duration = Duration::from_millis(8_500);
const RELEASED_AFTER: Duration = Duration::from_millis(9_700);

/// A server's life, from its first moment on.
struct Server<'a> {
    shell: &'a Shell<'a>,
    interrupt: Interrupt,
    recorder: PrometheusHandle,
    proxies: TrustedProxies,
}

pub(super) async fn run(shell: &Shell<'_>, args: ServeArgs) -> Result<Outcome, CliError> {
    let talk = shell.log_format()?;
    // Who reads a server's stderr as JSON gets nothing else there, errors included.
    Ok(live(shell, args).await.unwrap_or_else(|error| Outcome::Told(talk.report(&error))))
}

async fn live(shell: &Shell<'_>, args: ServeArgs) -> Result<Outcome, CliError> {
    let recorder = recorder::install(shell.ambient.clock.now())?;
    let proxies = trusted_proxies(args.trusted_proxies, shell.variables)?;
    let server = Server { shell, interrupt: Interrupt::install()?, recorder, proxies };
    let listen = Listen::choose(args.listen, shell.variables)?;
    let listener = bind(listen).await?;
    // A new catalog is named after the port that was taken, not after the one that was asked for.
    let listen = Listen(listener.local_addr().map_err(CliError::Serve)?);
    let staleness = staleness(args.max_staleness, args.stale, shell.variables)?;
    let start = Start::choose(shell, !args.no_migrate, listen)?.with_staleness(staleness);
    let session = tokio::select! {
        session = Session::open(shell, Need::Database) => session?,
        // A recovery may take minutes. Whoever comes next adopts the private cluster that this leaves behind.
        () = overdue(&server.interrupt) => return Ok(Outcome::Done),
    };
    let outcome = server.serve(&session, start, listener).await;
    session.close_until(ended(&server.interrupt) + RELEASED_AFTER).await;
    match outcome {
        // Whoever asks a server to end while it is starting gets what was asked for.
        Ok(()) | Err(CliError::Interrupted) => Ok(Outcome::Done),
        Err(error) => Err(error),
    }
}

pub(super) async fn bind(listen: Listen) -> Result<TcpListener, CliError> {
    TcpListener::bind(listen.0).await.map_err(|source| CliError::Listen { address: listen.0, source })
}

impl Server<'_> {
    async fn serve(&self, session: &Session, start: Start, listener: TcpListener) -> Result<(), CliError> {
        let catalog = Arc::new(self.interrupt.or(session.catalog(self.shell, start)).await?);
        session.warn_of_key_files(&catalog);
        let ready = async {
            catalog.load_live_tokens().await;
            catalog.begin_feed();
            catalog.load_status_lists().await;
            Ok(())
        };
        self.interrupt.or(ready).await?;
        let outcome = self.answer(session, &catalog, listener).await;
        session::close_shared(catalog, ended(&self.interrupt) + CLOSED_AFTER).await;
        outcome
    }

    async fn answer(&self, session: &Session, catalog: &Arc<Catalog>, listener: TcpListener) -> Result<(), CliError> {
        let address = listener.local_addr().map_err(CliError::Serve)?;
        self.interrupt.or(banner::show(self.shell, session, address)).await?;
        if let Some(why) = catalog.live().cannot_sign() {
            let told = format!("{why}: this server lists, revokes and checks, and issues nothing");
            self.shell.log_format()?.warn(&told);
        }
        let router = http::router(catalog.clone(), self.recorder.clone(), self.proxies.clone());
        let stop = CancellationToken::new();
        tokio::select! {
            () = connections::serve(listener, router, Patience::default(), stop.clone()) => Ok(()),
            never = session.keep_cluster() => match never {},
            never = recorder::gather(&self.recorder) => match never {},
            never = keep_house(&stop, catalog) => match never {},
            () = drained(&self.interrupt, &stop) => {
                tracing::warn!(waited_s = DRAIN_TIME_MAX.as_secs(), "shutting down: requests in flight are cut off");
                Ok(())
            }
        }
    }
}

/// Keeps the catalog's house until the end of the server is asked for.
async fn keep_house(stop: &CancellationToken, catalog: &Catalog) -> Infallible {
    match stop.run_until_cancelled(Box::pin(catalog.keep_house())).await {
        Some(never) => never,
        None => pending().await,
    }
}

async fn overdue(interrupt: &Interrupt) {
    sleep_until(interrupt.asked().await + CLOSED_AFTER).await;
}

/// Returns when requests in flight had the time that they get once the process is asked to end.
pub(super) async fn drained(interrupt: &Interrupt, stop: &CancellationToken) {
    let asked = interrupt.asked().await;
    tracing::info!("shutting down: requests in flight are answered");
    stop.cancel();
    sleep_until(asked + DRAIN_TIME_MAX).await;
}

/// When the end was asked for, or now if it comes by itself.
fn ended(interrupt: &Interrupt) -> Instant {
    interrupt.since().unwrap_or_else(Instant::now)
}
