//! Public keys, in the log and as they are published.

use utoipa::openapi::{
    RefOr,
    schema::{OneOfBuilder, Schema},
};

use super::{Form, described, list, object, of, one_of, plain};
use crate::{
    domain::{
        key::{Algorithm, PublicJwk},
        text::Kid,
    },
    signing::{Jwk, Jwks},
};

described! {
    PublicJwk, "PublicJwk" => each_kind("The public half of a key (RFC 7517).", |key| key);
    Jwk, "Jwk" => each_kind("One public key of the set (RFC 7517).", |key| {
        key.member("use", one_of(["sig"]).into(), "Always `sig`.")
            .member("alg", of::<Algorithm>(), "The one algorithm that it is used with.")
            .member("kid", of::<Kid>(), "Its name, as in the header of its tokens.")
    });
    Jwks, "Jwks" => object("The public keys (RFC 7517 section 5). A shared secret is not among them.")
        .member("keys", list(of::<Jwk>()), "The keys, in the order in which they were added.");
}

fn each_kind(description: &'static str, more: impl Fn(Form) -> Form) -> RefOr<Schema> {
    let base64url = plain::<String>;
    let kinds = [
        object("RFC 8037 section 2.").fixed("kty", "OKP").fixed("crv", "Ed25519").member(
            "x",
            base64url(),
            "The public key, base64url.",
        ),
        object("RFC 7518 section 6.2.1.")
            .fixed("kty", "EC")
            .fixed("crv", "P-256")
            .member("x", base64url(), "The x coordinate, base64url.")
            .member("y", base64url(), "The y coordinate, base64url."),
        object("RFC 7518 section 6.3.1.")
            .fixed("kty", "RSA")
            .member("n", base64url(), "The modulus, base64url.")
            .member("e", base64url(), "The exponent, base64url."),
    ];
    let any = kinds.into_iter().fold(OneOfBuilder::new(), |any, kind| any.item(more(kind)));
    any.description(Some(description)).into()
}
