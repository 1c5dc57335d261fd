//! Status lists: what the policy says of them, and what tokens and events do.

use super::{described, object, of, plain, unsigned};
use crate::domain::{
    claims::CanonicalUuid,
    status_list::{Entry, StatusClaim, StatusListBegun, StatusListRules, StatusReference},
};

described! {
    StatusListRules, "StatusListRules" => object("Which tokens get an entry in a status list.")
        .member("url", plain::<String>(), "Where lists are fetched: each has its identifier below it.")
        .member("ttl_seconds", unsigned(), "For how long a list may be kept before it is fetched anew.");
    StatusListBegun, "StatusListBegun" => object(
        "`catalog.status_list_begun.v1`: tokens get their entries in this status list from here on.",
    )
        .member("id", of::<CanonicalUuid>(), "The list.")
        .member("uri", plain::<String>(), "Where it is fetched.")
        .member("entries", unsigned(), "How many entries it has.");
    Entry, "StatusListEntry" => object("A token's place in a status list.")
        .member("list", of::<CanonicalUuid>(), "The list.")
        .member("idx", unsigned(), "The place, from 0.");
    StatusClaim, "StatusClaim" => object("Where a token's status stands (Token Status List, section 6.1).")
        .member("status_list", of::<StatusReference>(), "Where in a status list.");
    StatusReference, "StatusReference" => object("A place in a status list.")
        .member("idx", unsigned(), "The place, from 0.")
        .member("uri", plain::<String>(), "Where the list is fetched.");
}
