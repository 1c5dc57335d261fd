//! A server's TLS: a certificate of its own making in front of a server that speaks plain HTTP.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs::default_provider, pki_types::PrivateKeyDer},
};

/// TLS in front of a server, for as long as it is held.
pub struct Tls {
    pub url: String,
    /// The certificate that it shows, PEM. Nobody else has signed it.
    pub certificate: String,
    task: JoinHandle<()>,
}

impl Tls {
    /// Before the server at `address`, with a certificate for `name`.
    pub async fn before(address: &str, name: &str) -> Self {
        let signing_key = KeyPair::generate().unwrap();
        let mut shown = CertificateParams::new([name.to_owned()]).unwrap();
        shown.distinguished_name.push(DnType::CommonName, name);
        let certificate = shown.self_signed(&signing_key).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), address.to_owned()));
        Self { url, certificate: certificate.pem(), task }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, address: String) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        // A client that does not trust the certificate goes away during the handshake.
        let Ok(mut client) = acceptor.accept(client).await else { continue };
        let mut server = TcpStream::connect(&address).await.unwrap();
        tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
    }
}
