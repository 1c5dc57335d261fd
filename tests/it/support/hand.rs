//! A server made by hand: it answers as no catalog does, or loses a catalog's answers.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What becomes of one request.
#[derive(Clone)]
pub enum Does {
    /// It is answered with these bytes, and the connection is closed.
    Says(String),
    /// The connection is closed without a word.
    HangsUp,
    /// Nothing is said until the client has gone.
    IsSilent,
    /// The server at this address answers it.
    PassesTo(String),
    /// The server at this address answers it, and nobody hears the answer.
    LosesTheAnswerOf(String),
    /// It is answered with a body that does not end by itself.
    NeverEnds,
}

/// A server made by hand. It does what it was told, a connection each, and then nobody listens any more.
pub struct Hand {
    pub url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Hand {
    pub fn that(does: impl IntoIterator<Item = Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (notes, steps): (_, Vec<Does>) = (heard.clone(), does.into_iter().collect());
        thread::spawn(move || {
            for step in steps {
                let (mut client, _) = listener.accept().unwrap();
                let request = message(&mut client);
                notes.lock().unwrap().push(String::from_utf8(request.clone()).unwrap());
                // Whoever is cut off by a client that has gone is done with it.
                let _ = serve(&step, client, &request);
            }
        });
        Self { url, heard }
    }

    /// One that says this once.
    pub fn saying(answer: &str) -> Self {
        Self::that([Does::Says(answer.to_owned())])
    }

    /// The requests that came, whole.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// An HTTP answer. Its length is told, and the connection ends after it.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
}

fn serve(step: &Does, mut client: TcpStream, request: &[u8]) -> std::io::Result<()> {
    match step {
        Does::Says(answer) => client.write_all(answer.as_bytes()),
        Does::HangsUp => Ok(()),
        Does::IsSilent => client.read(&mut [0]).map(drop),
        Does::PassesTo(address) => client.write_all(&forwarded(address, request)),
        Does::LosesTheAnswerOf(address) => {
            assert!(forwarded(address, request).starts_with(b"HTTP/1.1 2"));
            Ok(())
        }
        Does::NeverEnds => {
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")?;
            loop {
                client.write_all(&[b' '; 8_192])?;
            }
        }
    }
}

fn forwarded(address: &str, request: &[u8]) -> Vec<u8> {
    let mut server = TcpStream::connect(address).unwrap();
    server.write_all(request).unwrap();
    message(&mut server)
}

/// One HTTP message: its head, and as much after it as that says.
fn message(stream: &mut TcpStream) -> Vec<u8> {
    let mut message = Vec::new();
    let mut byte = [0];
    while !message.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        message.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&message).to_ascii_lowercase();
    let length =
        head.split("content-length:").nth(1).map_or(0, |rest| rest.lines().next().unwrap().trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    message.extend(body);
    message
}
