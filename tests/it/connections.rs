//! Connections get a time for each request's head, and cost nothing at the end of a server.

use std::{sync::Arc, time::Duration};

use catalog::http::connections::{self, Patience};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::support::{World, process::until};

/// A test waits until it is over, and a busy machine answers within it.
const SHORT: Duration = Duration::from_secs(1);
/// Past it a test has failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longer than any test lasts.
const LONG: Duration = Duration::from_mins(10);
const WHOLE: &str = "GET /healthz HTTP/1.1\r\nhost: catalog\r\n\r\n";
const HALF: &str = "GET /healthz HTTP/1.1\r\nhost: cat";

/// A server in this process, ended when it goes out of scope.
struct Listening {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _world: Arc<World>,
}

impl Listening {
    async fn with(patience: Patience) -> Self {
        let world = Arc::new(World::new().await);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = connections::serve(listener, world.router.clone(), patience, stop.clone());
        Self { address, stop, task: tokio::spawn(serving), _world: world }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Asks on a connection and reads the whole answer.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(WHOLE.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with(r#"{"status":"ok"}"#) {
        let mut bytes = [0; 1_024];
        let read = stream.read(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "the connection ended in the middle of an answer: {answer}");
        answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
}

/// Waits until the server closes a connection, and returns what it said before.
async fn closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    // A peer that is closed with something unread may say so by a reset.
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_comes_to_no_request_is_cut_off_and_one_that_did_is_not() {
    let server = Listening::with(Patience { first: SHORT, further: LONG, ..Patience::default() }).await;
    let mut used = server.connect().await;
    ask(&mut used).await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(HALF.as_bytes()).await.unwrap();

    assert_eq!((closed(&mut silent).await, closed(&mut half).await), (String::new(), String::new()));

    // It is older than those that were cut off.
    ask(&mut used).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_idle_for_too_long_is_closed_and_so_is_one_with_half_a_further_request() {
    let server = Listening::with(Patience { first: LONG, further: SHORT, ..Patience::default() }).await;
    let (mut idle, mut half) = (server.connect().await, server.connect().await);
    ask(&mut idle).await;
    ask(&mut half).await;
    half.write_all(HALF.as_bytes()).await.unwrap();

    assert_eq!((closed(&mut idle).await, closed(&mut half).await), (String::new(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_idle_connections_and_half_requests_are_closed_at_once() {
    let Listening { address, stop, task, _world } =
        Listening::with(Patience { first: LONG, further: LONG, ..Patience::default() }).await;
    let mut streams = Vec::new();
    for (is_used, rest) in [(false, ""), (false, HALF), (true, ""), (true, HALF)] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if is_used {
            ask(&mut stream).await;
        }
        stream.write_all(rest.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    // Answered on a connection that was accepted after all of them.
    ask(&mut TcpStream::connect(address).await.unwrap()).await;

    stop.cancel();
    timeout(PATIENCE, task).await.expect("no connection keeps the server").unwrap();

    for mut stream in streams {
        assert_eq!(closed(&mut stream).await, "");
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_nothing_of_what_it_asked_for_is_cut_off() {
    let server = Listening::with(Patience { first: LONG, further: LONG, unread: SHORT }).await;
    let mut stream = server.connect().await;

    // The answers are more than the buffers between the two take.
    let asked = "GET /openapi.json HTTP/1.1\r\nhost: catalog\r\n\r\n".repeat(200);
    stream.write_all(asked.as_bytes()).await.unwrap();

    until("the connection is cut off", async || {
        stream.try_write(b"x").err().filter(|error| error.kind() != std::io::ErrorKind::WouldBlock)
    })
    .await;
}
