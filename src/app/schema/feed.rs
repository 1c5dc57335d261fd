//! The feed of revocations: the shapes are those of `catalog_gateway::wire`, by which the server writes it.

use utoipa::openapi::schema::OneOfBuilder;

use super::{described, events::instant, list, nullable, object, of, plain, seconds};
use crate::domain::{Position, claims::CanonicalUuid, text::Kid};

/// `catalog_gateway::wire::Page`.
pub enum RevocationPage {}
/// `catalog_gateway::wire::Item`.
pub enum RevocationItem {}

described! {
    RevocationPage, "RevocationPage" => object("What changed for checks after one position of the log up to another.")
        .member("log_id", of::<CanonicalUuid>(), "The log's epoch.")
        .member("position", of::<Position>(), "Up to where everything is known once the page is applied.")
        .member("digest", super::events::digest(), "The digest at that position, SHA-256 in hexadecimal.")
        .member("after", nullable(of::<Position>()), "What it goes on from; `null` = from nothing: it replaces what is known.")
        .optional("piece", super::unsigned(), "How many pieces of the same change have come before it; absent = 0.")
        .optional("is_partial", plain::<bool>(), "Whether another piece of the same change follows, with the last of which \
                                                  it is known; absent = no.")
        .member("time", instant(), "When it was written, by the server's clock.")
        .member("staleness_ms", plain::<u64>(), "For how long the server itself had not heard from the log.")
        .optional("next", plain::<String>(), "`after` of the next page. Absent in streams, whose `id` says it.")
        .optional("has_more", plain::<bool>(), "Whether the next page has changes already; absent = no.")
        .member("items", list(of::<RevocationItem>()), "The changes.");
    RevocationItem, "RevocationItem" => OneOfBuilder::new()
        .description(Some("A change that a check has to know of."))
        .item(object("The token is revoked, by its identifier or by a rule. Nothing takes that back.")
            .fixed("kind", "revoked")
            .member("jti", of::<CanonicalUuid>(), "The token.")
            .member("exp", seconds(), "Its `exp`: from then on nobody needs to remember it.")
            .optional("effective_from", instant(), "From when on; absent = at once.")
        )
        .item(token("suspended", "The token is held back until it is resumed."))
        .item(token("resumed", "The token is not held back any more. It may be revoked all the same."))
        .item(object("No token that the key signed is believed, but for those that are spared.")
            .fixed("kind", "key_compromised")
            .member("kid", of::<Kid>(), "The key."))
        .item(token("spared", "The token was signed by a compromised key before others had that."));
}

fn token(kind: &'static str, description: &'static str) -> super::Form {
    object(description).fixed("kind", kind).member("jti", of::<CanonicalUuid>(), "The token.").member(
        "exp",
        seconds(),
        "Its `exp`.",
    )
}
