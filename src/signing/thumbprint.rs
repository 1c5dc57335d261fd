//! The name of a key: the RFC 7638 thumbprint of its public half.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::{Malformed, key::PublicJwk, text::Kid};

/// SHA-256 over the required members in lexicographic order (RFC 7638 section 3, RFC 8037 section 2), base64url.
///
/// # Errors
/// Never: 43 characters of base64url keep the rules of a [`Kid`]. The parser's error is passed on rather than hidden.
pub fn thumbprint(jwk: &PublicJwk) -> Result<Kid, Malformed> {
    Kid::parse(URL_SAFE_NO_PAD.encode(Sha256::digest(required_members(jwk))))
}

fn required_members(jwk: &PublicJwk) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    match jwk {
        PublicJwk::Okp { crv, x } => format!(r#"{{"crv":{},"kty":"OKP","x":{}}}"#, quoted(crv), quoted(x)),
        PublicJwk::Ec { crv, x, y } => {
            format!(r#"{{"crv":{},"kty":"EC","x":{},"y":{}}}"#, quoted(crv), quoted(x), quoted(y))
        }
        PublicJwk::Rsa { n, e } => format!(r#"{{"e":{},"kty":"RSA","n":{}}}"#, quoted(e), quoted(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> String {
        thumbprint(&serde_json::from_str(json).expect("a public key")).expect("a kid").as_str().to_owned()
    }

    #[test]
    fn rfc_7638_section_3_1_the_rsa_example_has_the_thumbprint_printed_there() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc\
                 _BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQ\
                 R0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF\
                 TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

        assert_eq!(
            of(&format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#)),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn rfc_7638_section_3_members_are_hashed_in_their_order_whatever_the_order_and_space_of_the_key() {
        // The EC key of RFC 7517 appendix A.1; the thumbprint is what sha256sum says of its required members.
        let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");

        for json in [
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#),
            format!(r#"{{ "y": "{y}", "x": "{x}", "kty": "EC", "crv": "P-256" }}"#),
        ] {
            assert_eq!(of(&json), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s", "{json}");
        }
    }

    #[test]
    fn rfc_8037_appendix_a_3_the_ed25519_example_has_the_thumbprint_printed_there() {
        let json = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

        assert_eq!(of(json), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
