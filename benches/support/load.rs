//! Connections that each ask, wait for the answer and ask again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::stand::Error;

/// One request, asked again and again.
#[derive(Debug, Clone)]
pub struct Ask {
    pub address: String,
    pub token: String,
    pub method: Method,
    pub target: String,
    pub body: Bytes,
    pub expected: StatusCode,
}

/// A connection that is kept open.
pub struct Caller {
    ask: Ask,
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Caller {
    pub async fn connect(ask: Ask) -> Result<Self, Error> {
        let stream = TcpStream::connect(&ask.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { ask, sender })
    }

    /// Asks once; tells how long the whole answer took to come.
    pub async fn once(&mut self) -> Result<(Duration, Bytes), Error> {
        let Ask { address, token, method, target, body, expected } = &self.ask;
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", address)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))?;
        let begun = Instant::now();
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status != *expected {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        Ok((begun.elapsed(), body))
    }
}

/// What so many connections had in so much time.
pub struct Run {
    pub per_second: f64,
    pub latencies: Vec<Duration>,
}

/// Has `connections` callers ask for `time`. What is under way at the end is waited for and not counted.
pub async fn run(ask: &Ask, connections: usize, time: Duration) -> Result<Run, Error> {
    let mut callers = Vec::with_capacity(connections);
    for _ in 0..connections {
        callers.push(Caller::connect(ask.clone()).await?);
    }
    let begun = Instant::now();
    let end = begun + time;
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|mut caller| {
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < end {
                    let (latency, _) = caller.once().await?;
                    if Instant::now() < end {
                        latencies.push(latency);
                    }
                }
                Ok::<_, Error>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let per_second = latencies.len() as f64 / time.as_secs_f64();
    Ok(Run { per_second, latencies })
}
