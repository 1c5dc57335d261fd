//! Status lists against the published vectors, and as others read them.

use std::io::Read;

use flate2::read::ZlibDecoder;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::status_list::{ENTRIES, StatusType},
    signing::{
        Invalid,
        fixtures::{Bench, NOW, at, issuer},
    },
};

/// Section 4.2, one bit: the statuses of sixteen tokens.
const ONE_BIT: &str = "eNrbuRgAAhcBXQ";
/// Section 4.2, two bits: those of twelve.
const TWO_BITS: &str = "eNo76fITAAPfAgc";
/// Appendix C.1: a list of 2^20 entries of one bit.
const ONE_BIT_MILLION: &str = "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb";
/// Appendix C.2: a list of 2^20 entries of two bits.
const TWO_BITS_MILLION: &str = "eNrt2zENACEQAEEuoaBABP5VIO01fCjIHTMStt9ovGVIAAAAAABAbiEBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEB5WwIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAID0ugQAAAAAAAAAAAAAAAAAQG12SgAAAAAAAAAAAAAAAAAAAAAAAAAAAOCSIQEAAAAAAAAAAAAAAAAAAAAAAAD8ExIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwJEuAQAAAAAAAAAAAAAAAAAAAAAAAMB9SwIAAAAAAAAAAAAAAAAAAACoYUoAAAAAAAAAAAAAAEBqH81gAQw";

fn inflated(lst: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(&*URL_SAFE_NO_PAD.decode(lst).expect("base64url")).read_to_end(&mut bytes).expect("zlib");
    bytes
}

/// Entries of so many bits, as the draft has them: everything that is not named is nought.
fn packed(entries: usize, bits: usize, named: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = vec![0; entries * bits / 8];
    for (idx, value) in named {
        bytes[idx * bits / 8] |= value << (idx * bits % 8);
    }
    bytes
}

#[test]
fn the_published_vectors_are_what_they_say_and_come_back_after_our_compression() {
    let one = [0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345];
    let two = one.into_iter().zip([1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3]).collect::<Vec<_>>();
    let one = one.map(|idx| (idx, 1));

    for (published, bytes) in [
        (ONE_BIT, vec![0xb9, 0xa3]),
        (TWO_BITS, vec![0xc9, 0x44, 0xf9]),
        (ONE_BIT_MILLION, packed(1 << 20, 1, &one)),
        (TWO_BITS_MILLION, packed(1 << 20, 2, &two)),
    ] {
        assert!(inflated(published) == bytes, "{published}");
        let ours = URL_SAFE_NO_PAD.encode(compressed(&bytes).expect("compressed"));
        assert!(inflated(&ours) == bytes, "{ours}");
        assert!(ours.len() <= published.len() * 11 / 10 + 2, "{} for {}", ours.len(), published.len());
    }
}

fn list() -> StatusListClaims {
    let mut packed = PackedList::new(ENTRIES);
    packed.set(1993, StatusType::Suspended);
    packed.set(25_460, StatusType::Invalid);
    StatusListClaims {
        sub: "https://catalog.example.com/status-lists/1".to_owned(),
        iat: NOW,
        exp: NOW + 120,
        ttl: 60,
        status_list: StatusList::of(&packed).expect("compressed"),
    }
}

#[test]
fn a_list_is_a_jwt_of_its_own_type_with_these_claims_and_no_others() {
    let bench = Bench::get();

    for key in bench.records() {
        let token = bench.keyring.sign_status_list((&key.kid, key.alg), &list()).expect("signed");

        let parts: Vec<&str> = token.split('.').collect();
        let read = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("json")
        };
        assert_eq!(read(parts[0]), json!({ "typ": "statuslist+jwt", "alg": key.alg, "kid": key.kid }));
        let claims = read(parts[1]);
        let members: Vec<&String> = claims.as_object().expect("claims").keys().collect();
        assert_eq!(members, ["exp", "iat", "status_list", "sub", "ttl"]);
        assert_eq!(claims["status_list"]["bits"], 2);
        let bytes = inflated(claims["status_list"]["lst"].as_str().expect("lst"));
        assert!(bytes == packed(1 << 20, 2, &[(1993, 2), (25_460, 1)]), "{key:?}");
    }
}

#[test]
fn a_list_is_no_token_and_no_evidence_of_a_stolen_key_but_what_says_more_than_a_list_is() {
    let bench = Bench::get();
    let verifier = bench.verifier();
    let sign = |typ: &str, claims: &Value| {
        let header = json!({ "typ": typ, "alg": "EdDSA", "kid": bench.eddsa }).to_string();
        bench.forge(&bench.eddsa, &header, &claims.to_string())
    };
    let honest = serde_json::to_value(list()).expect("json");
    let mut more = honest.clone();
    more["aud"] = json!(["gateway"]);

    let said = verifier.verify(&sign(TYP, &honest), &issuer(), at(NOW)).map(|_| ());
    assert!(matches!(said, Err(Invalid::Claims)), "{said:?}");
    assert_eq!(verifier.signed(&sign(TYP, &honest)), None);
    for lie in [sign(TYP, &more), sign("at+jwt", &honest), sign("JWT", &honest)] {
        assert!(verifier.signed(&lie).is_some(), "{lie}");
    }
}
