//! `catalog bridge contextforge`: a process beside a `ContextForge`, without a key and without a database.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::{
    app::bridge::{Bridge, Crossing},
    cli::{
        CliError, Outcome, Shell,
        config::{self, BridgeSettings, GatewayUrl, Listen, RedisUrl, ServerUrl},
        interrupt::Interrupt,
        logging::LogFormat,
        output, recorder,
        serve::{bind, drained},
    },
    http::{
        self,
        connections::{self, Patience},
    },
};

/// Carry revocations to a ContextForge
///
/// It follows the catalog's revocations, has the catalog make a courier of each revoked token, and ends the token at the gateway with it
/// (POST /auth/logout). With --redis it also sets the key that the gateway's workers look for, which bites at once. It has no key and no
/// database. What could not be told is told later: at least once, and in the end all of it. /readyz and /metrics say how far it is.
/// Suspensions are not carried, for the gateway could not take them back. Without --audience the gateway's is taken to be mcpgateway-api.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
pub(in crate::cli) struct ContextforgeArgs {
    /// The gateway: https, or http on this machine [env: CATALOG_GATEWAY]
    #[arg(long, value_name = "URL")]
    gateway: Option<GatewayUrl>,
    /// The gateway's own Redis, if it has one. The variable hides a password from other users, the flag does not
    /// [env: CATALOG_REDIS_URL] [default: none]
    #[arg(long, value_name = "URL")]
    redis: Option<RedisUrl>,
    /// What the names of the gateway's keys begin with there [env: CATALOG_REDIS_PREFIX, CACHE_PREFIX] [default: mcpgw:]
    #[arg(long, value_name = "TEXT")]
    redis_prefix: Option<String>,
    /// The catalog: https, or http on this machine [env: CATALOG_URL] [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    url: Option<ServerUrl>,
    /// The client of the catalog that this bridge is [env: CATALOG_CLIENT]
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// The file in whose first line its secret is [env: CATALOG_CLIENT_SECRET_FILE, or the secret itself in
    /// CATALOG_CLIENT_SECRET]
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Keep in this file how far the gateway was told, and go on from there; without one everything in force is told at each start
    /// [env: CATALOG_POSITION_FILE] [default: nowhere]
    #[arg(long, value_name = "FILE")]
    position_file: Option<PathBuf>,
    /// Where to tell of itself; port 0 takes any free one [env: CATALOG_LISTEN] [default: 127.0.0.1:8082]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<Listen>,
}

const EXAMPLES: &str = "\
Examples:
  (umask 077; catalog clients add bridge --permissions tokens.check,tokens.courier --all-teams > bridge.secret)
  catalog bridge contextforge --gateway http://127.0.0.1:4444 --client bridge --client-secret-file bridge.secret
  catalog bridge contextforge --gateway https://gateway.example.com --redis redis://127.0.0.1:6379/0 --url https://tokens.example.com --client bridge --client-secret-file bridge.secret --position-file /var/lib/catalog/bridge.position";

pub(super) async fn run(shell: &Shell<'_>, args: ContextforgeArgs) -> Result<Outcome, CliError> {
    let talk = shell.log_format()?;
    // Who reads a server's stderr as JSON gets nothing else there, errors included.
    Ok(live(shell, args).await.unwrap_or_else(|error| Outcome::Told(talk.report(&error))))
}

async fn live(shell: &Shell<'_>, args: ContextforgeArgs) -> Result<Outcome, CliError> {
    let recorder = recorder::install_at_bridge(shell.ambient.clock.now())?;
    let interrupt = Interrupt::install()?;
    let listen = config::bridge_listen(args.listen, shell.variables)?;
    let settings = BridgeSettings {
        url: ServerUrl::choose(args.url, shell.variables)?,
        client: args.client,
        client_secret_file: args.client_secret_file,
        gateway: args.gateway,
        redis: args.redis,
        redis_prefix: args.redis_prefix,
        position_file: args.position_file,
    };
    let plan = settings.plan(&shell.global, shell.variables)?;
    let (bridge, work) = Bridge::open(Crossing {
        catalog: plan.catalog,
        gateway: plan.gateway.url(),
        audience: plan.audience,
        redis: plan.redis.as_ref().map(|(url, prefix)| (url.address(), prefix.clone())),
        file: plan.position_file.as_deref(),
        ambient: shell.ambient.clone(),
    })?;
    let listener = bind(listen).await?;
    let address = listener.local_addr().map_err(CliError::Serve)?;
    match shell.log_format()? {
        LogFormat::Text => output::say(&format!("listening on http://{address}")),
        LogFormat::Json => tracing::info!("listening on http://{address}"),
    }
    let router = http::bridge::router(Arc::new(bridge), recorder.clone(), shell.ambient.clone());
    let stop = CancellationToken::new();
    let tell = async {
        tokio::select! {
            () = connections::serve(listener, router, Patience::default(), stop.clone()) => {}
            never = recorder::gather(&recorder) => match never {},
            () = drained(&interrupt, &stop) => tracing::warn!("shutting down: requests in flight are cut off"),
        }
    };
    let end = async {
        interrupt.asked().await;
    };
    tokio::join!(tell, Box::pin(work.run(end)));
    Ok(Outcome::Done)
}
