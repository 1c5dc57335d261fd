//! The request for a token, as `POST /tokens` reads it.

use serde_json::json;

use super::{described, nullable, object, of, plain, short_list, words};
use crate::domain::{
    IssueToken,
    claims::Teams,
    issue::{LIST_MAX, ScopesWire},
    restrictions::{IpRestriction, TimeRestrictions, UsageLimits},
    text::{Audience, Description, FullName, Name, Namespace, Note, Permission, ServerId, Subject},
};

described! {
    IssueToken, "IssueToken" => object("A token is asked for. Everything but `sub` may be left out.")
        .member(
            "sub",
            of::<Subject>(),
            "Whom it shall speak for. Another's than the caller's own takes an administrator.",
        )
        .optional("name", nullable(of::<Name>()), "Its name, unique among the active tokens of its subject.")
        .optional("description", nullable(of::<Description>()), "What it is for.")
        .optional(
            "aud",
            short_list(of::<Audience>(), LIST_MAX),
            "Whom it is meant for; empty = the configured audience. `catalog` lets it call this API.",
        )
        .optional(
            "expires_in",
            nullable(super::count()),
            "Its lifetime in seconds, within the policy; absent = the policy's default.",
        )
        .optional("is_admin", plain::<bool>(), "Whether it claims an administrator.")
        .optional(
            "email",
            nullable(words::address()),
            "The address of its subject, when `sub` is none. When `sub` is an address this is the same or absent.",
        )
        .optional("full_name", nullable(of::<FullName>()), "The name of its subject; absent = `sub`.")
        .optional(
            "teams",
            of::<Teams>(),
            "The teams it shall reach; `null`, every team, with `is_admin` only. Absent: `null` for an \
             administrator's token, else `[]`, but a caller who is in teams must name them.",
        )
        .optional("namespaces", short_list(of::<Namespace>(), LIST_MAX), "The namespaces it shall reach.")
        .optional("scopes", of::<ScopesWire>(), "What narrows it.")
        .optional("reason", nullable(of::<Note>()), "Why it is needed.")
        .any_of(json!([
            { "required": ["is_admin"], "properties": { "is_admin": { "enum": [true] } } },
            { "properties": { "teams": { "type": "array" } } },
        ]));
    ScopesWire, "ScopesRequest" => object("What shall narrow a token. Every member may be left out.")
        .optional("server_id", nullable(of::<ServerId>()), "The one virtual server it shall be bound to.")
        .optional(
            "permissions",
            short_list(of::<Permission>(), LIST_MAX),
            "What it may be used for; empty = everything its subject may do, which only a caller who holds \
             everything may grant.",
        )
        .optional(
            "ip_restrictions",
            short_list(of::<IpRestriction>(), LIST_MAX),
            "From where it may be used; empty = from anywhere.",
        )
        .optional("time_restrictions", of::<TimeRestrictions>(), "When it may be used.")
        .optional("usage_limits", of::<UsageLimits>(), "How often it may be used.");
}
