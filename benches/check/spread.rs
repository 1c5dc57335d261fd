//! How soon a revocation that was acknowledged is known: to checks of the server that took it, to those of another
//! server of the same log, to the readers of a stream, and to gateways that follow either server.

use std::time::{Duration, Instant};

use catalog_gateway::{
    Now, RevocationSet, Verdict,
    client::{Catalog, Credential},
    follow::{Follower, Settings},
};
use futures_util::future::try_join_all;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream, sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::support::{
    figures::percentile_ms,
    load::{Ask, Caller},
    stand::{Error, Server, Stand, execute},
};

/// How many revocations every stream is watched for.
const SENT: usize = 20;
/// How many are revoked while no server can tell the others.
const UNTOLD: usize = 100;
/// How long a gateway's thread rests between two looks.
const LOOK_PERIOD: Duration = Duration::from_micros(20);

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
    let places = Places::open(server, &other, token).await?;
    let live = "select jti::text from catalog.tokens where revoked_pos is null and exp > now() + interval '1 hour' \
                and path <> 'cli-dev' order by issued_pos desc limit $1";
    let wanted = i64::try_from(count + UNTOLD + SENT)?;
    let mut superuser = stand.superuser().await?;
    let ids: Vec<String> = sqlx::query_scalar(live).bind(wanted).fetch_all(&mut superuser).await?;
    // A small catalog has fewer live tokens: then fewer are revoked at first, and the rest is measured all the same.
    let (shared, others) = ids.split_at(SENT.min(ids.len()));
    let (untold, single) = others.split_at(UNTOLD.min(others.len()));
    println!("\n{} tokens revoked one after the other:\n", single.len());
    one_by_one(&places, single).await?;
    let signals = "execute on function pg_notify(text, text)";
    execute(&mut superuser, format!("revoke {signals} from public")).await?;
    println!("\n{} more, while no server can tell the others to look (NOTIFY fails):\n", untold.len());
    one_by_one(&places, untold).await?;
    execute(&mut superuser, format!("grant {signals} to public")).await?;
    drop(places);
    to_all(server, token, shared, streams).await
}

/// Where it is waited for revocations.
struct Places<'a> {
    here: &'a Server,
    there: &'a Server,
    token: &'a str,
    /// Gateways that follow the one and the other.
    gateways: [Follower; 2],
}

impl<'a> Places<'a> {
    async fn open(here: &'a Server, there: &'a Server, token: &'a str) -> Result<Self, Error> {
        let follow = |server: &Server| {
            let credential = Credential::bearer(token.to_owned().into());
            let catalog = Catalog::new(&format!("http://{}", server.address), credential)?;
            let set = RevocationSet::new(Duration::from_secs(5));
            Ok::<_, Error>(Follower::start(catalog, set, Settings::default()))
        };
        let gateways = [follow(here)?, follow(there)?];
        for gateway in &gateways {
            gateway.loaded().await;
        }
        Ok(Self { here, there, token, gateways })
    }
}

async fn one_by_one(places: &Places<'_>, ids: &[String]) -> Result<(), Error> {
    let Places { here, there, token, gateways } = places;
    let mut stream = Stream::open(here, token).await?;
    let mut wrong = 0;
    let mut known: [Vec<Duration>; 4] = Default::default();
    for jti in ids {
        let path = format!("/revocations/{jti}");
        let mut own = Caller::connect(Ask::get(&here.address, token, &path)).await?;
        let mut others = Caller::connect(Ask::get(&there.address, token, &path)).await?;
        let mut delete = Caller::connect(Ask::delete(&here.address, token, &format!("/tokens/{jti}"))).await?;
        others.once().await?;
        let watched = gateways.each_ref().map(|gateway| refused(gateway.set(), jti));
        delete.once().await?;
        let acknowledged = Instant::now();
        // All at once: each is to know it, whatever the others do.
        let (took, elsewhere, sent, [own_gateway, others_gateway]) = tokio::join!(
            own.once(),
            async {
                loop {
                    others.once().await?;
                    if others.said().contains(r#""revoked""#) {
                        return Ok::<_, Error>(Instant::now());
                    }
                }
            },
            async {
                stream.until(jti).await?;
                Ok::<_, Error>(Instant::now())
            },
            async {
                let [own, others] = watched;
                [own.await, others.await]
            }
        );
        took?;
        wrong += usize::from(!own.said().contains(r#""revoked""#));
        for (times, at) in known.iter_mut().zip([elsewhere?, sent?, own_gateway??, others_gateway??]) {
            // Whoever follows may know it before the one who asked for it.
            times.push(at.saturating_duration_since(acknowledged));
        }
    }
    println!("| where | p50 ms after the acknowledgement | p99 ms | most ms |");
    println!("|---|---|---|---|");
    println!("| a check of the same server, sent after it | {wrong} accepted | | |");
    let places = [
        "a check of another server",
        "a stream of the same server",
        "a gateway that follows the same server",
        "a gateway that follows another server",
    ];
    for (what, mut times) in places.into_iter().zip(known) {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| percentile_ms(&mut times, share));
        println!("| {what} | {p50:.2} | {p99:.2} | {most:.2} |");
    }
    Ok(())
}

/// When a gateway refuses a token, looked at all the time on a thread that takes little of the machine.
fn refused(set: &RevocationSet, jti: &str) -> JoinHandle<Result<Instant, Error>> {
    let (set, jti) = (set.clone(), jti.parse::<Uuid>());
    tokio::task::spawn_blocking(move || {
        let jti = jti?;
        while set.check(jti, "", Now::read()) != Verdict::Revoked {
            std::thread::sleep(LOOK_PERIOD);
        }
        Ok(Instant::now())
    })
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
