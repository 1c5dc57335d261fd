//! The stored form of every kind of event, byte for byte, so that none changes unnoticed.

use catalog::{
    domain::{
        Actor, Event, Occurrence, Origin, Path, Position, TokenIssued, TokenRevoked,
        claims::Teams,
        event::{Configured, Elevation, KeyActivated, KeyAdded},
        key::{Algorithm, PublicJwk},
        origin::OsUser,
        policy::Policy,
        revoke::RevocationReason,
        text::{Name, Note, RequestId},
    },
    store::{chain, codec},
};
use uuid::Uuid;

fn at_a_shell(event: Event) -> Occurrence {
    let user = OsUser {
        name: Some("root".to_owned()),
        uid: Some(0),
        login: Some("alice".to_owned()),
        sudo_user: Some("alice".to_owned()),
        host: Some("workstation".to_owned()),
    };
    let actor = Actor::OsUser(user);
    let request_id = RequestId::parse("r-1").unwrap();
    let origin = Origin { path: Path::CliDev, actor, request_id, address: None, user_agent: None };
    Occurrence { event, occurred_at: "2026-03-01T12:00:00.000001Z".parse().unwrap(), origin }
}

fn over_http(event: Event) -> Occurrence {
    let actor = Actor::Token { jti: Uuid::from_u128(7), sub: Some("root@localhost".to_owned()) };
    let origin = Origin {
        path: Path::Api,
        actor,
        request_id: RequestId::parse("r-2").unwrap(),
        address: Some("192.0.2.1".parse().unwrap()),
        user_agent: Some("curl/8".to_owned()),
    };
    Occurrence { event, occurred_at: "2026-03-01T12:00:00Z".parse().unwrap(), origin }
}

fn sample_issuance() -> TokenIssued {
    TokenIssued {
        jti: Uuid::from_u128(1),
        iat: 1_772_366_400,
        exp: 1_772_370_000,
        kid: "k1".parse().unwrap(),
        alg: Algorithm::EdDsa,
        aud: vec!["gateway".parse().unwrap()],
        is_admin: true,
        teams: Teams::Every,
        permissions: vec!["tools.read".parse().unwrap()],
        out_of_band: true,
        elevated: vec![Elevation::Admin, Elevation::Teams, Elevation::Permissions],
        policy_version: 1,
        name: Some(Name::parse("ci").unwrap()),
        description: Some("builds".parse().unwrap()),
        reason: Some(Note::parse("on call").unwrap()),
        signing_input: Some("aGVhZGVy.cGF5bG9hZA".to_owned()),
    }
}

/// The stored forms of [`samples`], for ever: body, personal part and digest. A change here means that logs already
/// written can no longer be read or verified.
///
/// The digests are those of a first event, recorded at 2026-03-01T12:00:00Z, with sixteen bytes 7 as salt. They were
/// computed a second time by a few lines of Python over these strings.
const GOLDEN: [[&str; 3]; 11] = [
    [
        r#"{"actor":{"kind":"os-user"},"data":{"alg":"EdDSA","aud":["gateway"],"elevated":["admin","teams","permissions"],"exp":1772370000,"iat":1772366400,"is_admin":true,"jti":"00000000-0000-0000-0000-000000000001","kid":"k1","out_of_band":true,"permissions":["tools.read"],"policy_version":1,"teams":null},"kind":"token.issued.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0},"data":{"description":"builds","name":"ci","reason":"on call","signing_input":"aGVhZGVy.cGF5bG9hZA"}}"#,
        "92525fc1f45c951329578878e9f6da6724ecbeddaefb28c7a42469afe27d4b16",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"alg":"HS256","aud":["gateway"],"elevated":["teams"],"exp":1772370000,"iat":1772366400,"is_admin":false,"jti":"00000000-0000-0000-0000-000000000001","kid":"k1","out_of_band":false,"permissions":[],"policy_version":1,"teams":["red"]},"kind":"token.issued.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"signing_input":"aGVhZGVy.cGF5bG9hZA"},"user_agent":"curl/8"}"#,
        "4aafd21cd52f83537222b6ff5cb512015dc90ebf255c0f10b77eecc6c2439ba0",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"jti":"00000000-0000-0000-0000-000000000001","reason":"key_compromise"},"kind":"token.revoked.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"note":"lost laptop"},"user_agent":"curl/8"}"#,
        "731c0a30984d09dd214055993ff5f1df65f0d0437aa8084d389059a9001f6506",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"effective_from":"2026-03-02T00:00:00Z","jti":"00000000-0000-0000-0000-000000000001","reason":"key_compromise"},"kind":"token.revoked.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "1f33b09965537ba0dcf3e7aa3d964125f0b5e684a5286ce8e4ea208bd2a02c27",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"audience":"gateway","env":"production","issuer":"https://catalog.example.com"},"kind":"catalog.configured.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "ad08fc645e6d420b64e12e851c0c6d191e3afa97e76a031f6bb4bec557e1d349",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"api":{"ttl_seconds_default":3600,"ttl_seconds_max":2592000},"cli_dev":{"ttl_seconds_default":1200,"ttl_seconds_max":604800},"version":1},"kind":"policy.applied.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "cd9fec75db762a4075b4229c59be3f88ae622ce27983975e6bc89bbf4bf8487c",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"alg":"EdDSA","jwk":{"crv":"Ed25519","kty":"OKP","x":"AQ"},"kid":"k1"},"kind":"key.added.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "a6728e2b06b971e26169dac5b8b96af4f6fab3ad796ee4ede38cc5f3b39a036d",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"alg":"ES256","jwk":{"crv":"P-256","kty":"EC","x":"AQ","y":"Ag"},"kid":"k1"},"kind":"key.added.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "795a0118cd2aee81e8a896f750fa67c9de61f8529df8d983e50bb37a94363551",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"alg":"RS256","jwk":{"e":"AQAB","kty":"RSA","n":"AQ"},"kid":"k1"},"kind":"key.added.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "0c061838577dec5abbcc773d658a6e0ff73ee140ab3aa7af11ff9d2102e22445",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"alg":"HS256","kid":"k1"},"kind":"key.added.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "bf75fabfc9bca798c063c89a04ce35d28a1834460f255893c59d180e58332c8b",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"kid":"k1"},"kind":"key.activated.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "b4af5a9046885b14b7dfaedb97679461b6ae76e79aa27544bece4c7025a596cd",
    ],
];

/// One event of every kind and shape, in the order of [`GOLDEN`].
fn samples() -> Vec<Occurrence> {
    let plain = TokenIssued {
        alg: Algorithm::Hs256,
        is_admin: false,
        teams: Teams::These(vec!["red".parse().unwrap()]),
        permissions: vec![],
        out_of_band: false,
        elevated: vec![Elevation::Teams],
        name: None,
        description: None,
        reason: None,
        ..sample_issuance()
    };
    let revoked = TokenRevoked {
        jti: Uuid::from_u128(1),
        reason: RevocationReason::KeyCompromise,
        effective_from: None,
        note: Some(Note::parse("lost laptop").unwrap()),
    };
    let later =
        TokenRevoked { effective_from: Some("2026-03-02T00:00:00Z".parse().unwrap()), note: None, ..revoked.clone() };
    let configured = Configured {
        issuer: "https://catalog.example.com".parse().unwrap(),
        audience: "gateway".parse().unwrap(),
        env: Some("production".parse().unwrap()),
    };
    let ed25519 = PublicJwk::Okp { crv: "Ed25519".to_owned(), x: "AQ".to_owned() };
    let p256 = PublicJwk::Ec { crv: "P-256".to_owned(), x: "AQ".to_owned(), y: "Ag".to_owned() };
    let rsa = PublicJwk::Rsa { n: "AQ".to_owned(), e: "AQAB".to_owned() };
    let key =
        |alg: Algorithm, jwk: Option<PublicJwk>| Event::KeyAdded(KeyAdded { kid: "k1".parse().unwrap(), alg, jwk });
    vec![
        at_a_shell(Event::TokenIssued(Box::new(sample_issuance()))),
        over_http(Event::TokenIssued(Box::new(plain))),
        over_http(Event::TokenRevoked(revoked)),
        at_a_shell(Event::TokenRevoked(later)),
        at_a_shell(Event::Configured(configured)),
        at_a_shell(Event::PolicyApplied(Policy::initial())),
        at_a_shell(key(Algorithm::EdDsa, Some(ed25519))),
        at_a_shell(key(Algorithm::Es256, Some(p256))),
        at_a_shell(key(Algorithm::Rs256, Some(rsa))),
        at_a_shell(key(Algorithm::Hs256, None)),
        at_a_shell(Event::KeyActivated(KeyActivated { kid: "k1".parse().unwrap() })),
    ]
}

#[test]
fn no_stored_form_changes_unnoticed() {
    let recorded_at = "2026-03-01T12:00:00Z".parse().unwrap();
    let samples = samples();
    assert_eq!(samples.len(), GOLDEN.len());

    for (occurrence, [body, personal, digest]) in samples.into_iter().zip(GOLDEN) {
        let stored = codec::encode(&occurrence).unwrap();
        let commitment = chain::commitment(&[7; 16], &stored.personal);
        let link = chain::link(&chain::GENESIS, Position(1), recorded_at, &stored.body, &commitment);

        assert_eq!(String::from_utf8(stored.body).unwrap(), body);
        assert_eq!(String::from_utf8(stored.personal).unwrap(), personal);
        assert_eq!(hex::encode(link), digest, "{body}");
        let read = codec::decode(body.as_bytes(), Some(personal.as_bytes())).unwrap();
        assert_eq!(read, occurrence);
    }
}

#[test]
fn every_kind_has_a_golden_form() {
    let mut kinds: Vec<&str> = samples().iter().map(|occurrence| codec::kind(&occurrence.event)).collect();

    kinds.dedup();

    assert_eq!(
        kinds,
        [
            "token.issued.v1",
            "token.revoked.v1",
            "catalog.configured.v1",
            "policy.applied.v1",
            "key.added.v1",
            "key.activated.v1"
        ]
    );
}
