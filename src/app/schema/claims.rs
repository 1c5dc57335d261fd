//! The claims of a token, as introspection and the log show them.

use serde_json::json;

use super::{described, list, nullable, object, of, one_of, plain, seconds, short_list};
use crate::domain::{
    claims::{AuthProvider, CanonicalUuid, Claims, Scopes, Teams, TokenUse, User},
    issue::LIST_MAX,
    restrictions::{Day, IpRestriction, TimeOfDay, TimeRestrictions, UsageLimits, Zone},
    status_list::StatusClaim,
    text::{Audience, Email, Environment, FullName, Issuer, Namespace, Permission, ServerId, Subject},
};

described! {
    Scopes, "Scopes" => object("What narrows a token.")
        .member("server_id", nullable(of::<ServerId>()), "The one virtual server it is bound to.")
        .member(
            "permissions",
            short_list(of::<Permission>(), LIST_MAX),
            "What it may be used for; empty = everything its subject may do.",
        )
        .member(
            "ip_restrictions",
            short_list(of::<IpRestriction>(), LIST_MAX),
            "From where it may be used; empty = from anywhere.",
        )
        .member("time_restrictions", of::<TimeRestrictions>(), "When it may be used.")
        .member("usage_limits", of::<UsageLimits>(), "How often it may be used.");
    TimeRestrictions, "TimeRestrictions" => object("When a token may be used, in the words of ContextForge.")
        .optional("business_hours_only", nullable(plain::<bool>()), "Only from 9 to 17 o'clock UTC.")
        .optional("weekdays_only", nullable(plain::<bool>()), "Only from Monday to Friday.")
        .optional("start_time", nullable(of::<TimeOfDay>()), "From this time of day, with `end_time`.")
        .optional("end_time", nullable(of::<TimeOfDay>()), "Until this time of day, with `start_time`.")
        .optional("timezone", nullable(of::<Zone>()), "The zone of `start_time` and `end_time`; UTC when absent.")
        .optional("days", nullable(list(of::<Day>())), "Only on these days.")
        .any_of(json!([
            {
                "required": ["start_time", "end_time"],
                "properties": { "start_time": { "type": "string" }, "end_time": { "type": "string" } },
            },
            {
                "properties": {
                    "start_time": { "type": "null" },
                    "end_time": { "type": "null" },
                    "timezone": { "type": "null" },
                },
            },
        ]));
    UsageLimits, "UsageLimits" => object("How often a token may be used.")
        .optional("requests_per_hour", nullable(super::count()), "Requests in an hour.")
        .optional("requests_per_day", nullable(super::count()), "Requests in a day.");
    TokenUse, "TokenUse" => one_of(["api"]).description(Some("A token for an API, not a session."));
    AuthProvider, "AuthProvider" => one_of(["api_token"]).description(Some("A token of the data plane."));
    User, "User" => object("The person or service behind `sub`.")
        .member(
            "email",
            of::<Email>(),
            "The subject's address, or one under `service.invalid` that nobody can receive.",
        )
        .member("full_name", of::<FullName>(), "The name to show.")
        .member("is_admin", plain::<bool>(), "Whether the token claims to speak for an administrator.")
        .member("auth_provider", of::<AuthProvider>(), "Always `api_token`.");
    Claims, "Claims" => object("The claims of a token (RFC 7519, RFC 9068, and the gateway's own).")
        .member("iss", of::<Issuer>(), "The issuer.")
        .member("aud", list(of::<Audience>()), "Whom the token is meant for.")
        .member("sub", of::<Subject>(), "Whom it speaks for.")
        .member("client_id", one_of(["catalog"]).into(), "Always `catalog`.")
        .member("jti", of::<CanonicalUuid>(), "Its identifier.")
        .member("iat", seconds(), "When it was issued, in seconds since 1970.")
        .member("exp", seconds(), "The first second at which it is no longer accepted.")
        .optional("scope", plain::<String>(), "`scopes.permissions` joined by spaces; absent when there are none.")
        .member("token_use", of::<TokenUse>(), "Always `api`.")
        .optional("env", of::<Environment>(), "The deployment environment, only where one is configured.")
        .member("user", of::<User>(), "The person or service behind `sub`.")
        .member("teams", of::<Teams>(), "The teams whose things it reaches.")
        .member("namespaces", short_list(of::<Namespace>(), LIST_MAX), "The namespaces it reaches.")
        .member("scopes", of::<Scopes>(), "What narrows it.")
        .optional("status", of::<StatusClaim>(), "Where in a status list its status stands, only where the policy has lists.");
}
