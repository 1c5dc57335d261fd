//! Connections that each ask, wait for the answer and ask again. The machine that is measured is this one, so a request is
//! written as bytes made once, and of its answer no more is read than its status and its length.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::stand::Error;

/// One request, asked again and again.
#[derive(Debug, Clone)]
pub struct Ask {
    address: String,
    request: Vec<u8>,
    expected: &'static str,
    says: Option<(Arc<AtomicBool>, &'static str)>,
}

/// A connection that is kept open.
pub struct Caller {
    ask: Ask,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Ask {
    /// A request with a JSON body.
    pub fn post(address: &str, token: &str, target: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("POST {target} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n");
        Self::new(address, token, &head, body, "201")
    }

    /// A request without a body.
    pub fn get(address: &str, token: &str, target: &str) -> Self {
        Self::new(address, token, &format!("GET {target} HTTP/1.1\r\n"), "", "200")
    }

    /// A revocation.
    pub fn delete(address: &str, token: &str, target: &str) -> Self {
        let head = format!("DELETE {target} HTTP/1.1\r\ncontent-length: 0\r\n");
        Self::new(address, token, &head, "", "204")
    }

    /// The same, with another status for success.
    pub fn answered(self, expected: &'static str) -> Self {
        Self { expected, ..self }
    }

    /// The same, of which every answer has this in it that was asked for once that was so.
    pub fn saying(self, once: Arc<AtomicBool>, text: &'static str) -> Self {
        Self { says: Some((once, text)), ..self }
    }

    fn new(address: &str, token: &str, head: &str, body: &str, expected: &'static str) -> Self {
        let request = format!("{head}host: {address}\r\nauthorization: Bearer {token}\r\n\r\n{body}");
        Self { address: address.to_owned(), request: request.into_bytes(), expected, says: None }
    }
}

impl Caller {
    pub async fn connect(ask: Ask) -> Result<Self, Error> {
        let stream = TcpStream::connect(&ask.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { ask, stream, answer: Vec::with_capacity(64 * 1024) })
    }

    /// The same connection, for another request.
    pub fn asking(self, ask: Ask) -> Self {
        Self { ask, ..self }
    }

    /// The latest answer.
    pub fn said(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.answer)
    }

    /// Asks once; tells how long the whole answer took to come, and how many bytes its body has.
    pub async fn once(&mut self) -> Result<(Duration, usize), Error> {
        let says = self.ask.says.as_ref().filter(|(once, _)| once.load(Ordering::Acquire)).map(|(_, text)| *text);
        let begun = Instant::now();
        self.stream.write_all(&self.ask.request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let Some((status, head, body)) = shape(&self.answer)? else { continue };
            if self.answer.len() < head + body {
                continue;
            }
            if status != self.ask.expected || says.is_some_and(|text| !self.said().contains(text)) {
                return Err(String::from_utf8_lossy(&self.answer).into());
            }
            return Ok((begun.elapsed(), body));
        }
    }
}

/// The status of an answer and how long its head and its body are, once its head is there.
fn shape(answer: &[u8]) -> Result<Option<(&str, usize, usize)>, Error> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    // An answer without content says no length.
    let length = length.map_or(Ok(0), str::parse)?;
    Ok(Some((status, end + 4, length)))
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
    let end = Instant::now() + time;
    let tasks: Vec<_> = callers.into_iter().map(|caller| tokio::spawn(until(end, caller))).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let per_second = latencies.len() as f64 / time.as_secs_f64();
    Ok(Run { per_second, latencies })
}

/// Has requests begin at a steady `rate` a second in all, each connection with every so-many-th of them in turn. The latency of one that had to wait for the one before it is
/// counted from when it was due, so that a server which falls behind is seen to.
pub async fn paced(asks: &[Ask], connections: usize, rate: u32, time: Duration) -> Result<Run, Error> {
    let period = Duration::from_secs(1) * u32::try_from(connections)? / rate;
    let begin = Instant::now() + Duration::from_millis(50);
    let mut tasks = Vec::with_capacity(connections);
    for index in 0..u32::try_from(connections)? {
        let own = asks.iter().cycle().skip(usize::try_from(index)?).step_by(connections);
        let own: Vec<Ask> = own.take(asks.len().div_ceil(connections)).cloned().collect();
        let mut caller = Caller::connect(asks[0].clone()).await?;
        let mut due = begin + period * index / u32::try_from(connections)?;
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            let mut next = own.iter().cycle();
            while due < begin + time {
                if own.len() > 1 || latencies.is_empty() {
                    caller.ask = next.next().ok_or("nothing is asked")?.clone();
                }
                let is_late = due < Instant::now();
                tokio::time::sleep_until(due.into()).await;
                // How late the timer is says nothing of the server.
                let since = if is_late { due } else { Instant::now() };
                caller.once().await?;
                latencies.push(since.elapsed());
                due += period;
            }
            Ok::<_, Error>(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let per_second = latencies.len() as f64 / begin.elapsed().as_secs_f64();
    Ok(Run { per_second, latencies })
}

async fn until(end: Instant, mut caller: Caller) -> Result<Vec<Duration>, Error> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let (latency, _) = caller.once().await?;
        if Instant::now() < end {
            latencies.push(latency);
        }
    }
    Ok(latencies)
}
