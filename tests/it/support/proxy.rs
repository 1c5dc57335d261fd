//! A proxy between the program and its database, which loses what it is told to lose.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
};

use super::TestDatabase;

/// `commit` as a simple query, and what the server answers once it is done (PostgreSQL documentation, section 54.7).
const COMMIT: &[u8] = b"Q\0\0\0\x0bcommit\0";
const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0";
/// What a statement has among its parameters that revokes a token by itself, and what is answered once it is done.
const REVOCATION: &[u8] = b"token.revoked.v1";
const REVOKED: &[u8] = b"C\0\0\0\x0dSELECT 1\0";

/// What is lost, and with it the connection.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    /// A COMMIT on its way to the database: it never happens.
    Commit,
    /// The answer to a COMMIT: it has happened, and nobody is told.
    AnswerOfCommit,
    /// A revocation of one statement on its way to the database.
    Revocation,
    /// The answer to one.
    AnswerOfRevocation,
}

impl Loss {
    /// What it is the loss of, and what the answer to that begins with.
    fn of(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Commit | Self::AnswerOfCommit => (COMMIT, COMMITTED),
            Self::Revocation | Self::AnswerOfRevocation => (REVOCATION, REVOKED),
        }
    }
}

/// Listens until it goes out of scope.
pub struct Proxy {
    address: SocketAddr,
    database: String,
    next: Next,
    task: JoinHandle<()>,
}

/// What the next COMMIT, or the next revocation, meets.
type Next = Arc<Mutex<Option<Loss>>>;

impl Proxy {
    /// A proxy before a database of a test, losing nothing yet.
    pub async fn before(database: &TestDatabase) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = database.owner();
        let socket = options.get_socket().unwrap().join(format!(".s.PGSQL.{}", options.get_port()));
        let next = Next::default();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(accept(listener, socket, next.clone()));
        Self { address, database: database.name.clone(), next, task }
    }

    /// The address for the program's own settings.
    pub fn url(&self) -> String {
        format!("postgres://catalog_owner@{}/{}?sslmode=disable", self.address, self.database)
    }

    /// Has the next COMMIT or revocation, on whichever connection, meet a loss.
    pub fn lose_next(&self, loss: Loss) {
        *self.next.lock().unwrap() = Some(loss);
    }

    /// Whether the loss that was asked for has happened.
    pub fn has_lost(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, next: Next) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        let server = UnixStream::connect(&socket).await.unwrap();
        // Either side may hang up at any time, which ends the other side too.
        tokio::spawn(relay(client, server, next.clone()));
    }
}

async fn relay(mut client: TcpStream, mut server: UnixStream, next: Next) -> io::Result<()> {
    let (mut asked, mut answered) = ([0; 16_384], [0; 16_384]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match (read?, &asked) {
                (0, _) => return Ok(()),
                (length, asked) => match loss(&asked[..length], &next) {
                    None => server.write_all(&asked[..length]).await?,
                    Some(Loss::Commit | Loss::Revocation) => return Ok(()),
                    Some(loss @ (Loss::AnswerOfCommit | Loss::AnswerOfRevocation)) => {
                        server.write_all(&asked[..length]).await?;
                        return done(&mut server, loss.of().1).await;
                    }
                }
            },
            read = server.read(&mut answered) => match read? {
                0 => return Ok(()),
                length => client.write_all(&answered[..length]).await?,
            }
        }
    }
}

fn loss(asked: &[u8], next: &Next) -> Option<Loss> {
    next.lock().unwrap().take_if(|loss| contains(asked, loss.of().0))
}

/// Reads on until the server says that it is done.
async fn done(server: &mut UnixStream, answer: &[u8]) -> io::Result<()> {
    let mut said = Vec::new();
    while !contains(&said, answer) {
        if server.read_buf(&mut said).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
