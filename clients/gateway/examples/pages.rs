//! The core alone: pages in, verdicts out, and whoever has them brings them.
//!
//! ```text
//! curl -su edge:SECRET https://tokens.example.com/revocations/snapshot | cargo run -p catalog-gateway --example pages -- JTI
//! ```
//!
//! Each line of the input is a page, the first of them a snapshot. For each the verdict on the tokens is told.

use std::{io::BufRead, time::Duration};

use catalog_gateway::{Now, RevocationSet, wire::Page};
use uuid::Uuid;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tokens: Vec<Uuid> = std::env::args().skip(1).map(|jti| jti.parse()).collect::<Result<_, _>>()?;
    let set = RevocationSet::new(Duration::from_secs(5));
    for line in std::io::stdin().lock().lines() {
        let page: Page = serde_json::from_str(&line?)?;
        println!("{:?}: the log is known up to {}", set.apply(&page, Now::read())?, page.mark.position);
        for jti in &tokens {
            println!("  {jti}: {:?}", set.check(*jti, "the kid of its header", Now::read()));
        }
    }
    Ok(())
}
