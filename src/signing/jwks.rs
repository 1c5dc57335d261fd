//! The public keys as a JWK Set (RFC 7517 section 5).

use serde::Serialize;

use crate::domain::{
    key::{Algorithm, KeyRecord, PublicJwk},
    text::Kid,
};

/// A JWK Set, `application/jwk-set+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys, in the order of the records.
    pub keys: Vec<Jwk>,
}

/// One public key of the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// `kty` and the public members.
    #[serde(flatten)]
    pub public: PublicJwk,
    /// Always `sig`, RFC 7517 section 4.2.
    #[serde(rename = "use")]
    pub public_key_use: &'static str,
    /// The one algorithm that the key is used with.
    pub alg: Algorithm,
    /// The key's name, as in the header of its tokens.
    pub kid: Kid,
}

/// The set that publishes these keys. A shared secret has no public half and is not in it.
#[must_use]
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a KeyRecord>) -> Jwks {
    Jwks { keys: keys.into_iter().filter(|key| key.alg != Algorithm::Hs256).filter_map(published).collect() }
}

fn published(key: &KeyRecord) -> Option<Jwk> {
    let public = key.jwk.clone()?;
    Some(Jwk { public, public_key_use: "sig", alg: key.alg, kid: key.kid.clone() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::signing::fixtures::{Bench, header, payload, record};

    #[test]
    fn every_key_pair_is_published_with_its_public_members_only() {
        let bench = Bench::get();

        let set = serde_json::to_value(jwks(&bench.records())).expect("json");

        let members = |index: usize| -> BTreeSet<&str> {
            set["keys"][index].as_object().expect("a key").keys().map(String::as_str).collect()
        };
        assert_eq!(set.as_object().map(serde_json::Map::len), Some(1));
        assert_eq!(set["keys"].as_array().map(Vec::len), Some(3));
        assert_eq!(members(0), BTreeSet::from(["kty", "crv", "x", "use", "alg", "kid"]));
        assert_eq!(members(1), BTreeSet::from(["kty", "crv", "x", "y", "use", "alg", "kid"]));
        assert_eq!(members(2), BTreeSet::from(["kty", "n", "e", "use", "alg", "kid"]));
        assert_eq!((&set["keys"][0]["kty"], &set["keys"][0]["use"]), (&"OKP".into(), &"sig".into()));
        assert_eq!(set["keys"][2]["alg"], "RS256");
    }

    #[test]
    fn another_library_verifies_our_tokens_with_the_published_keys() {
        let bench = Bench::get();
        let records = bench.records();
        let json = serde_json::to_string(&jwks(&records)).expect("json");
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&json).expect("a set");

        for key in records.iter().filter(|key| key.jwk.is_some()) {
            let token = bench.forge(&key.kid, &header(key.alg.as_str(), &key.kid), &payload().to_string());
            let theirs =
                jsonwebtoken::DecodingKey::from_jwk(set.find(key.kid.as_str()).expect("a key")).expect("usable");
            let mut rules = jsonwebtoken::Validation::new(key.alg.as_str().parse().expect("an algorithm"));
            rules.set_audience(&["gateway"]);
            rules.validate_exp = false;

            let read = jsonwebtoken::decode::<serde_json::Value>(&token, &theirs, &rules).expect("verified");

            assert_eq!(read.claims, payload());
        }
    }

    #[test]
    fn a_shared_secret_never_appears_not_even_with_a_public_half() {
        let bench = Bench::get();
        let mut secret = record(&bench.keyring, &bench.hs256);
        secret.jwk = Some(PublicJwk::Okp { crv: "Ed25519".to_owned(), x: "c2VjcmV0".to_owned() });

        assert_eq!(serde_json::to_string(&jwks([&secret])).expect("json"), r#"{"keys":[]}"#);
    }
}
