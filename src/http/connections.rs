//! Connections: how long each may keep us waiting, and which of them the end of the server waits for.

use std::{future::pending, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    serve::{Listener, ListenerExt},
};
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustix::{io::Errno, net::sockopt};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::signing::LastPresented;

/// How often a peer that says nothing is asked whether it is there, from this long on.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_PERIOD: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// How long a connection may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the head of its first request, from the moment it was accepted.
    pub first: Duration,
    /// For the head of each further one, from the answer before it: how long a connection may be idle.
    pub further: Duration,
    /// For the peer to take what it was sent: one that is gone without a word, or does not read on.
    pub unread: Duration,
}

/// What every request is told of the connection that it came by.
#[derive(Debug, Clone, Default)]
pub(super) struct Connection {
    /// The end of the server.
    pub(super) ending: Ending,
    /// The token that came by it last.
    pub(super) presented: Arc<LastPresented>,
}

/// That the server ends, for answers that have no end of their own.
#[derive(Debug, Clone, Default)]
pub struct Ending(CancellationToken);

impl Ending {
    /// What some work comes to, unless the server ends before.
    pub async fn before<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.0.run_until_cancelled(work).await
    }
}

impl Default for Patience {
    /// A head of which half was sent is worth ten seconds. Proxies and clients keep an idle connection for a minute; they
    /// are to be the ones who close it, for a request that meets our closing is lost. Whoever takes nothing for half a minute
    /// has gone, or has stopped for good.
    fn default() -> Self {
        Self { first: Duration::from_secs(10), further: Duration::from_secs(75), unread: Duration::from_secs(30) }
    }
}

/// Answers until `stop`, and returns once every request that had arrived by then is answered. A connection on which
/// there is none, or half the head of one, is closed at once.
pub async fn serve(listener: TcpListener, router: Router, patience: Patience, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let mut listener = listener.tap_io(move |stream| {
        // An answer is one small packet: without this the peer may wait 40 ms for it.
        let _ = stream.set_nodelay(true);
        // Where the system knows nothing of these, a peer that is gone without a word is kept for longer.
        let _ = give_up_on_the_gone(stream, patience.unread);
    });
    while let Some((stream, peer)) = stop.run_until_cancelled(listener.accept()).await {
        connections.spawn(converse(stream, peer, router.clone(), patience, stop.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn give_up_on_the_gone(stream: &TcpStream, unread: Duration) -> Result<(), Errno> {
    let unread_ms = u32::try_from(unread.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, unread_ms)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_PERIOD)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    sockopt::set_socket_keepalive(stream, true)
}

async fn converse(stream: TcpStream, peer: SocketAddr, router: Router, patience: Patience, stop: CancellationToken) {
    let begun = CancellationToken::new();
    let answers = TowerToHyperService::new(router);
    let itself = Connection { ending: Ending(stop.clone()), presented: Arc::default() };
    let service = service_fn(|request: Request<Incoming>| {
        begun.cancel();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(itself.clone());
        answers.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience.further);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = too_late(patience.first, &begun) => return,
        () = stop.cancelled() => {}
    }
    // hyper would wait for the rest of a first head. A further one it forgets by itself.
    if begun.is_cancelled() {
        connection.as_mut().graceful_shutdown();
        note(connection.await);
    }
}

/// Returns when a connection has not come to its first request in time.
async fn too_late(limit: Duration, begun: &CancellationToken) {
    if timeout(limit, begun.cancelled()).await.is_ok() {
        pending::<()>().await;
    }
}

/// Peers hang up, and some speak other protocols: of interest only to who looks for it.
fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
