//! Signatures that are none, are another's, or are spelled as ours never are; and texts that are no token at all.

use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaKeyPair};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    forger::{Forger, Key, base64url, rsa},
    stage::Lie,
};

/// The order of P-256, big-endian.
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The order of Ed25519's group, little-endian.
const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
/// The points of small order on Ed25519, in every spelling.
const ED25519_SMALL: &[&str] = &[
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

/// Signatures over good parts. `others` are the log's other keys.
pub fn lies<'a>(forger: &Forger, others: impl Iterator<Item = &'a Forger>, payload: impl Fn() -> String) -> Vec<Lie> {
    let input = || format!("{}.{}", base64url(forger.header()), base64url(payload()));
    let mut lies = Vec::new();
    let mut put = |what: &str, input: String, signature: &[u8]| {
        let token = format!("{input}.{}", base64url(signature));
        lies.push(Lie::noise(format!("{} signature: {what}", forger.alg), token));
    };
    for other in others {
        let input = input();
        put(&format!("by the key for {}", other.alg), input.clone(), &other.sign(input.as_bytes()));
    }
    put("of another token", input(), &forger.sign(input().as_bytes()));
    let short = input();
    put("of the claims alone", short.clone(), &forger.sign(short.split('.').next_back().unwrap().as_bytes()));
    for (what, change) in changes() {
        let input = input();
        put(what, input.clone(), &change(&forger.sign(input.as_bytes())));
    }
    for (what, signature) in of_its_algorithm(forger) {
        let input = input();
        put(&what, input.clone(), &signature(input.as_bytes()));
    }
    lies.extend(spellings(forger, &input));
    lies
}

type Change = fn(&[u8]) -> Vec<u8>;

/// What can be done to any signature.
fn changes() -> Vec<(&'static str, Change)> {
    vec![
        ("one byte less", |signature| signature[..signature.len() - 1].to_vec()),
        ("without the first byte", |signature| signature[1..].to_vec()),
        ("one byte more", |signature| [signature, &[0]].concat()),
        ("one byte before", |signature| [&[0], signature].concat()),
        ("twice", |signature| [signature, signature].concat()),
        ("half", |signature| signature[..signature.len() / 2].to_vec()),
        ("16 bytes", |signature| signature[..16].to_vec()),
        ("1 byte", |signature| signature[..1].to_vec()),
        ("zeros", |signature| vec![0; signature.len()]),
        ("ones", |signature| vec![0xff; signature.len()]),
        ("reversed", |signature| signature.iter().rev().copied().collect()),
        ("halves swapped", |signature| {
            let (first, second) = signature.split_at(signature.len() / 2);
            [second, first].concat()
        }),
        ("one bit", |signature| {
            let mut changed = signature.to_vec();
            changed[0] ^= 1;
            changed
        }),
        ("the last bit", |signature| {
            let mut changed = signature.to_vec();
            *changed.last_mut().unwrap() ^= 0x80;
            changed
        }),
        ("as hex", |signature| hex::encode(signature).into_bytes()),
        ("as base64", |signature| STANDARD.encode(signature).into_bytes()),
    ]
}

type Attempt<'a> = Box<dyn Fn(&[u8]) -> Vec<u8> + 'a>;

fn of_its_algorithm(forger: &Forger) -> Vec<(String, Attempt<'_>)> {
    match &forger.key {
        Key::EdDsa(_) => of_eddsa(forger),
        Key::Es256(_) => of_es256(forger),
        Key::Rs256(key) => of_rs256(key),
        Key::Hs256(_) => Vec::new(),
    }
}

fn of_eddsa(forger: &Forger) -> Vec<(String, Attempt<'_>)> {
    let mut attempts: Vec<(String, Attempt<'_>)> = Vec::new();
    for small in ED25519_SMALL {
        for (name, s) in [("0", "00".repeat(32)), ("the order", ED25519_ORDER.to_owned())] {
            let signature = hex::decode(format!("{small}{s}")).unwrap();
            attempts.push((format!("R of small order {small}, s = {name}"), Box::new(move |_| signature.clone())));
        }
    }
    attempts.push((
        "s + the order".to_owned(),
        Box::new(|message| {
            let signature = forger.sign(message);
            let s = plus(&signature[32..], &hex::decode(ED25519_ORDER).unwrap());
            [&signature[..32], &s].concat()
        }),
    ));
    attempts
}

fn of_es256(forger: &Forger) -> Vec<(String, Attempt<'_>)> {
    let number = |hex: &str| hex::decode(format!("{hex:0>64}")).unwrap();
    let order = number(P256_ORDER);
    let mut more = order.clone();
    more[31] += 1;
    let edges = [("0", number("0")), ("1", number("1")), ("n", order), ("n + 1", more), ("2^256 - 1", vec![0xff; 32])];
    let mut attempts: Vec<(String, Attempt<'_>)> = Vec::new();
    for (r_name, r) in &edges {
        for (s_name, s) in &edges {
            let signature = [r.as_slice(), s].concat();
            attempts.push((format!("r = {r_name}, s = {s_name}"), Box::new(move |_| signature.clone())));
        }
    }
    for (name, edge) in edges {
        let other = edge.clone();
        attempts.push((format!("r = {name}"), Box::new(move |m| [&edge, &forger.sign(m)[32..]].concat())));
        attempts.push((format!("s = {name}"), Box::new(move |m| [&forger.sign(m)[..32], &other].concat())));
    }
    attempts.push(("DER".to_owned(), Box::new(|message| der(&forger.sign(message), &[]))));
    attempts.push(("DER with a tail".to_owned(), Box::new(|message| der(&forger.sign(message), &[0, 0]))));
    attempts
}

fn of_rs256(key: &RsaKeyPair) -> Vec<(String, Attempt<'_>)> {
    let bytes = key.public_modulus_len();
    let small = move |value: u8| {
        let mut number = vec![0; bytes];
        number[bytes - 1] = value;
        number
    };
    let modulus: Vec<u8> = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let mut below = modulus.clone();
    below[bytes - 1] -= 1;
    // What a signature by exponent 1 would be: the padding itself, and the same with garbage behind the hash.
    let mut padded = vec![0xff; bytes];
    (padded[0], padded[1], padded[bytes - 52]) = (0, 1, 0);
    let mut short = vec![0; bytes];
    (short[1], short[2], short[3]) = (1, 0xff, 0);
    vec![
        ("1".to_owned(), Box::new(move |_| small(1))),
        ("2".to_owned(), Box::new(move |_| small(2))),
        ("the modulus".to_owned(), Box::new(move |_| modulus.clone())),
        ("the modulus - 1".to_owned(), Box::new(move |_| below.clone())),
        ("padding unsigned".to_owned(), Box::new(move |_| padded.clone())),
        ("short padding, garbage behind".to_owned(), Box::new(move |_| short.clone())),
        ("PSS".to_owned(), Box::new(|message| rsa(key, &RSA_PSS_SHA256, message))),
        ("SHA-384".to_owned(), Box::new(|message| rsa(key, &RSA_PKCS1_SHA384, message))),
        ("SHA-512".to_owned(), Box::new(|message| rsa(key, &RSA_PKCS1_SHA512, message))),
    ]
}

/// Little-endian.
fn plus(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let digit = |(left, right): (&u8, &u8)| {
        let sum = u16::from(*left) + u16::from(*right) + carry;
        carry = sum >> 8;
        sum.to_le_bytes()[0]
    };
    left.iter().zip(right).map(digit).collect()
}

/// Both halves as ASN.1 DER, the form that RFC 7518 section 3.4 does not allow.
fn der(signature: &[u8], tail: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let sign: &[u8] = if bytes[0] > 0x7f { &[0] } else { &[] };
        [&[2, u8::try_from(bytes.len() + sign.len()).unwrap()], sign, bytes].concat()
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice(), tail].concat()
}

/// The same bytes in spellings of base64 that are not the one of RFC 7515. A payload's spelling is under the signature.
fn spellings(forger: &Forger, input: &impl Fn() -> String) -> Vec<Lie> {
    let mut lies = Vec::new();
    for spelling in 0..misspelt("AAAA").len() {
        let good = input();
        let (header, payload) = good.split_once('.').unwrap();
        let (bad_header, how) = misspelt(header).swap_remove(spelling);
        let (bad_payload, _) = misspelt(payload).swap_remove(spelling);
        let (bad_signature, _) = misspelt(&base64url(forger.sign(good.as_bytes()))).swap_remove(spelling);
        let of = |what: &str| format!("{} {what}: {how}", forger.alg);
        lies.push(Lie::noise(of("header"), forger.seal(&format!("{bad_header}.{payload}"))));
        lies.push(Lie::evidence(of("claims"), forger.seal(&format!("{header}.{bad_payload}"))));
        lies.push(Lie::noise(of("signature"), format!("{good}.{bad_signature}")));
    }
    lies
}

fn misspelt(part: &str) -> Vec<(String, &'static str)> {
    let inside = |character: char| {
        let (start, end) = part.split_at(part.len() / 2);
        format!("{start}{character}{end}")
    };
    vec![
        (format!("{part}="), "padded"),
        (format!("{part}=="), "padded twice"),
        (format!("+{}", &part[1..]), "the other alphabet: +"),
        (format!("/{}", &part[1..]), "the other alphabet: /"),
        (format!("%41{}", &part[1..]), "percent"),
        (format!("\t{part}"), "a tab before"),
        (inside('\n'), "a newline inside"),
        (inside(' '), "a space inside"),
        (inside('\0'), "a NUL inside"),
        (inside('\r'), "a return inside"),
        (format!("{part}A"), "a letter more"),
    ]
}

/// Texts that have not the form of a token.
pub fn no_tokens(forger: &Forger, payload: impl Fn() -> String) -> Vec<Lie> {
    let token = forger.token(&forger.header(), &payload());
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = input.split_once('.').unwrap();
    let encrypted = base64url(json!({"alg": "dir", "enc": "A256GCM", "kid": forger.kid, "typ": "at+jwt"}).to_string());
    let general = json!({"payload": claims, "signatures": [{"protected": header, "signature": signature}]});
    [
        ("a dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("three dots", "...".to_owned()),
        ("a word", "nonsense".to_owned()),
        ("a header alone", header.to_owned()),
        ("no signature", input.to_owned()),
        ("an empty signature", format!("{input}.")),
        ("an empty header", format!(".{claims}.{signature}")),
        ("detached claims", format!("{header}..{signature}")),
        ("a dot behind", format!("{token}.")),
        ("a dot before", format!(".{token}")),
        ("four parts", format!("{token}.{signature}")),
        ("encrypted", format!("{encrypted}..AAAAAAAAAAAAAAAA.{claims}.AAAAAAAAAAAAAAAAAAAAAA")),
        ("five parts", format!("{token}.{claims}.{signature}")),
        ("JSON", json!({"protected": header, "payload": claims, "signature": signature}).to_string()),
        ("general JSON", general.to_string()),
        ("a list of tokens", json!([token]).to_string()),
        ("quoted", format!("\"{token}\"")),
        ("two tokens", format!("{token},{token}")),
        ("a newline behind", format!("{token}\n")),
        ("a NUL behind", format!("{token}\0")),
        ("beyond ASCII", format!("{token}é")),
        ("wide dots", token.replace('.', "\u{ff0e}")),
        ("the right length in letters", "A".repeat(8_192)),
        ("dots", ".".repeat(8_192)),
    ]
    .into_iter()
    .map(|(what, token)| Lie::noise(format!("no token: {what}"), token))
    .collect()
}
