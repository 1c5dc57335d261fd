//! A proxy between a follower and its catalog, which does with what passes whatever it is told.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What becomes of what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It passes.
    Open,
    /// Connections are closed, and no new ones taken.
    Cut,
    /// Nothing passes, and nobody is told: a cable that was pulled.
    Dead,
    /// Event streams are held back; everything else passes.
    Buffering,
}

pub struct Proxy {
    pub address: SocketAddr,
    way: watch::Sender<Way>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, seen) = watch::channel(Way::Open);
        let task = tokio::spawn(accept(listener, upstream, seen));
        Self { address, way, task }
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, way: watch::Receiver<Way>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        tokio::spawn(relay(client, upstream, way.clone()));
    }
}

/// Either side may hang up at any time, which ends the other side too.
async fn relay(mut client: TcpStream, server: SocketAddr, mut way: watch::Receiver<Way>) -> Option<()> {
    way.wait_for(|way| *way != Way::Dead).await.ok()?;
    if *way.borrow() == Way::Cut {
        return None;
    }
    let mut server = TcpStream::connect(server).await.ok()?;
    let (mut asked, mut answered) = ([0; 16_384], [0; 16_384]);
    let mut is_stream = false;
    loop {
        let now = *way.borrow_and_update();
        tokio::select! {
            changed = way.changed() => changed.ok()?,
            () = std::future::ready(()), if now == Way::Cut => return None,
            read = client.read(&mut asked), if now != Way::Dead => match read.ok()? {
                0 => return None,
                length => server.write_all(&asked[..length]).await.ok()?,
            },
            read = server.read(&mut answered), if now != Way::Dead => match read.ok()? {
                0 => return None,
                length => {
                    let part = &answered[..length];
                    if contains(part, b"text/event-stream") {
                        is_stream = true;
                    }
                    if now != Way::Buffering || !is_stream {
                        client.write_all(part).await.ok()?;
                    }
                }
            },
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
