//! `catalog edge`: a sidecar that follows a catalog and answers for it, without a database.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{
    CliError, Outcome, Shell,
    config::{self, EdgeSettings, MaxStaleness, ProxiesSetting, ServerUrl, trusted_proxies},
    interrupt::Interrupt,
    logging::LogFormat,
    output, recorder,
    serve::{bind, drained},
};
use crate::{
    app::edge::Edge,
    cli::config::Listen,
    http::{
        self,
        connections::{self, Patience},
    },
};

/// Answer for a catalog beside a gateway, without a database
///
/// It follows the catalog's revocations and answers /authorize and /introspect by what it knows. About each token that it has not seen
/// it asks the catalog once, so that what was never issued is refused here, too. While the catalog is away it goes on for tokens that
/// it knows, until --max-staleness; everything else is 503. Its credential and, for HS256, the shared secret come from files or the
/// environment: other users can read a process's arguments.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
pub(super) struct EdgeArgs {
    /// Where to listen; port 0 takes any free one [env: CATALOG_LISTEN] [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<Listen>,
    /// The catalog: https, or http on this machine [env: CATALOG_URL] [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    url: Option<ServerUrl>,
    /// The client of the catalog that this edge is (catalog clients add NAME --permissions tokens.check) [env: CATALOG_CLIENT]
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// The file in whose first line its secret is [env: CATALOG_CLIENT_SECRET_FILE, or the secret itself in
    /// CATALOG_CLIENT_SECRET]
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// The file in whose first line the shared secret of HS256 is [env: JWT_SECRET_KEY_FILE, or the secret itself in
    /// JWT_SECRET_KEY]
    #[arg(long, value_name = "FILE")]
    shared_secret_file: Option<PathBuf>,
    /// For how long tokens that are known are good after the catalog was last heard, from 1s to 1h [env: CATALOG_MAX_STALENESS]
    /// [default: 5s]
    #[arg(long, value_name = "SPAN")]
    max_staleness: Option<MaxStaleness>,
    /// Where what is known of revocations is kept, so that it is refused after a restart without the catalog, too
    /// [env: CATALOG_SNAPSHOT] [default: nowhere]
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// The gateways in front, as addresses and networks with commas between them: of these it is believed, by X-Forwarded-For, from
    /// where a request comes [env: CATALOG_TRUSTED_PROXIES] [default: none]
    #[arg(long, value_name = "LIST")]
    trusted_proxies: Option<ProxiesSetting>,
}

const EXAMPLES: &str = "\
Examples:
  (umask 077; catalog clients add edge --permissions tokens.check > edge.secret)
  catalog edge --url https://tokens.example.com --client edge --client-secret-file edge.secret
  catalog edge --client edge --client-secret-file edge.secret --trusted-proxies 127.0.0.1 --snapshot /var/lib/catalog/edge.snapshot";

pub(super) async fn run(shell: &Shell<'_>, args: EdgeArgs) -> Result<Outcome, CliError> {
    let talk = shell.log_format()?;
    // Who reads a server's stderr as JSON gets nothing else there, errors included.
    Ok(live(shell, args).await.unwrap_or_else(|error| Outcome::Told(talk.report(&error))))
}

async fn live(shell: &Shell<'_>, args: EdgeArgs) -> Result<Outcome, CliError> {
    let recorder = recorder::install_at_edge(shell.ambient.clock.now())?;
    let interrupt = Interrupt::install()?;
    let proxies = trusted_proxies(args.trusted_proxies, shell.variables)?;
    let listen = config::edge_listen(args.listen, shell.variables)?;
    let settings = EdgeSettings {
        url: ServerUrl::choose(args.url, shell.variables)?,
        client: args.client,
        client_secret_file: args.client_secret_file,
        shared_secret_file: args.shared_secret_file,
        max_staleness: args.max_staleness,
        snapshot: args.snapshot,
    };
    let (global, variables, ambient) = (&shell.global, shell.variables, shell.ambient.clone());
    let edge = Arc::new(Edge::open(settings.outpost(global, variables, ambient)?));
    let listener = bind(listen).await?;
    let address = listener.local_addr().map_err(CliError::Serve)?;
    match shell.log_format()? {
        LogFormat::Text => output::say(&format!("listening on http://{address}")),
        LogFormat::Json => tracing::info!("listening on http://{address}"),
    }
    let router = http::edge::router(edge.clone(), recorder.clone(), proxies);
    let stop = CancellationToken::new();
    tokio::select! {
        () = connections::serve(listener, router, Patience::default(), stop.clone()) => {}
        never = recorder::gather(&recorder) => match never {},
        () = drained(&interrupt, &stop) => tracing::warn!("shutting down: requests in flight are cut off"),
    }
    if let Some(edge) = Arc::into_inner(edge) {
        edge.close().await;
    }
    Ok(Outcome::Done)
}
