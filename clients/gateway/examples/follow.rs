//! Follows a catalog, and tells of each token that is named on the input whether it is revoked.
//!
//! ```text
//! (umask 077; catalog clients add edge --permissions tokens.check > edge.secret)
//! cargo run -p catalog-gateway --features follow --example follow -- http://127.0.0.1:8080 edge edge.secret
//! ```

use std::{
    io::{BufRead, Write},
    time::Duration,
};

use catalog_gateway::{
    Now, RevocationSet,
    client::{Catalog, Credential},
    follow::{Follower, Settings},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, client, secret_file] = arguments.as_slice() else {
        return Err("usage: follow ADDRESS CLIENT SECRET-FILE".into());
    };
    let secret = std::fs::read_to_string(secret_file)?.trim().into();
    let catalog = Catalog::new(address, Credential::client(client, secret))?;
    let set = RevocationSet::new(Duration::from_secs(5));
    // What was revoked is known at the next start, even when the catalog is away.
    let settings = Settings { file: Some("revocations.json".into()), ..Settings::default() };
    let follower = Follower::start(catalog, set.clone(), settings);

    follower.loaded().await;
    println!("{:?}", follower.status());
    tokio::task::spawn_blocking(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let (jti, kid) = line.split_once(' ').unwrap_or((&line, ""));
            println!("{:?}", set.check(jti.parse()?, kid, Now::read()));
            std::io::stdout().flush()?;
        }
        Ok(())
    })
    .await?
    .map_err(|error| error.to_string())?;
    follower.stop().await;
    Ok(())
}
