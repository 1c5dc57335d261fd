//! Identity providers, as a policy in the log names them.

use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, OneOfBuilder, Schema, Type},
};

use super::{described, list, object, of, one_of, plain};
use crate::domain::{
    text::{Audience, Issuer, Permission, TeamId},
    trusted_issuer::{ClaimNames, KeySource, Role, TrustedIssuer},
};

described! {
    TrustedIssuer, "TrustedIssuer" => object("An identity provider whose access tokens are taken.")
        .member("issuer", of::<Issuer>(), "`iss` of its tokens.")
        .member("keys", of::<KeySource>(), "Where its keys are.")
        .member("audience", of::<Audience>(), "What `aud` of its tokens has to name.")
        .member("email_domains", list(plain::<String>()), "The domains of the addresses that it speaks for.")
        .optional("claims", of::<ClaimNames>(), "Which claims say what; absent = `email`, `email`, `groups` and `roles`.")
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
}

fn by_name(worth: RefOr<Schema>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(worth)).into()
}
