//! The stored form of every kind of event, byte for byte, so that none changes unnoticed.

use catalog::{
    domain::{
        Actor, Event, Occurrence, Origin, Path, Position, Predicate, TokenIssued, TokenRevoked, TokensRevokedByRule,
        audit::{AuditRead, Handed},
        claims::Teams,
        client::{ClientAdded, ClientPermission, ClientRevoked, ClientRotated, SecretDigest},
        courier::CourierIssued,
        denial::{
            CourierRefused, IssuanceRefused, RevocationByRuleRefused, RevocationRefused, RotatedTokenReused,
            RotationRefused, Shadow, ShadowTokenSeen, SuspensionRefused,
        },
        event::{Configured, Elevation, First, KeyActivated, KeyAdded, KeyCompromised, KeyRetired, SuspensionChanged},
        key::{Algorithm, PublicJwk},
        origin::OsUser,
        person::{LoginRefused, PersonSeen},
        policy::{
            Audiences, Grantable, MembershipRules, MembershipSource, Narrowing, PathRules, Policy, Reuse, Rules,
            ShellRules, Switch, TeamRules,
        },
        revoke::RevocationReason,
        status_list::{ENTRIES, Entry, StatusListBegun, StatusListRules},
        suspend::Change,
        text::{Name, Note, RequestId},
        trusted_issuer::{ClaimNames, KeySource, Role, TrustedIssuer},
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
        family: None,
        predecessor: None,
        first: None,
        status_list: None,
        signing_input: Some("aGVhZGVy.cGF5bG9hZA".to_owned()),
    }
}

/// A policy in which every member is said.
fn sample_policy() -> Policy {
    let audience = || Audiences::These(vec!["gateway".parse().unwrap()]);
    let permissions = || Grantable(vec!["tools.*".parse().unwrap()]);
    let door = PathRules {
        audiences: audience(),
        permissions: permissions(),
        reason_required: true,
        active_max: Some(5),
        child_outlives_parent: true,
        ..PathRules::open(60, 3600)
    };
    let narrowing = Narrowing {
        ttl_seconds_default: Some(30),
        ttl_seconds_max: Some(600),
        audiences: Some(audience()),
        permissions: Some(permissions()),
        reason_required: true,
        active_max: Some(1),
    };
    let shell = ShellRules { out_of_band: Switch::Allow, elevated: Switch::Deny, kid: Some("k2".parse().unwrap()) };
    let red = TeamRules { api: narrowing, cli_dev: Narrowing::default() };
    let source = MembershipSource::Url("https://people.example.com/teams".to_owned());
    let rules = Rules {
        api: door.clone(),
        cli_dev: door,
        shell,
        teams: [("red".parse().unwrap(), red)].into(),
        membership: Some(MembershipRules { source, refresh_seconds: 60, unknown: Switch::Allow }),
        reuse: Reuse::Record,
        trusted_issuers: vec![sample_provider()],
        status_lists: None,
    };
    Policy { version: 2, rules, text: Some("[api]\n".to_owned()) }
}

/// An identity provider of which almost everything is said.
fn sample_provider() -> TrustedIssuer {
    let claim = |name: &str| name.parse().unwrap();
    let role = Role::Permissions(vec!["audit.read".parse().unwrap()]);
    TrustedIssuer {
        issuer: "https://login.example.com".parse().unwrap(),
        keys: KeySource::JwksUri("https://login.example.com/jwks".to_owned()),
        audience: "https://catalog.example.com".parse().unwrap(),
        email_domains: vec!["example.com".parse().unwrap()],
        claims: ClaimNames { subject: claim("sub"), email: claim("mail"), groups: claim("g"), roles: claim("r") },
        // A policy from before there was this says nothing of it, and is read so.
        optional_claims: [].into(),
        permissions: vec!["tokens.create".parse().unwrap()],
        teams: [("engineers".parse().unwrap(), "red".parse().unwrap())].into(),
        roles: [("auditor".parse().unwrap(), role), ("ops".parse().unwrap(), Role::Admin)].into(),
    }
}

fn of_a_person(sub: &str, event: Event) -> Occurrence {
    let mut occurrence = over_http(event);
    let issuer = "https://login.example.com".parse().unwrap();
    occurrence.origin.actor = Actor::Person { issuer, sub: Some(sub.to_owned()) };
    occurrence
}

fn refused_login() -> LoginRefused {
    LoginRefused { rule: "other_domain".to_owned(), count: 2, since: "2026-03-01T12:00:00Z".parse().unwrap() }
}

fn sample_person() -> PersonSeen {
    PersonSeen {
        issuer: "https://login.example.com".parse().unwrap(),
        logged_in: 1_772_366_400,
        is_admin: false,
        teams: Teams::These(vec!["red".parse().unwrap()]),
        permissions: vec!["tokens.create".parse().unwrap()],
        sub: Some("alice@example.com".parse().unwrap()),
    }
}

fn sample_refusal() -> IssuanceRefused {
    IssuanceRefused {
        rule: "admin_not_yours".to_owned(),
        count: 3,
        since: "2026-03-01T12:00:00Z".parse().unwrap(),
        aud: vec!["catalog".parse().unwrap()],
        expires_in: Some(60),
        is_admin: true,
        teams: Some(Teams::Every),
        permissions: vec!["tools.read".parse().unwrap()],
        elevated: vec![Elevation::Admin],
        sub: Some("alice@example.com".parse().unwrap()),
        name: Some(Name::parse("ci").unwrap()),
        reason: Some(Note::parse("on call").unwrap()),
    }
}

fn nobody() -> Origin {
    Origin {
        actor: Actor::Anonymous,
        ..over_http(Event::KeyActivated(KeyActivated { kid: "k1".parse().unwrap(), early: false })).origin
    }
}

/// A predicate in which every condition is said.
fn sample_predicate() -> Predicate {
    Predicate {
        sub: Some("alice@example.com".parse().unwrap()),
        team: Some("red".parse().unwrap()),
        path: Some(Path::CliDev),
        kid: Some("k1".parse().unwrap()),
        permission: Some("tools.read".parse().unwrap()),
        name: Some("ci".parse().unwrap()),
        issued_after: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        issued_before: Some("2026-02-01T00:00:00.000001Z".parse().unwrap()),
        family: None,
        successors: false,
    }
}

fn of_family() -> Predicate {
    let (path, family) = (Some(Path::CliDev), Some(Uuid::from_u128(1)));
    Predicate { path, family, successors: true, ..Predicate::default() }
}

fn by_rule(predicate: Predicate, reason: RevocationReason, note: Option<&str>) -> Event {
    let note = note.map(|text| text.parse().unwrap());
    Event::TokensRevokedByRule(Box::new(TokensRevokedByRule { fields: predicate.fields(), predicate, reason, note }))
}

fn refused_rule() -> RevocationByRuleRefused {
    let sub = Some("bob@example.com".parse().unwrap());
    let predicate = Predicate { sub, path: Some(Path::CliDev), ..Predicate::default() };
    RevocationByRuleRefused {
        rule: "rule_too_wide".to_owned(),
        count: 1,
        since: "2026-03-01T12:00:00Z".parse().unwrap(),
        fields: predicate.fields(),
        predicate,
        reason: RevocationReason::Unspecified,
        note: Some(Note::parse("just trying").unwrap()),
    }
}

/// The stored forms of [`samples`], for ever: body, personal part and digest. A change here means that logs already
/// written can no longer be read or verified.
///
/// The digests are those of a first event, recorded at 2026-03-01T12:00:00Z, with sixteen bytes 7 as salt. They were
/// computed a second time by a few lines of Python over these strings.
const GOLDEN: [[&str; 3]; 49] = [
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
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"alg":"HS256","aud":["gateway"],"elevated":["teams"],"exp":1772370000,"family":"00000000-0000-0000-0000-000000000001","iat":1772366400,"is_admin":false,"jti":"00000000-0000-0000-0000-000000000001","kid":"k1","out_of_band":false,"permissions":[],"policy_version":1,"predecessor":"00000000-0000-0000-0000-000000000002","teams":["red"]},"kind":"token.issued.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"signing_input":"aGVhZGVy.cGF5bG9hZA"},"user_agent":"curl/8"}"#,
        "bbf35dd5b3a5f8ae3129dd1360dd63b9e47553e71ec8fd6bae9508e30d1b0242",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"effective_from":"2026-03-02T00:00:00Z","jti":"00000000-0000-0000-0000-000000000001","reason":"superseded","successor":"00000000-0000-0000-0000-000000000003"},"kind":"token.revoked.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "307c9fc1acb9248c6047306933061e1c048cc47baab1999ff3c17e5a7228bbaf",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"jti":"00000000-0000-0000-0000-000000000001"},"kind":"token.suspended.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"note":"asking its owner"},"user_agent":"curl/8"}"#,
        "3c1fac87bd4e2e5d714036b86fc385bd13dbc20685a7601fc49e3559ba2e17d2",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"by_full_admin":true,"jti":"00000000-0000-0000-0000-000000000001"},"kind":"token.suspended.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "5aa3da0e949adcdb02a2e7327e63c623b4f85607399a179b896bcf5281d0b9e5",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"jti":"00000000-0000-0000-0000-000000000001"},"kind":"token.resumed.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "2595babf361ffcfbe9d6b1e5b6032af57529da738b22af177aece2bc57c2c393",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"fields":["sub","team","path","kid","permission","name","issued_after","issued_before"],"issued_after":"2026-01-01T00:00:00Z","issued_before":"2026-02-01T00:00:00.000001Z","kid":"k1","path":"cli-dev","permission":"tools.read","reason":"privilege_withdrawn","team":"red"},"kind":"tokens.revoked_by_rule.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"name":"ci","note":"the contract has ended","sub":"alice@example.com"},"user_agent":"curl/8"}"#,
        "031dc8c3d6ad92bcadcac53ae4a3bf6bf5a8536a88b10dd757646527ddf7ee39",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"fields":[],"reason":"unspecified"},"kind":"tokens.revoked_by_rule.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "1ea2094f84a4161d3ed926f694ea30bf6063056c3a79dc6c7460d6c408af7833",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"family":"00000000-0000-0000-0000-000000000001","fields":["path","family"],"path":"cli-dev","reason":"unspecified","successors":true},"kind":"tokens.revoked_by_rule.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "d1b648cd39db72adae639457ec2dc799af1a14a121b708eb5703e9f507b7dcc2",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"alg":"HS256","aud":["gateway"],"elevated":["teams"],"exp":1772370000,"family":"00000000-0000-0000-0000-000000000001","first":{"iat":1772362800,"kid":"k0","path":"cli-dev"},"iat":1772366400,"is_admin":false,"jti":"00000000-0000-0000-0000-000000000001","kid":"k1","out_of_band":true,"permissions":[],"policy_version":1,"predecessor":"00000000-0000-0000-0000-000000000002","teams":["red"]},"kind":"token.issued.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"signing_input":"aGVhZGVy.cGF5bG9hZA"},"user_agent":"curl/8"}"#,
        "0bcfb6a810c35f9d91bd2e9101fe156006d73555b3912b0c2f9c16bce6c6759d",
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
    [
        r#"{"actor":{"kind":"os-user"},"data":{"alg":"EdDSA","dev":true,"kid":"k2"},"kind":"key.added.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "ae9a03d7705e7fa024249c5b91eef58a0a7a97749dde7a830b35cb965fd7b33f",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"early":true,"kid":"k2"},"kind":"key.activated.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "85579dc333f2402ffbe826237dc5e326ad8b7d6cb697cdf7530c5a935ca11bc7",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"counted":12,"kid":"k1"},"kind":"key.retired.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "55f4d52b37d70760d1875295310051132876ded1f73abbb72d86ebfc3f4c170d",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"from":7,"kid":"k2","since":"2026-02-28T12:00:00Z"},"kind":"key.compromised.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0},"data":{"note":"in a backup"}}"#,
        "c4fadae12dfe3836f7dec59c51d9482d72f17575835c858a93ae2e76278974a4",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"from":1,"kid":"k1"},"kind":"key.compromised.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "a88e3e496ef262acd6960760e5becc762ead68b78597da516463a36bd35c0390",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"api":{"active_max":5,"audiences":{"these":["gateway"]},"child_outlives_parent":true,"permissions":["tools.*"],"reason_required":true,"ttl_seconds_default":60,"ttl_seconds_max":3600},"cli_dev":{"active_max":5,"audiences":{"these":["gateway"]},"child_outlives_parent":true,"permissions":["tools.*"],"reason_required":true,"ttl_seconds_default":60,"ttl_seconds_max":3600},"membership":{"refresh_seconds":60,"source":{"url":"https://people.example.com/teams"},"unknown":"allow"},"shell":{"elevated":"deny","kid":"k2"},"teams":{"red":{"api":{"active_max":1,"audiences":{"these":["gateway"]},"permissions":["tools.*"],"reason_required":true,"ttl_seconds_default":30,"ttl_seconds_max":600}}},"text":"[api]\n","trusted_issuers":[{"audience":"https://catalog.example.com","claims":{"email":"mail","groups":"g","roles":"r","subject":"sub"},"email_domains":["example.com"],"issuer":"https://login.example.com","keys":{"jwks_uri":"https://login.example.com/jwks"},"permissions":["tokens.create"],"roles":{"auditor":{"permissions":["audit.read"]},"ops":"admin"},"teams":{"engineers":"red"}}],"version":2},"kind":"policy.applied.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "693f421dba0be4bc6db3639eb1f95b2f7c324087e631a63b8bf5815286989602",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"api":{"ttl_seconds_default":3600,"ttl_seconds_max":2592000},"cli_dev":{"ttl_seconds_default":1200,"ttl_seconds_max":604800},"reuse":"revoke_family","version":3},"kind":"policy.applied.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "ece6bd75b68707087d457c807cb3187ee1157261dde0f1c548971736ca4484e8",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"name":"edge","permissions":["tokens.check"],"secret_sha256":"f9805e8d4ea43a97133cf7077e8e359091991cf03adbb8199417ca4faa5f90ee","teams":[]},"kind":"client.added.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "58f866a6b4afa16f43727a92032f92f8890963e148b4dd849bb8a9115ce48f2d",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"name":"edge","permissions":["tokens.check","tokens.revoke"],"secret_sha256":"f9805e8d4ea43a97133cf7077e8e359091991cf03adbb8199417ca4faa5f90ee","teams":null},"kind":"client.added.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "a9b3e860d86b1f507a73cefb4847a8e97ace2121737c46953207fdf8e048dff4",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"name":"edge","old_until":"2026-03-01T13:00:00Z","secret_sha256":"f9805e8d4ea43a97133cf7077e8e359091991cf03adbb8199417ca4faa5f90ee"},"kind":"client.rotated.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "3c8637c797fdf5ce7f9e5768719536e3fd9dde85e699497911d59ab700e90fdf",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"name":"edge","secret_sha256":"f9805e8d4ea43a97133cf7077e8e359091991cf03adbb8199417ca4faa5f90ee"},"kind":"client.rotated.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "2e6508423cdc11e40648153c40860d3ad997b0763d6dfcb75366ed01108f9bc1",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"name":"edge"},"kind":"client.revoked.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "79f248237e0ea599590b6825ab1630d7694ae10d1244f95ac954b9e66246eafb",
    ],
    [
        r#"{"actor":{"kind":"client","name":"edge"},"data":{"jti":"00000000-0000-0000-0000-000000000001","reason":"unspecified"},"kind":"token.revoked.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "3023505b1fc02e473a449e3a3faada7508ee7c39c3eeb8233ea0809a06457621",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"aud":["catalog"],"count":3,"elevated":["admin"],"expires_in":60,"is_admin":true,"permissions":["tools.read"],"rule":"admin_not_yours","since":"2026-03-01T12:00:00Z","teams":null},"kind":"issuance.refused.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"name":"ci","reason":"on call","sub":"alice@example.com"},"user_agent":"curl/8"}"#,
        "2915b14c57a3dff104046ae3752c09c03d8b6b71711d98795c2161f6d283ba8e",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"count":1,"jti":"00000000-0000-0000-0000-000000000001","reason":"key_compromise","rule":"token_unknown","since":"2026-03-01T12:00:00Z"},"kind":"revocation.refused.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"note":"found in a paste"},"user_agent":"curl/8"}"#,
        "3effe6dd3805c1adeef717f9a69e44d15f436aff387c5e113206b8e03c261a84",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"change":"suspend","count":1,"rule":"subject_out_of_reach","since":"2026-03-01T12:00:00Z"},"kind":"suspension.refused.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"note":"just trying","sub":"bob@example.com"},"user_agent":"curl/8"}"#,
        "6a6c93d902b68d90ebc5d19767b90542675529642c072152e9b7e4ccc8613af2",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"count":2,"expires_in":60,"jti":"00000000-0000-0000-0000-000000000001","overlap":"90m","rule":"ttl_too_long","since":"2026-03-01T12:00:00Z"},"kind":"rotation.refused.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "6999e719d2749d1ea762938a6333e6447cb275b4a56d4fd1eb1eea9949085454",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"family":"00000000-0000-0000-0000-000000000001","jti":"00000000-0000-0000-0000-000000000002","successor":"00000000-0000-0000-0000-000000000003"},"kind":"rotated_token.reused.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "6355e06d6be0936b91652de571ee46e3a825424560499326a45548cd72c2067a",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"count":1,"fields":["sub","path"],"path":"cli-dev","reason":"unspecified","rule":"rule_too_wide","since":"2026-03-01T12:00:00Z"},"kind":"revocation_by_rule.refused.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"note":"just trying","sub":"bob@example.com"},"user_agent":"curl/8"}"#,
        "9c56bc923577746ecccdc00199b7ad80292d1bdbb4b3af0c727b1476934a7e8d",
    ],
    [
        r#"{"actor":{"issuer":"https://login.example.com","kind":"person"},"data":{"count":2,"rule":"other_domain","since":"2026-03-01T12:00:00Z"},"kind":"login.refused.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"248289761001"},"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "9a3a3e7cf4dd1eaf2cee0a09f229d84c2194d6aa45258871df8ee08b3e6da391",
    ],
    [
        r#"{"actor":{"issuer":"https://login.example.com","kind":"person"},"data":{"is_admin":false,"issuer":"https://login.example.com","logged_in":1772366400,"permissions":["tokens.create"],"teams":["red"]},"kind":"person.seen.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"alice@example.com"},"address":"192.0.2.1","data":{"sub":"alice@example.com"},"user_agent":"curl/8"}"#,
        "fdb64d3bc773cf08c6e6dcf189c4a92a943e9fd8170c7772247507c1443ce327",
    ],
    [
        r#"{"actor":{"kind":"anonymous"},"data":{"claims_digest":"abababababababababababababababababababababababababababababababab","jti":"00000000-0000-0000-0000-000000000001","kid":"k1","what":"never_issued"},"kind":"shadow_token.seen.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "bd4b5e7be4357a61c790bb9728bd58e40d1508a644bdccfe201985898ce155f4",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"alg":"HS256","aud":["gateway"],"elevated":["teams"],"exp":1772370000,"iat":1772366400,"is_admin":false,"jti":"00000000-0000-0000-0000-000000000001","kid":"k1","out_of_band":false,"permissions":[],"policy_version":1,"status_list":{"idx":1048575,"list":"00000000-0000-0000-0000-000000000009"},"teams":["red"]},"kind":"token.issued.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"signing_input":"aGVhZGVy.cGF5bG9hZA"},"user_agent":"curl/8"}"#,
        "fb23668371c14cca8374fd2568807b6a3666868a4085531b6300370da6dbd6b5",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"entries":1048576,"id":"00000000-0000-0000-0000-000000000009","uri":"https://catalog.example.com/status-lists/00000000-0000-0000-0000-000000000009"},"kind":"catalog.status_list_begun.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "571450209146fbd6702be2d829d5044bbc87af94ca8ae84e9d1c0b5b5a5cf1a7",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"api":{"ttl_seconds_default":3600,"ttl_seconds_max":2592000},"cli_dev":{"ttl_seconds_default":1200,"ttl_seconds_max":604800},"status_lists":{"ttl_seconds":60,"url":"https://catalog.example.com/status-lists"},"version":4},"kind":"policy.applied.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "d3d6a72947f3b022b5bde202bb34318304956e59471b29da8a2bec127312601c",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"name":"bridge","permissions":["tokens.courier"],"secret_sha256":"f9805e8d4ea43a97133cf7077e8e359091991cf03adbb8199417ca4faa5f90ee","teams":null},"kind":"client.added.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0}}"#,
        "44ad9c39adaa3d7743bd57845ed9799aba147252344e6764265c02ed1e5099ca",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"alg":"HS256","aud":["mcpgateway-api"],"claims_digest":"abababababababababababababababababababababababababababababababab","exp":1772370000,"iat":1772366400,"jti":"00000000-0000-0000-0000-000000000001","kid":"k1"},"kind":"courier.issued.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","data":{"signing_input":"aGVhZGVy.cGF5bG9hZA"},"user_agent":"curl/8"}"#,
        "15db3780fecd8acca6c87b14c0194bfe9e5224b9d784a325697e74e17b2f42e0",
    ],
    [
        r#"{"actor":{"jti":"00000000-0000-0000-0000-000000000007","kind":"token"},"data":{"count":1,"jti":"00000000-0000-0000-0000-000000000001","rule":"token_unknown","since":"2026-03-01T12:00:00Z"},"kind":"courier.refused.v1","occurred_at":"2026-03-01T12:00:00Z","path":"api","request_id":"r-2"}"#,
        r#"{"actor":{"sub":"root@localhost"},"address":"192.0.2.1","user_agent":"curl/8"}"#,
        "6df36784b5ae5c12fd584e6bced9886721d8d8c778fdf54b3cc975d8a72ef405",
    ],
    [
        r#"{"actor":{"kind":"os-user"},"data":{"end":9,"first":2,"format":"html","last":7,"team":"red","what":"report"},"kind":"audit.read.v1","occurred_at":"2026-03-01T12:00:00.000001Z","path":"cli-dev","request_id":"r-1"}"#,
        r#"{"actor":{"host":"workstation","login":"alice","name":"root","sudo_user":"alice","uid":0},"data":{"sub":"alice@example.com"}}"#,
        "3251c40c78afc5f02ec519134c22d0e7810ab14352a640795ab2523f6dad4122",
    ],
];

/// One event of every kind and shape, in the order of [`GOLDEN`].
fn samples() -> Vec<Occurrence> {
    [of_tokens(), of_settings(), of_clients(), evidence(), of_status_lists(), of_couriers(), of_reads()].concat()
}

fn plain_issuance() -> TokenIssued {
    TokenIssued {
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
    }
}

fn of_tokens() -> Vec<Occurrence> {
    let plain = plain_issuance();
    let revoked = TokenRevoked {
        jti: Uuid::from_u128(1),
        reason: RevocationReason::KeyCompromise,
        effective_from: None,
        successor: None,
        note: Some(Note::parse("lost laptop").unwrap()),
    };
    let of_a_family_that_began_at_a_shell = TokenIssued {
        family: Some(Uuid::from_u128(1)),
        predecessor: Some(Uuid::from_u128(2)),
        first: Some(First { path: Path::CliDev, iat: 1_772_362_800, kid: "k0".parse().unwrap() }),
        out_of_band: true,
        ..plain.clone()
    };
    let later =
        TokenRevoked { effective_from: Some("2026-03-02T00:00:00Z".parse().unwrap()), note: None, ..revoked.clone() };
    vec![
        at_a_shell(Event::TokenIssued(Box::new(sample_issuance()))),
        over_http(Event::TokenIssued(Box::new(plain.clone()))),
        over_http(Event::TokenRevoked(revoked.clone())),
        at_a_shell(Event::TokenRevoked(later)),
        over_http(Event::TokenIssued(Box::new(TokenIssued {
            family: Some(Uuid::from_u128(1)),
            predecessor: Some(Uuid::from_u128(2)),
            ..plain
        }))),
        over_http(Event::TokenRevoked(TokenRevoked {
            reason: RevocationReason::Superseded,
            effective_from: Some("2026-03-02T00:00:00Z".parse().unwrap()),
            successor: Some(Uuid::from_u128(3)),
            note: None,
            ..revoked
        })),
        over_http(Event::TokenSuspended(SuspensionChanged {
            jti: Uuid::from_u128(1),
            by_full_admin: false,
            note: Some(Note::parse("asking its owner").unwrap()),
        })),
        over_http(Event::TokenSuspended(SuspensionChanged {
            jti: Uuid::from_u128(1),
            by_full_admin: true,
            note: None,
        })),
        over_http(Event::TokenResumed(SuspensionChanged { jti: Uuid::from_u128(1), by_full_admin: false, note: None })),
        over_http(by_rule(sample_predicate(), RevocationReason::PrivilegeWithdrawn, Some("the contract has ended"))),
        at_a_shell(by_rule(Predicate::default(), RevocationReason::Unspecified, None)),
        at_a_shell(by_rule(of_family(), RevocationReason::Unspecified, None)),
        over_http(Event::TokenIssued(Box::new(of_a_family_that_began_at_a_shell))),
    ]
}

fn of_settings() -> Vec<Occurrence> {
    let configured = Configured {
        issuer: "https://catalog.example.com".parse().unwrap(),
        audience: "gateway".parse().unwrap(),
        env: Some("production".parse().unwrap()),
    };
    let ed25519 = PublicJwk::Okp { crv: "Ed25519".to_owned(), x: "AQ".to_owned() };
    let p256 = PublicJwk::Ec { crv: "P-256".to_owned(), x: "AQ".to_owned(), y: "Ag".to_owned() };
    let rsa = PublicJwk::Rsa { n: "AQ".to_owned(), e: "AQAB".to_owned() };
    let key = |alg: Algorithm, jwk: Option<PublicJwk>| {
        Event::KeyAdded(KeyAdded { kid: "k1".parse().unwrap(), alg, jwk, dev: false })
    };
    vec![
        at_a_shell(Event::Configured(configured)),
        at_a_shell(Event::PolicyApplied(Box::new(Policy::initial()))),
        at_a_shell(key(Algorithm::EdDsa, Some(ed25519))),
        at_a_shell(key(Algorithm::Es256, Some(p256))),
        at_a_shell(key(Algorithm::Rs256, Some(rsa))),
        at_a_shell(key(Algorithm::Hs256, None)),
        at_a_shell(Event::KeyActivated(KeyActivated { kid: "k1".parse().unwrap(), early: false })),
        at_a_shell(Event::KeyAdded(KeyAdded {
            kid: "k2".parse().unwrap(),
            alg: Algorithm::EdDsa,
            jwk: None,
            dev: true,
        })),
        at_a_shell(Event::KeyActivated(KeyActivated { kid: "k2".parse().unwrap(), early: true })),
        at_a_shell(Event::KeyRetired(KeyRetired { kid: "k1".parse().unwrap(), counted: Position(12) })),
        at_a_shell(Event::KeyCompromised(KeyCompromised {
            kid: "k2".parse().unwrap(),
            from: Position(7),
            since: Some("2026-02-28T12:00:00Z".parse().unwrap()),
            note: Some(Note::parse("in a backup").unwrap()),
        })),
        at_a_shell(Event::KeyCompromised(KeyCompromised {
            kid: "k1".parse().unwrap(),
            from: Position(1),
            since: None,
            note: None,
        })),
        at_a_shell(Event::PolicyApplied(Box::new(sample_policy()))),
        at_a_shell(Event::PolicyApplied(Box::new(Policy {
            version: 3,
            rules: Rules { reuse: Reuse::RevokeFamily, ..Rules::initial() },
            text: None,
        }))),
    ]
}

fn of_clients() -> Vec<Occurrence> {
    let name = || "edge".parse().unwrap();
    let secret_sha256 = SecretDigest::of("catsec_for-the-record");
    let added = |permissions: &[ClientPermission], teams: Teams| {
        let permissions = permissions.to_vec();
        at_a_shell(Event::ClientAdded(ClientAdded { name: name(), permissions, teams, secret_sha256 }))
    };
    let old_until = "2026-03-01T13:00:00Z".parse().unwrap();
    let rotated =
        |old_until| at_a_shell(Event::ClientRotated(ClientRotated { name: name(), secret_sha256, old_until }));
    let by_a_client = Origin { actor: Actor::Client { name: name() }, ..nobody() };
    vec![
        added(&[ClientPermission::Check], Teams::These(Vec::new())),
        added(&[ClientPermission::Check, ClientPermission::Revoke], Teams::Every),
        rotated(Some(old_until)),
        rotated(None),
        at_a_shell(Event::ClientRevoked(ClientRevoked { name: name() })),
        Occurrence {
            origin: by_a_client,
            ..over_http(Event::TokenRevoked(TokenRevoked {
                jti: Uuid::from_u128(1),
                reason: RevocationReason::Unspecified,
                effective_from: None,
                successor: None,
                note: None,
            }))
        },
    ]
}

fn evidence() -> Vec<Occurrence> {
    vec![
        over_http(Event::IssuanceRefused(Box::new(sample_refusal()))),
        over_http(Event::RevocationRefused(RevocationRefused {
            rule: "token_unknown".to_owned(),
            count: 1,
            since: "2026-03-01T12:00:00Z".parse().unwrap(),
            jti: Uuid::from_u128(1),
            reason: RevocationReason::KeyCompromise,
            note: Some(Note::parse("found in a paste").unwrap()),
        })),
        over_http(Event::SuspensionRefused(SuspensionRefused {
            rule: "subject_out_of_reach".to_owned(),
            count: 1,
            since: "2026-03-01T12:00:00Z".parse().unwrap(),
            change: Change::Suspend,
            jti: None,
            sub: Some("bob@example.com".parse().unwrap()),
            note: Some(Note::parse("just trying").unwrap()),
        })),
        over_http(Event::RotationRefused(RotationRefused {
            rule: "ttl_too_long".to_owned(),
            count: 2,
            since: "2026-03-01T12:00:00Z".parse().unwrap(),
            jti: Uuid::from_u128(1),
            overlap: "90m".parse().unwrap(),
            expires_in: Some(60),
        })),
        over_http(Event::RotatedTokenReused(RotatedTokenReused {
            jti: Uuid::from_u128(2),
            family: Uuid::from_u128(1),
            successor: Uuid::from_u128(3),
        })),
        over_http(Event::RevocationByRuleRefused(Box::new(refused_rule()))),
        of_a_person("248289761001", Event::LoginRefused(refused_login())),
        of_a_person("alice@example.com", Event::PersonSeen(Box::new(sample_person()))),
        Occurrence {
            origin: nobody(),
            ..over_http(Event::ShadowTokenSeen(ShadowTokenSeen {
                jti: Some(Uuid::from_u128(1)),
                kid: "k1".parse().unwrap(),
                claims_digest: "ab".repeat(32),
                what: Shadow::NeverIssued,
            }))
        },
    ]
}

fn of_status_lists() -> Vec<Occurrence> {
    let id = Uuid::from_u128(9);
    let url = "https://catalog.example.com/status-lists";
    let issued = TokenIssued { status_list: Some(Entry { list: id, idx: ENTRIES - 1 }), ..plain_issuance() };
    let begun = StatusListBegun { id, uri: format!("{url}/{id}"), entries: ENTRIES };
    let status_lists = Some(StatusListRules { url: url.to_owned(), ttl_seconds: 60 });
    let rules = Rules { status_lists, ..Rules::initial() };
    vec![
        over_http(Event::TokenIssued(Box::new(issued))),
        over_http(Event::StatusListBegun(begun)),
        at_a_shell(Event::PolicyApplied(Box::new(Policy { version: 4, rules, text: None }))),
    ]
}

fn of_couriers() -> Vec<Occurrence> {
    let jti = Uuid::from_u128(1);
    let client = Event::ClientAdded(ClientAdded {
        name: "bridge".parse().unwrap(),
        permissions: vec![ClientPermission::Courier],
        teams: Teams::Every,
        secret_sha256: SecretDigest::of("catsec_for-the-record"),
    });
    vec![
        at_a_shell(client),
        over_http(Event::CourierIssued(Box::new(CourierIssued {
            jti,
            iat: 1_772_366_400,
            exp: 1_772_370_000,
            kid: "k1".parse().unwrap(),
            alg: Algorithm::Hs256,
            aud: vec!["mcpgateway-api".parse().unwrap()],
            claims_digest: "ab".repeat(32),
            signing_input: Some("aGVhZGVy.cGF5bG9hZA".to_owned()),
        }))),
        over_http(Event::CourierRefused(CourierRefused {
            rule: "token_unknown".to_owned(),
            count: 1,
            since: "2026-03-01T12:00:00Z".parse().unwrap(),
            jti,
        })),
    ]
}

fn of_reads() -> Vec<Occurrence> {
    vec![at_a_shell(Event::AuditRead(AuditRead {
        what: Handed::Report,
        format: "html".to_owned(),
        first: Position(2),
        last: Position(7),
        end: Position(9),
        sub: Some("alice@example.com".parse().unwrap()),
        team: Some("red".parse().unwrap()),
    }))]
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
            "token.issued.v1",
            "token.revoked.v1",
            "token.suspended.v1",
            "token.resumed.v1",
            "tokens.revoked_by_rule.v1",
            "token.issued.v1",
            "catalog.configured.v1",
            "policy.applied.v1",
            "key.added.v1",
            "key.activated.v1",
            "key.added.v1",
            "key.activated.v1",
            "key.retired.v1",
            "key.compromised.v1",
            "policy.applied.v1",
            "client.added.v1",
            "client.rotated.v1",
            "client.revoked.v1",
            "token.revoked.v1",
            "issuance.refused.v1",
            "revocation.refused.v1",
            "suspension.refused.v1",
            "rotation.refused.v1",
            "rotated_token.reused.v1",
            "revocation_by_rule.refused.v1",
            "login.refused.v1",
            "person.seen.v1",
            "shadow_token.seen.v1",
            "token.issued.v1",
            "catalog.status_list_begun.v1",
            "policy.applied.v1",
            "client.added.v1",
            "courier.issued.v1",
            "courier.refused.v1",
            "audit.read.v1"
        ]
    );
}
