//! Identity providers, as a policy in the log names them.

use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, OneOfBuilder, Schema, Type},
};

use super::{described, list, object, of, one_of, plain};
use crate::domain::{
    claims::Teams,
    person::{LoginRefusal, LoginRefused, PersonSeen},
    text::{Audience, Issuer, Permission, Subject, TeamId},
    trusted_issuer::{ClaimNames, KeySource, OptionalClaim, Role, TrustedIssuer},
};

described! {
    TrustedIssuer, "TrustedIssuer" => object("An identity provider whose access tokens are taken.")
        .member("issuer", of::<Issuer>(), "`iss` of its tokens.")
        .member("keys", of::<KeySource>(), "Where its keys are.")
        .member("audience", of::<Audience>(), "What `aud` of its tokens has to name.")
        .member("email_domains", list(plain::<String>()), "The domains of the addresses that it speaks for.")
        .optional("claims", of::<ClaimNames>(), "Which claims say what; absent = `email`, `email`, `groups` and `roles`.")
        .optional(
            "optional_claims",
            list(one_of(OptionalClaim::ALL.map(OptionalClaim::as_str)).into()),
            "What its tokens may leave out of what RFC 9068 requires; absent = nothing.",
        )
        .optional("permissions", list(of::<Permission>()), "What everybody may do whom it vouches for; absent = nothing.")
        .optional("teams", by_name(of::<TeamId>()), "Its groups, and the team that each of them is here.")
        .optional("roles", by_name(of::<Role>()), "Its roles, and what each of them may do here.");
    KeySource, "KeySource" => OneOfBuilder::new()
        .description(Some("Where an identity provider's keys are."))
        .item(object("An address.").member("jwks_uri", plain::<String>(), "The address."))
        .item(object("A file.").member("jwks_file", plain::<String>(), "Its path."));
    ClaimNames, "ClaimNames" => object("Which claims of an identity provider's access token say what.")
        .member("subject", plain::<String>(), "Whom its bearer speaks for here.")
        .member("email", plain::<String>(), "The address.")
        .member("groups", plain::<String>(), "A list of groups.")
        .member("roles", plain::<String>(), "A list of roles.");
    Role, "ProviderRole" => OneOfBuilder::new()
        .description(Some("What a role of an identity provider is worth here."))
        .item(one_of(["admin"]))
        .item(object("Permissions.").member("permissions", list(of::<Permission>()), "These."));
    LoginRefused, "LoginRefused" => object(
        "`login.refused.v1`: somebody whom an identity provider vouches for was not let in.",
    )
        .member("rule", one_of(LoginRefusal::ALL.map(LoginRefusal::code)).into(), "The rule that said no.")
        .member("count", super::unsigned(), "How often in a row it said so to this actor.")
        .member("since", super::events::instant(), "When it did for the first of these times.");
    PersonSeen, "PersonSeen" => object("`person.seen.v1`: an identity provider says something new of a person.")
        .member("issuer", of::<Issuer>(), "The provider.")
        .member("logged_in", super::seconds(), "When it said so: `iat` of the access token, in seconds since 1970.")
        .member("is_admin", plain::<bool>(), "Whether a role makes it an administrator.")
        .member("teams", of::<Teams>(), "The teams of its groups.")
        .member("permissions", list(of::<Permission>()), "What it may do; an administrator may do everything.")
        .optional("sub", of::<Subject>(), "Whom it speaks for here.");
}

fn by_name(worth: RefOr<Schema>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(worth)).into()
}
