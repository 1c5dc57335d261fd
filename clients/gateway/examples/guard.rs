//! A service that lets nobody in without a good token of the catalog.
//!
//! ```text
//! (umask 077; catalog clients add edge --permissions tokens.check > edge.secret)
//! cargo run -p catalog-gateway --features tower --example guard -- http://127.0.0.1:8080 edge edge.secret
//! curl -H "Authorization: Bearer $(catalog issue --dev --sub alice@example.com --permissions tools.read)" http://127.0.0.1:9090/
//! ```

use std::time::Duration;

use axum::{Extension, Router, routing::get};
use catalog_gateway::{
    RevocationSet,
    client::{Catalog, Credential},
    confirm::Confirmer,
    follow::{Follower, Settings},
    jwt::{Rules, Verified, Verifier},
    tower::Guard,
};

async fn hello(Extension(verified): Extension<Verified>) -> String {
    format!("{} may come in\n", verified.claims.sub)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, client, secret_file] = arguments.as_slice() else {
        return Err("usage: guard ADDRESS CLIENT SECRET-FILE".into());
    };
    let secret = std::fs::read_to_string(secret_file)?.trim().into();
    let catalog = Catalog::new(address, Credential::client(client, secret))?;

    let set = RevocationSet::new(Duration::from_secs(5));
    let follower = Follower::start(catalog.clone(), set.clone(), Settings::default());
    // `iss` as the catalog writes it, and the audience for which tokens are issued here.
    let rules = Rules { issuer: address.trim_end_matches('/').to_owned(), audience: "gateway".to_owned() };
    let guard = Guard::new(Verifier::new(catalog.clone(), rules), set)
        // A feed does not prove that a token was issued: the catalog does.
        .confirmed_by(Confirmer::new(catalog))
        .requiring("tools.read");

    let router = Router::new().route("/", get(hello)).layer(guard);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:9090").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    follower.stop().await;
    Ok(())
}
