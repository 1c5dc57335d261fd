//! How soon a revocation that was acknowledged is known: to checks of the server that took it, to those of another
//! server of the same log, and to the readers of a stream.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream, sync::watch};

use crate::support::{
    figures::percentile_ms,
    load::{Ask, Caller},
    stand::{Error, Server, Stand},
};

/// How many revocations every stream is watched for.
const SENT: usize = 20;

/// A stream of revocations.
struct Stream {
    socket: TcpStream,
    seen: Vec<u8>,
}

pub(super) async fn run(
    stand: &Stand,
    server: &Server,
    token: &str,
    count: usize,
    streams: usize,
) -> Result<(), Error> {
    let other = stand.serve()?;
    let live = "select jti::text from catalog.tokens where revoked_pos is null and exp > now() + interval '1 hour' \
                and path <> 'cli-dev' order by issued_pos desc limit $1";
    let wanted = i64::try_from(count + SENT)?;
    let ids: Vec<String> = sqlx::query_scalar(live).bind(wanted).fetch_all(&mut stand.superuser().await?).await?;
    let (single, shared) = ids.split_at(count.min(ids.len()));
    one_by_one(server, &other, token, single).await?;
    to_all(server, token, shared, streams).await
}

async fn one_by_one(server: &Server, other: &Server, token: &str, ids: &[String]) -> Result<(), Error> {
    let mut stream = Stream::open(server, token).await?;
    let (mut wrong, mut elsewhere, mut streamed) = (0, Vec::new(), Vec::new());
    for jti in ids {
        let path = format!("/revocations/{jti}");
        let mut here = Caller::connect(Ask::get(&server.address, token, &path)).await?;
        let mut there = Caller::connect(Ask::get(&other.address, token, &path)).await?;
        let mut delete = Caller::connect(Ask::delete(&server.address, token, &format!("/tokens/{jti}"))).await?;
        there.once().await?;
        delete.once().await?;
        let acknowledged = Instant::now();
        // All at once: each is to know it, whatever the others do.
        let (took, known, sent) = tokio::join!(
            here.once(),
            async {
                loop {
                    there.once().await?;
                    if there.said().contains(r#""revoked""#) {
                        return Ok::<_, Error>(acknowledged.elapsed());
                    }
                }
            },
            async {
                stream.until(jti).await?;
                Ok::<_, Error>(acknowledged.elapsed())
            }
        );
        took?;
        wrong += usize::from(!here.said().contains(r#""revoked""#));
        elsewhere.push(known?);
        streamed.push(sent?);
    }
    println!("\n{} tokens revoked one after the other:\n", ids.len());
    println!("| where | p50 ms after the acknowledgement | p99 ms | most ms |");
    println!("|---|---|---|---|");
    println!("| a check of the same server, sent after it | {wrong} accepted | | |");
    for (what, mut times) in [("a check of another server", elsewhere), ("a stream of the same server", streamed)] {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| percentile_ms(&mut times, share));
        println!("| {what} | {p50:.2} | {p99:.2} | {most:.2} |");
    }
    Ok(())
}

/// When the last of many readers has it.
async fn to_all(server: &Server, token: &str, ids: &[String], streams: usize) -> Result<(), Error> {
    let open = try_join_all((0..streams).map(|_| Stream::open(server, token))).await?;
    let (sent, received) = watch::channel(String::new());
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let readers: Vec<_> = open
        .into_iter()
        .map(|mut stream| {
            let (mut received, told) = (received.clone(), told.clone());
            tokio::spawn(async move {
                while received.changed().await.is_ok() {
                    let jti = received.borrow_and_update().clone();
                    stream.until(&jti).await?;
                    // Nobody listens any more once one of the others has failed.
                    let _ = told.send(Instant::now());
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    let mut last: Vec<Duration> = Vec::new();
    for jti in ids {
        sent.send_replace(jti.clone());
        let mut delete = Caller::connect(Ask::delete(&server.address, token, &format!("/tokens/{jti}"))).await?;
        delete.once().await?;
        let acknowledged = Instant::now();
        let mut latest = acknowledged;
        for _ in 0..streams {
            latest = latest.max(heard.recv().await.ok_or("a stream ended")?);
        }
        last.push(latest - acknowledged);
    }
    drop(sent);
    for reader in readers {
        reader.await??;
    }
    let [p50, most] = [0.5, 1.0].map(|share| percentile_ms(&mut last, share));
    println!(
        "\nThe last of {streams} streams has a revocation {p50:.1} ms after the acknowledgement (most {most:.1} ms, {} of them)",
        ids.len()
    );
    Ok(())
}

impl Stream {
    /// A stream that has begun.
    async fn open(server: &Server, token: &str) -> Result<Self, Error> {
        let mut socket = TcpStream::connect(&server.address).await?;
        let request = format!(
            "GET /revocations HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\naccept: text/event-stream\r\n\r\n",
            server.address
        );
        socket.write_all(request.as_bytes()).await?;
        let mut stream = Self { socket, seen: Vec::new() };
        stream.until("event: heartbeat").await?;
        Ok(stream)
    }

    /// Reads until a text has come.
    async fn until(&mut self, text: &str) -> Result<(), Error> {
        loop {
            if let Some(at) = self.seen.windows(text.len()).position(|part| part == text.as_bytes()) {
                self.seen.drain(..at + text.len());
                return Ok(());
            }
            // A text may have come in part.
            let kept = self.seen.len().saturating_sub(text.len());
            self.seen.drain(..kept);
            if self.socket.read_buf(&mut self.seen).await? == 0 {
                return Err(format!("the stream ended: {}", String::from_utf8_lossy(&self.seen)).into());
            }
        }
    }
}
