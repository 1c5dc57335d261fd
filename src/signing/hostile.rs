//! Tokens that lie, each in its own way, and what verification says of each. Most are signed with a real key: what a
//! thief of the key can write is the hard case, a broken signature the easy one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::{prelude::*, sample::Index};

use super::{
    Invalid, Keyring,
    fixtures::{Bench, NOW, at, base64url, claims, header, issuer, payload, record, verify},
};
use crate::domain::{
    Authority,
    claims::{Header, TOKEN_BYTES_MAX, TYP, signing_input, signing_input_digest},
    key::{Algorithm, PublicJwk},
    text::Kid,
};

/// What is said of this header over proper claims, signed with the `EdDSA` key.
fn header_verdict(header: &str) -> Result<(), Invalid> {
    let bench = Bench::get();
    verify(&bench.forge(&bench.eddsa, header, &payload().to_string())).map(|_| ())
}

#[test]
fn a_token_of_each_algorithm_verifies_and_says_what_was_signed() {
    let bench = Bench::get();
    for key in bench.records() {
        let header = Header { typ: TYP.to_owned(), alg: key.alg, kid: key.kid.clone() };
        let input = signing_input(&header, &claims()).expect("json");
        let token = bench.keyring.sign(&key.kid, &input).expect("signed");

        let verified = verify(token.expose()).expect("sound");

        assert_eq!((&verified.claims, &verified.kid), (&claims(), &key.kid));
        assert_eq!(verified.signing_input_digest, signing_input_digest(&input));
        assert_eq!(*verified.authority(), Authority::of_token(&claims()));
        assert!(verified.is_for("gateway") && verified.is_for("other") && !verified.is_for("gate"));
    }
}

#[test]
fn a_token_has_three_parts_of_ascii_and_at_most_8192_bytes() {
    let bench = Bench::get();
    let token = bench.token(&payload().to_string());
    let (input, signature) = token.rsplit_once('.').expect("parts");
    let (header, payload) = input.split_once('.').expect("parts");
    let too_long = |bytes| Invalid::TooLong { bytes, max: TOKEN_BYTES_MAX };

    for (lie, expected) in [
        (String::new(), Invalid::Parts),
        (".".to_owned(), Invalid::Parts),
        ("..".to_owned(), Invalid::Parts),
        (header.to_owned(), Invalid::Parts),
        (input.to_owned(), Invalid::Parts),
        (format!("{input}."), Invalid::Parts),
        (format!(".{payload}.{signature}"), Invalid::Parts),
        (format!("{header}..{signature}"), Invalid::Parts),
        (format!("{token}."), Invalid::Parts),
        (format!(".{token}"), Invalid::Parts),
        (format!("{token}.{signature}"), Invalid::Parts),
        (format!("{token}.{payload}.{signature}"), Invalid::Parts),
        (format!("{token}é"), Invalid::NotAscii),
        (token.replacen('.', "\u{FF0E}", 1), Invalid::NotAscii),
        ("A".repeat(TOKEN_BYTES_MAX), Invalid::Parts),
        ("A".repeat(TOKEN_BYTES_MAX + 1), too_long(TOKEN_BYTES_MAX + 1)),
        ("é".repeat(TOKEN_BYTES_MAX), too_long(2 * TOKEN_BYTES_MAX)),
    ] {
        assert_eq!(verify(&lie), Err(expected), "{lie}");
    }
}

#[test]
fn the_longest_token_is_taken_and_the_next_is_not() {
    let bench = Bench::get();
    let padded = |head: usize, body: usize| {
        let header = header("EdDSA", &bench.eddsa) + &" ".repeat(head);
        bench.forge(&bench.eddsa, &header, &(payload().to_string() + &" ".repeat(body)))
    };
    let of_length = |length: usize| {
        let candidates = (0..3).flat_map(|head| (4_500..5_600).map(move |body| (head, body)));
        let base = padded(0, 0).len();
        let fits = |(head, body): &(usize, usize)| base + (head + body) * 4 / 3 + 4 > length;
        candidates.filter(fits).map(|(head, body)| padded(head, body)).find(|token| token.len() == length)
    };

    assert!(verify(&of_length(TOKEN_BYTES_MAX).expect("a token")).is_ok());
    let longer = of_length(TOKEN_BYTES_MAX + 1).expect("a token");
    assert_eq!(verify(&longer), Err(Invalid::TooLong { bytes: 8_193, max: 8_192 }));
}

#[test]
fn a_header_that_names_no_key_of_ours_is_foreign() {
    let bench = Bench::get();
    let ours = &bench.eddsa;

    for lie in [
        r#"{"typ":"JWT","alg":"HS256"}"#.to_owned(),
        r#"{"typ":"at+jwt","alg":"none"}"#.to_owned(),
        header("EdDSA", &Kid::parse("elsewhere").expect("a kid")),
        header("EdDSA", &Kid::parse("x".repeat(128)).expect("a kid")),
        header("EdDSA", ours).replace(ours.as_str(), &"x".repeat(5_000)),
        header("EdDSA", ours).replace(ours.as_str(), "../../../../etc/passwd"),
        header("EdDSA", ours).replace(ours.as_str(), "/dev/null"),
        header("EdDSA", ours).replace(ours.as_str(), "' or 1=1 --"),
        header("EdDSA", ours).replace(ours.as_str(), "x'; drop table tokens; --"),
        header("EdDSA", ours).replace(ours.as_str(), ""),
        header("EdDSA", ours).replace(ours.as_str(), &format!("{ours} ")),
        header("EdDSA", ours).replace(ours.as_str(), &format!("{ours}\\u0000")),
        header("EdDSA", ours).replace(ours.as_str(), &ours.as_str().to_lowercase()),
        header("EdDSA", ours).replace(&format!("\"{ours}\""), "null"),
        header("EdDSA", ours).replace(&format!("\"{ours}\""), "1"),
        header("EdDSA", ours).replace(&format!("\"{ours}\""), &format!("[\"{ours}\"]")),
        header("EdDSA", ours).replace("kid", "Kid"),
        r#"{"typ":"at+jwt","alg":"HS256","jku":"https://evil.example/jwks.json","kid":"evil"}"#.to_owned(),
        format!(r#"["at+jwt","EdDSA","{ours}"]"#),
        format!("{{\"typ\":\"at+jwt\",\"alg\":\"EdDSA\",\"kid\":\"{ours}\"}} x"),
        format!("\u{feff}{}", header("EdDSA", ours)),
        "[".repeat(3_000),
        r#"{"a":"#.repeat(500),
        "null".to_owned(),
        "\"\"".to_owned(),
        "not json".to_owned(),
    ] {
        assert_eq!(header_verdict(&lie), Err(Invalid::Foreign), "{lie}");
    }
}

#[test]
fn rfc_8725_section_3_10_a_header_with_anything_but_typ_alg_and_kid_is_not_ours() {
    let bench = Bench::get();
    let ours = header("EdDSA", &bench.eddsa);
    let extra = |member: &str| ours.replace('}', &format!(",{member}}}"));
    let alg = |alg: &str| ours.replace("\"EdDSA\"", alg);

    for lie in [
        extra(r#""jku":"https://evil.example/jwks.json""#),
        extra(r#""x5u":"https://evil.example/cert.pem""#),
        extra(r#""x5c":["MIIB"]"#),
        extra(r#""jwk":{"kty":"oct","k":"AAAA"}"#),
        extra(r#""crit":["exp"]"#),
        extra(r#""crit":[]"#),
        extra(r#""b64":false,"crit":["b64"]"#),
        extra(r#""cty":"JWT""#),
        extra(r#""zip":"DEF""#),
        extra(r#""enc":"A256GCM""#),
        extra(r#""":"""#),
        extra(r#""alg":"EdDSA""#),
        extra(r#""typ":"at+jwt""#),
        extra(&format!(r#""kid":"{}""#, bench.eddsa)),
        extra(r#""\u0061lg":"none""#),
        alg(r#""none""#),
        alg(r#""None""#),
        alg(r#""NONE""#),
        alg(r#""nOnE""#),
        alg(r#""""#),
        alg(r#""eddsa""#),
        alg(r#""HS512""#),
        alg(r#""PS256""#),
        alg(r#""ES256K""#),
        alg(r#""Ed25519""#),
        alg(r#""EdDSA ""#),
        alg("null"),
        alg("0"),
        alg(r#"["EdDSA"]"#),
        alg(r#"{"EdDSA":null}"#),
        ours.replace(r#""typ":"at+jwt","#, ""),
        ours.replace(r#""alg":"EdDSA","#, ""),
        ours.replace(r#""at+jwt""#, "null"),
        ours.replace(r#""at+jwt""#, r#"["at+jwt"]"#),
    ] {
        assert_eq!(header_verdict(&lie), Err(Invalid::Header), "{lie}");
    }
}

#[test]
fn order_and_white_space_of_a_header_are_free() {
    let kid = &Bench::get().eddsa;

    assert_eq!(header_verdict(&format!("\n{{ \"kid\":\"{kid}\", \"alg\":\"EdDSA\",\t\"typ\":\"at+jwt\" }} ")), Ok(()));
}

#[test]
fn rfc_8725_section_3_1_a_key_verifies_with_its_one_algorithm() {
    let bench = Bench::get();
    for own in bench.records() {
        for said in Algorithm::ALL.into_iter().filter(|said| *said != own.alg) {
            let token = bench.forge(&own.kid, &header(said.as_str(), &own.kid), &payload().to_string());

            assert_eq!(verify(&token), Err(Invalid::Algorithm { said, own: own.alg }));
        }
    }
}

#[test]
fn rfc_8725_section_2_1_a_public_key_is_no_shared_secret() {
    let bench = Bench::get();
    for key in bench.records().into_iter().filter(|key| key.alg != Algorithm::Hs256) {
        let jwk = key.jwk.clone().expect("a public half");
        let secrets = match &jwk {
            PublicJwk::Okp { x, .. } | PublicJwk::Ec { x, .. } => x.clone(),
            PublicJwk::Rsa { n, .. } => n.clone(),
        };
        for secret in [serde_json::to_vec(&jwk).expect("json"), URL_SAFE_NO_PAD.decode(&secrets).expect("bytes")] {
            let input = format!("{}.{}", base64url(header("HS256", &key.kid)), base64url(payload().to_string()));
            let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
            let token = format!("{input}.{}", base64url(aws_lc_rs::hmac::sign(&secret, input.as_bytes())));

            let expected = Invalid::Algorithm { said: Algorithm::Hs256, own: key.alg };
            assert_eq!(verify(&token), Err(expected));
        }
    }
}

#[test]
fn another_key_under_our_name_does_not_verify() {
    let bench = Bench::get();
    let home = tempfile::tempdir().expect("a directory");
    let mut thief = Keyring::open(&home.path().join("keys")).expect("a keyring");
    for (alg, kid) in [(Algorithm::EdDsa, &bench.eddsa), (Algorithm::Es256, &bench.es256)] {
        let own = thief.ensure_generated(alg).expect("a key");
        let input = format!("{}.{}", base64url(header(alg.as_str(), kid)), base64url(payload().to_string()));
        let token = format!("{input}.{}", base64url(thief.sign_anything(&own, &input)));

        assert_eq!(verify(&token), Err(Invalid::Signature));
    }
}

#[test]
fn a_shared_secret_that_is_not_here_is_not_a_no() {
    let bench = Bench::get();
    let home = tempfile::tempdir().expect("a directory");
    let elsewhere = Keyring::open(&home.path().join("keys")).expect("a keyring");
    let verifier = elsewhere.verifier(&[record(&bench.keyring, &bench.hs256)]).expect("a verifier");
    let token = bench.forge(&bench.hs256, &header("HS256", &bench.hs256), &payload().to_string());

    let verdict = verifier.verify(&token, &issuer(), at(NOW));

    assert_eq!(verdict, Err(Invalid::SecretMissing { kid: bench.hs256.clone() }));
}

#[test]
fn signatures_of_another_length_or_form_do_not_verify() {
    let bench = Bench::get();
    for key in bench.records() {
        let token = bench.forge(&key.kid, &header(key.alg.as_str(), &key.kid), &payload().to_string());
        let (input, signature) = token.rsplit_once('.').expect("parts");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("bytes");
        let zeros = vec![0; signature.len()];
        let halves = signature.split_at(signature.len() / 2);

        for lie in [
            signature[..signature.len() - 1].to_vec(),
            signature[1..].to_vec(),
            signature[..1].to_vec(),
            signature[..16].to_vec(),
            [signature.as_slice(), &[0]].concat(),
            [&[0], signature.as_slice()].concat(),
            [signature.as_slice(), &signature].concat(),
            [halves.1, halves.0].concat(),
            [halves.0, &zeros[halves.0.len()..]].concat(),
            zeros.clone(),
            [0xff].repeat(signature.len()),
            der(halves.0, halves.1),
        ] {
            assert_eq!(
                verify(&format!("{input}.{}", base64url(&lie))),
                Err(Invalid::Signature),
                "{}: {lie:x?}",
                key.alg
            );
        }
    }
}

#[test]
fn an_eddsa_signature_cannot_be_restated() {
    // The order of the group, little-endian: s + L is congruent to s, and RFC 8032 section 5.1.7 refuses it.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").expect("hex");
    let token = Bench::get().token(&payload().to_string());
    let (input, signature) = token.rsplit_once('.').expect("parts");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("bytes");

    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }

    assert_eq!(verify(&format!("{input}.{}", base64url(signature))), Err(Invalid::Signature));
}

#[test]
fn a_restated_es256_signature_has_the_digest_of_the_same_token() {
    let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").expect("hex");
    let bench = Bench::get();
    let token = bench.forge(&bench.es256, &header("ES256", &bench.es256), &payload().to_string());
    let (input, signature) = token.rsplit_once('.').expect("parts");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("bytes");

    let mut borrow = 0;
    for (byte, order) in signature[32..].iter_mut().zip(order).rev() {
        let difference = i16::from(order) - i16::from(*byte) - borrow;
        *byte = difference.to_le_bytes()[0];
        borrow = i16::from(difference < 0);
    }
    let restated = format!("{input}.{}", base64url(signature));

    assert_ne!(restated, token);
    assert_eq!(verify(&restated), verify(&token));
}

/// Two integers as ASN.1 DER, the form that RFC 7518 section 3.4 does not allow.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let sign: &[u8] = if bytes[0] > 0x7f { &[0] } else { &[] };
        [&[2, u8::try_from(bytes.len() + sign.len()).unwrap_or_default()], sign, bytes].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap_or_default()], body.as_slice()].concat()
}

/// The same bytes with bits set that nobody reads, where there are such bits.
fn with_loose_bits(part: &str) -> Option<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (body, last) = part.split_at(part.len() - 1);
    let index = ALPHABET.iter().position(|symbol| last.as_bytes() == [*symbol])?;
    (!part.len().is_multiple_of(4)).then(|| format!("{body}{}", char::from(ALPHABET[index | 1])))
}

#[test]
fn each_part_has_one_spelling() {
    let bench = Bench::get();
    let (header_json, payload_json) = (header("EdDSA", &bench.eddsa), payload().to_string());
    // White space until there are bits that nobody reads.
    let loose = |json: &str| (0..3).find_map(|n| with_loose_bits(&base64url(json.to_owned() + &" ".repeat(n))));
    let (head, body) = (base64url(&header_json), base64url(&payload_json));
    let misspelt = |part: &str| {
        let mut middle = part.to_owned();
        middle.insert(part.len() / 2, '\n');
        vec![
            format!("{part}="),
            format!("{part}=="),
            format!(" {part}"),
            format!("{part} "),
            format!("{part}\n"),
            format!("{part}\0"),
            middle,
            format!("+{}", &part[1..]),
            format!("/{}", &part[1..]),
            format!("%{}", &part[1..]),
        ]
    };

    for lie in misspelt(&head).into_iter().chain(loose(&header_json)) {
        assert_eq!(verify(&bench.seal(&bench.eddsa, &format!("{lie}.{body}"))), Err(Invalid::Foreign), "{lie}");
    }
    for lie in misspelt(&body).into_iter().chain(loose(&payload_json)) {
        assert_eq!(verify(&bench.seal(&bench.eddsa, &format!("{head}.{lie}"))), Err(Invalid::Claims), "{lie}");
    }
    let sealed = bench.token(&payload_json);
    let (input, signature) = sealed.rsplit_once('.').expect("parts");
    let loose_signature = with_loose_bits(signature).expect("64 bytes leave four bits");
    for lie in misspelt(signature).into_iter().chain([loose_signature]) {
        assert_eq!(verify(&format!("{input}.{lie}")), Err(Invalid::SignatureEncoding), "{lie}");
    }
}

#[test]
fn rfc_9068_section_4_the_type_is_that_of_an_access_token_in_any_case() {
    let typ = |typ: &str| header_verdict(&header("EdDSA", &Bench::get().eddsa).replace("at+jwt", typ));

    for good in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert_eq!(typ(good), Ok(()), "{good}");
    }
    for bad in [
        "",
        "JWT",
        "jwt",
        "at",
        "at+jwt ",
        " at+jwt",
        "at+jwt;v=1",
        "application/jwt",
        "dpop+jwt",
        "statuslist+jwt",
        "application/application/at+jwt",
        "token-introspection+jwt",
        "\u{212a}at+jwt",
    ] {
        assert_eq!(typ(bad), Err(Invalid::Typ), "{bad}");
    }
}

fn one_of_each() -> Vec<String> {
    let bench = Bench::get();
    let forge = |key: crate::domain::key::KeyRecord| {
        bench.forge(&key.kid, &header(key.alg.as_str(), &key.kid), &payload().to_string())
    };
    bench.records().into_iter().map(forge).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn changing_any_byte_of_a_token_kills_it(which in 0_usize..4, place in any::<Index>(), byte in 0_u8..128) {
        let mut bytes = one_of_each().swap_remove(which).into_bytes();
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != byte);
        bytes[place] = byte;

        prop_assert!(verify(&String::from_utf8_lossy(&bytes)).is_err());
    }

    #[test]
    fn cutting_or_mixing_tokens_kills_them(which in 0_usize..4, other in 0_usize..4, cut in any::<Index>()) {
        let tokens = one_of_each();
        let place = cut.index(tokens[which].len());
        let (start, _) = tokens[which].split_at(place);
        let end = tokens[other].get(place..).unwrap_or_default();
        let mixed = format!("{start}{end}");
        prop_assume!(which != other && !tokens.contains(&mixed));

        prop_assert!(verify(start).is_err());
        prop_assert!(verify(&mixed).is_err());
    }

    #[test]
    fn no_text_is_a_token(text in "\\PC{0,200}", parts in "[A-Za-z0-9_-]{0,80}(\\.[A-Za-z0-9_-]{0,80}){2}") {
        prop_assert!(verify(&text).is_err());
        prop_assert!(verify(&parts).is_err());
    }
}
