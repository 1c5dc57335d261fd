//! Status lists: what they say of every token, whoever fetches them, and that no place in one is given away twice.

mod entries;
mod faults;
mod fetching;
mod folds;
mod statuses;
mod verifier;

use catalog::{
    app::{IssuedToken, policy_file},
    domain::{claims::claims_of, status_list::StatusReference},
};

use crate::{authority::apply, support::World};

pub(crate) const URL: &str = "https://catalog.example.com/status-lists";

/// Has tokens get entries in lists that are fetched below this URL.
async fn begin(world: &World, url: &str) {
    let text = format!("[status-lists]\nurl = \"{url}\"\n");
    apply(world, policy_file::parse(&text).unwrap(), text).await;
}

/// Where a token says that its status stands.
fn reference(issued: &IssuedToken) -> Option<StatusReference> {
    let (signing_input, _) = issued.signed.expose().rsplit_once('.').unwrap();
    claims_of(signing_input).unwrap().status.map(|status| status.status_list)
}
