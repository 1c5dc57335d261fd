//! `catalog audit report`: what a report says is what the log says, in the same bytes wherever it is made.

mod counts;
mod golden;
mod history;
mod http;
mod since;
mod verify;

use catalog::{
    app::report::{self, Asked, Format},
    domain::{
        Position,
        audit::{Report, Scope},
    },
    store::{Database, replay::Reading},
};
use chrono::{DateTime, Utc};

use crate::support::{Site, TestDatabase};
use history::{history, recorded};

/// Later than everything that happens here.
fn now() -> DateTime<Utc> {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

async fn reading(database: &Database, asked: &Asked) -> Reading {
    let scope = report::scope(database, asked, now()).await.unwrap();
    report::read(database, &scope, None, &mut |_| ()).await.unwrap()
}

async fn reported(database: &Database, asked: &Asked) -> Report {
    report::report(reading(database, asked).await)
}

fn written(report: &Report, format: Format) -> String {
    let mut bytes = Vec::new();
    report::write(report, format, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The same log with its projections, made by `audit rebuild`.
async fn projected(seed: u64, count: usize) -> TestDatabase {
    let database = recorded(&history(seed, count)).await;
    let rebuilt = Site::on(&database.url()).cli(&["audit", "rebuild"]).good();
    assert!(rebuilt.starts_with("rebuilt"), "{rebuilt}");
    database
}

/// A catalog in which a history was recorded, and its directory.
async fn site(seed: u64, count: usize) -> (TestDatabase, Site) {
    let database = recorded(&history(seed, count)).await;
    let site = Site::on(&database.url());
    (database, site)
}
