//! What an identity provider's keys and tokens have to be, each test named after the section that it holds us to.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{KeyPair, RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents},
};
use serde_json::{Value, json};

use super::{
    fixtures::{Bench, NOW, at, base64url},
    provider_keys::{JwksFault, ProviderKeys},
    provider_token::{ProviderToken, Untaken},
};
use crate::domain::{
    claims::Teams,
    key::PublicJwk,
    person::{LoginRefusal, Person},
    text::{Kid, Permission},
    trusted_issuer::{ClaimNames, KeySource, OptionalClaim, Role, TrustedIssuer},
};

const LOGIN: &str = "https://login.example.com";
const HERE: &str = "https://catalog.example.com";

fn trusted() -> TrustedIssuer {
    TrustedIssuer {
        issuer: LOGIN.parse().unwrap(),
        keys: KeySource::JwksUri("https://login.example.com/jwks".to_owned()),
        audience: HERE.parse().unwrap(),
        email_domains: vec!["example.com".parse().unwrap(), "example.org".parse().unwrap()],
        claims: ClaimNames::default(),
        optional_claims: [].into(),
        permissions: vec!["tokens.create".parse().unwrap()],
        teams: [("engineers".parse().unwrap(), "red".parse().unwrap())].into(),
        roles: [("ops".parse().unwrap(), Role::Admin)].into(),
    }
}

fn claims() -> Value {
    json!({
        "iss": LOGIN, "aud": HERE, "sub": "248289761001", "client_id": "cli", "jti": "x1", "iat": NOW, "exp": NOW + 300,
        "email": "alice@example.com", "email_verified": true, "groups": ["engineers", "staff"], "given_name": "Alice",
    })
}

fn claims_with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

fn claims_without(member: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(member);
    claims
}

/// The provider's key of this algorithm.
fn kid<'a>(bench: &'a Bench, alg: &str) -> &'a Kid {
    match alg {
        "EdDSA" => &bench.eddsa,
        "ES256" => &bench.es256,
        _ => &bench.rs256,
    }
}

fn jwk(bench: &Bench, kid: &Kid) -> Value {
    let facts = bench.keyring.facts(kid).unwrap();
    let mut jwk = serde_json::to_value(facts.jwk.unwrap()).unwrap();
    jwk["kid"] = json!(kid);
    jwk
}

/// The provider's set of three keys.
fn set(bench: &Bench) -> Value {
    json!({"keys": [jwk(bench, &bench.eddsa), jwk(bench, &bench.es256), jwk(bench, &bench.rs256)]})
}

fn keys(set: &Value) -> ProviderKeys {
    ProviderKeys::read(set.to_string().as_bytes()).unwrap()
}

fn signed(alg: &str, header: &Value, claims: &Value) -> String {
    let bench = Bench::get();
    bench.forge(kid(bench, alg), &header.to_string(), &claims.to_string())
}

fn header(alg: &str) -> Value {
    json!({"typ": "at+jwt", "alg": alg, "kid": kid(Bench::get(), alg)})
}

fn judged_by(trusted: &TrustedIssuer, token: &str) -> Result<Person, Untaken> {
    let token = ProviderToken::read(token).ok_or(Untaken::Unproven("it is no JWT"))?;
    token.person(trusted, &keys(&set(Bench::get())), at(NOW))
}

fn judged(token: &str) -> Result<Person, Untaken> {
    judged_by(&trusted(), token)
}

fn of_claims(claims: &Value) -> Result<Person, Untaken> {
    judged(&signed("EdDSA", &header("EdDSA"), claims))
}

/// Why the provider's own token is not enough.
fn refusal(claims: &Value) -> Option<LoginRefusal> {
    match of_claims(claims) {
        Err(Untaken::Refused { refusal, .. }) => Some(refusal),
        _ => None,
    }
}

fn is_unproven(token: &str) -> bool {
    matches!(judged(token), Err(Untaken::Unproven(_)))
}

#[test]
fn rfc_9068_section_4_an_access_token_of_a_trusted_issuer_is_taken_with_each_algorithm() {
    for alg in ["EdDSA", "ES256", "RS256"] {
        let person = judged(&signed(alg, &header(alg), &claims())).unwrap();

        assert_eq!((person.subject.as_str(), person.issuer.as_str()), ("alice@example.com", LOGIN), "{alg}");
        assert_eq!((person.grant.is_admin, person.logged_in), (false, NOW));
        assert_eq!(person.grant.teams, Teams::These(vec!["red".parse().unwrap()]));
        assert_eq!(person.grant.permissions.iter().map(Permission::as_str).collect::<Vec<_>>(), ["tokens.create"]);
    }
}

#[test]
fn rfc_9068_section_4_typ_is_that_of_an_access_token_in_any_case_and_an_id_token_is_refused() {
    let with_typ = |typ: Value| {
        let mut header = header("EdDSA");
        header["typ"] = typ;
        judged(&signed("EdDSA", &header, &claims()))
    };

    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(with_typ(json!(typ)).is_ok(), "{typ}");
    }
    for typ in [json!("JWT"), json!("jwt"), json!("at+jwt "), json!("logout+jwt"), json!(null), json!(["at+jwt"])] {
        let refused = with_typ(typ.clone()).unwrap_err();
        let sub = Some("248289761001".to_owned());
        assert_eq!(refused, Untaken::Refused { sub, refusal: LoginRefusal::NotAnAccessToken }, "{typ}");
    }
}

#[test]
fn rfc_9068_section_4_the_audience_is_this_catalog() {
    for aud in [json!(HERE), json!(["other", HERE])] {
        assert!(of_claims(&claims_with("aud", aud)).is_ok());
    }
    for aud in [json!("other"), json!([]), json!(format!("{HERE}/")), json!(null), json!({"0": HERE})] {
        assert_eq!(refusal(&claims_with("aud", aud)), Some(LoginRefusal::OtherAudience));
    }
}

#[test]
fn rfc_9068_section_4_the_issuer_is_the_trusted_one_to_the_letter() {
    for iss in [json!(format!("{LOGIN}/")), json!("https://LOGIN.example.com"), json!(null)] {
        assert!(matches!(of_claims(&claims_with("iss", iss)), Err(Untaken::Unproven(_))));
    }
}

#[test]
fn rfc_9068_section_4_it_is_over_at_exp_and_only_iat_and_nbf_have_a_small_leeway() {
    let out_of_time = |claims: &Value| matches!(of_claims(claims), Err(Untaken::OutOfTime(_)));

    assert!(out_of_time(&claims_with("exp", json!(NOW))) && !out_of_time(&claims_with("exp", json!(NOW + 1))));
    for claim in ["iat", "nbf"] {
        assert!(of_claims(&claims_with(claim, json!(NOW + 5))).is_ok(), "{claim}");
        assert!(out_of_time(&claims_with(claim, json!(NOW + 6))), "{claim}");
    }
    assert!(out_of_time(&claims_with("nbf", json!("soon"))));
}

#[test]
fn rfc_9068_section_2_2_a_token_that_does_not_say_its_times_is_no_access_token() {
    assert!(of_claims(&claims_with("exp", json!(253_402_300_799_i64))).is_ok());
    for member in ["exp", "iat"] {
        assert_eq!(refusal(&claims_without(member)), Some(LoginRefusal::NotAnAccessToken), "{member}");
        for absurd in [
            json!("1"),
            json!(-1),
            json!(-0.5),
            json!(253_402_300_800_i64),
            json!(u64::MAX),
            json!(1e300),
            json!(-1e300),
        ] {
            let refused = refusal(&claims_with(member, absurd.clone()));
            assert_eq!(refused, Some(LoginRefusal::NotAnAccessToken), "{member}: {absurd}");
        }
    }
}

#[test]
fn rfc_9068_section_2_2_a_token_is_about_somebody() {
    for nobody in [claims_without("sub"), claims_with("sub", json!("")), claims_with("sub", json!(7))] {
        assert_eq!(refusal(&nobody), Some(LoginRefusal::NotAnAccessToken));
    }
}

#[test]
fn rfc_9068_section_2_2_a_token_has_a_client_id_and_a_jti_unless_the_policy_lets_it_leave_them_out() {
    for claim in OptionalClaim::ALL {
        let mut lenient = trusted();
        lenient.optional_claims.insert(claim);
        let name = claim.as_str();

        for lacking in [claims_without(name), claims_with(name, json!("")), claims_with(name, json!(7))] {
            assert_eq!(refusal(&lacking), Some(claim.into()), "{name}");
            let token = signed("EdDSA", &header("EdDSA"), &lacking);
            assert!(judged_by(&lenient, &token).is_ok(), "{name}");
        }
        let neither = claims_without("jti").as_object().unwrap().clone();
        let neither: Value = neither.into_iter().filter(|(name, _)| name != "client_id").collect();
        assert!(
            judged_by(&lenient, &signed("EdDSA", &header("EdDSA"), &neither)).is_err(),
            "only {name} may be missing"
        );
    }
}

#[test]
fn rfc_7518_section_3_5_a_token_that_is_signed_with_ps256_is_taken() {
    let pair = RsaKeyPair::from_pkcs8(&Bench::rsa_pkcs8()).unwrap();
    let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let mut jwk = json!({"kty": "RSA", "kid": "r", "n": base64url(n), "e": base64url(e)});
    let header = json!({"typ": "at+jwt", "alg": "PS256", "kid": "r"});
    let input = format!("{}.{}", base64url(header.to_string()), base64url(claims().to_string()));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
    let token = format!("{input}.{}", base64url(signature));
    let is_taken = |jwk: &Value| {
        let read = ProviderToken::read(&token).unwrap();
        read.person(&trusted(), &keys(&json!({"keys": [jwk]})), at(NOW)).is_ok()
    };

    assert!(is_taken(&jwk), "the key is for either scheme");
    for (alg, expected) in [("PS256", true), ("RS256", false)] {
        jwk["alg"] = json!(alg);
        assert_eq!(is_taken(&jwk), expected, "the key is for {alg}");
    }
}

#[test]
fn rfc_9068_section_2_2_3_1_groups_and_roles_are_lists_of_names_or_of_scim_values() {
    let roles = |roles: Value| of_claims(&claims_with("roles", roles)).unwrap().grant.is_admin;

    for good in [json!(["ops"]), json!("ops"), json!([1, {"value": "ops", "display": "Operators"}])] {
        assert!(roles(good));
    }
    for bad in [json!({"value": "ops"}), json!([["ops"]]), json!(null), json!("ops staff"), json!([{"display": "ops"}])]
    {
        assert!(!roles(bad));
    }
}

#[test]
fn an_address_has_to_be_verified_and_of_a_domain_that_its_provider_speaks_for() {
    for unverified in [json!(false), json!("true"), json!(1), json!(null)] {
        assert_eq!(refusal(&claims_with("email_verified", unverified)), Some(LoginRefusal::EmailUnverified));
    }
    assert_eq!(refusal(&claims_without("email_verified")), Some(LoginRefusal::EmailUnverified));
    for foreign in ["alice@example.net", "alice@sub.example.com", "alice@notexample.com", "alice@example.com.evil"] {
        assert_eq!(refusal(&claims_with("email", json!(foreign))), Some(LoginRefusal::OtherDomain), "{foreign}");
    }
    for none in ["alice", "@example.com", "a@b@example.com", "alice@example.com\n", "alice@", "a lice@example.com"] {
        assert!(refusal(&claims_with("email", json!(none))).is_some(), "{none}");
    }
    assert_eq!(
        of_claims(&claims_with("email", json!("Alice@EXAMPLE.Org"))).unwrap().subject.as_str(),
        "alice@example.org"
    );
}

#[test]
fn a_subject_of_another_claim_is_no_address_of_somebody_else() {
    let mut trusted = trusted();
    trusted.claims.subject = "preferred_username".parse().unwrap();
    let of_name = |name: Value| {
        let claims = claims_with("preferred_username", name);
        judged_by(&trusted, &signed("EdDSA", &header("EdDSA"), &claims)).map(|person| person.subject.to_string())
    };

    assert_eq!(of_name(json!("alice")), Ok("alice".to_owned()));
    assert_eq!(of_name(json!("bob@Example.com")), Ok("bob@example.com".to_owned()));
    for bad in [json!("root@localhost"), json!("bob@example.net"), json!(""), json!("a b"), json!(7)] {
        assert!(of_name(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_claim_is_named_by_itself_or_by_the_path_to_it() {
    let mut trusted = trusted();
    trusted.claims.roles = "realm_access.roles".parse().unwrap();
    let is_admin =
        |claims: &Value| judged_by(&trusted, &signed("EdDSA", &header("EdDSA"), claims)).unwrap().grant.is_admin;

    assert!(is_admin(&claims_with("realm_access", json!({"roles": ["ops"]}))));
    assert!(is_admin(&claims_with("realm_access.roles", json!(["ops"]))));
    assert!(!is_admin(&claims_with("realm_access", json!(["ops"]))));
}

#[test]
fn rfc_8725_section_3_1_a_key_verifies_with_its_own_algorithms_only() {
    let bench = Bench::get();
    for (said, key) in
        [("RS256", "EdDSA"), ("EdDSA", "ES256"), ("PS256", "RS256"), ("HS256", "RS256"), ("none", "RS256")]
    {
        let header = json!({"typ": "at+jwt", "alg": said, "kid": kid(bench, key)});

        assert!(is_unproven(&signed(key, &header, &claims())), "{said} by a key for {key}");
    }
    let unsigned = format!("{}.{}.", base64url(json!({"typ": "at+jwt", "alg": "none"}).to_string()), base64url("{}"));
    assert!(is_unproven(&unsigned));
    // A set may bind an RSA key to the other scheme: then RS256 is not taken from it.
    let mut bound = jwk(bench, &bench.rs256);
    bound["alg"] = json!("PS256");
    let token = signed("RS256", &header("RS256"), &claims());
    let read = ProviderToken::read(&token).unwrap();
    assert!(read.person(&trusted(), &keys(&json!({"keys": [bound]})), at(NOW)).is_err());
}

#[test]
fn rfc_7519_section_4_a_member_that_stands_twice_is_refused() {
    let twice = |json: &str| json.replacen('{', r#"{"sub":"mallory","#, 1);
    let bench = Bench::get();
    let (header, claims) = (header("EdDSA").to_string(), claims().to_string());

    assert!(judged(&bench.forge(&bench.eddsa, &header, &claims)).is_ok());
    assert!(is_unproven(&bench.forge(&bench.eddsa, &header, &twice(&claims))));
    assert!(is_unproven(&bench.forge(&bench.eddsa, &header.replacen('{', r#"{"kid":"x","#, 1), &claims)));
}

#[test]
fn rfc_8725_section_3_10_keys_and_addresses_in_a_header_are_not_looked_at_and_unknown_members_are_no_fault() {
    let bench = Bench::get();
    let mut decorated = header("EdDSA");
    decorated["jku"] = json!("https://evil.example/jwks");
    decorated["x5u"] = json!("https://evil.example/chain");
    decorated["jwk"] = jwk(bench, &bench.rs256);
    decorated["x-own"] = json!({"a": 1});

    assert!(judged(&signed("EdDSA", &decorated, &claims())).is_ok());
    // Signed by the key that the header brings along: it is nobody's.
    decorated["kid"] = json!("unheard-of");
    assert!(is_unproven(&signed("EdDSA", &decorated, &claims())));
}

#[test]
fn rfc_7515_section_4_1_11_a_critical_extension_is_not_understood() {
    let mut critical = header("EdDSA");
    critical["crit"] = json!(["b64"]);

    assert!(is_unproven(&signed("EdDSA", &critical, &claims())));
}

#[test]
fn a_signature_over_other_claims_and_what_is_no_jwt_are_nobodys() {
    let token = signed("EdDSA", &header("EdDSA"), &claims());
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();

    let other = base64url(claims_with("email", json!("root@example.com")).to_string());
    assert!(is_unproven(&format!("{header}.{other}.{signature}")));
    for text in ["", "a", "a.b", "a.b.c", "..", &format!("{token}="), &format!("{token}.x"), &format!("x.{token}")] {
        assert!(is_unproven(text), "{text}");
    }
    assert!(ProviderToken::read(&format!("{token}{}", "A".repeat(16 * 1024))).is_none());
}

#[test]
fn rfc_7517_section_5_keys_that_are_unknown_or_for_something_else_are_left_out() {
    let bench = Bench::get();
    let mut for_encryption = jwk(bench, &bench.eddsa);
    for_encryption["use"] = json!("enc");
    let mut for_signing_only = jwk(bench, &bench.es256);
    for_signing_only["key_ops"] = json!(["sign"]);
    let mut good = jwk(bench, &bench.rs256);
    (good["use"], good["key_ops"], good["x5t"]) = (json!("sig"), json!(["verify"]), json!("abc"));
    let unknown = json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"});

    let read = keys(&json!({"keys": [for_encryption, for_signing_only, good, unknown], "more": 1}));

    assert!(read.know(bench.rs256.as_str()));
    assert!(!read.know(bench.eddsa.as_str()) && !read.know(bench.es256.as_str()) && !read.know("pq"));
    assert_eq!(read.ignored().iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["pq"]);
}

#[test]
fn rfc_7517_section_9_3_a_set_with_a_private_member_is_dropped_whole() {
    let bench = Bench::get();
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let mut shown = set(bench);
        shown["keys"][1][member] = json!("AA");

        let fault = ProviderKeys::read(shown.to_string().as_bytes()).unwrap_err();

        assert_eq!(fault, JwksFault::PrivateMember(member));
        assert!(fault.gives_keys_away());
    }
}

#[test]
fn rfc_7517_section_5_what_is_no_set_is_not_taken_for_an_empty_one() {
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
        assert_eq!(ProviderKeys::read(text.as_bytes()).unwrap_err(), JwksFault::Form, "{text}");
    }
    // Nor is an empty one taken: whoever signs tokens has a key.
    assert_eq!(ProviderKeys::read(br#"{"keys":[]}"#).unwrap_err(), JwksFault::Empty);
}

#[test]
fn rfc_8725_section_3_5_weak_and_broken_keys_are_left_out_and_told() {
    let weak = PublicJwk::Rsa { n: base64url([0xff; 128]), e: "AQAB".to_owned() };
    let mut weak = serde_json::to_value(weak).unwrap();
    weak["kid"] = json!("weak");
    let bench = Bench::get();
    let mut nameless = jwk(bench, &bench.eddsa);
    nameless.as_object_mut().unwrap().remove("kid");
    let mut mismatched = jwk(bench, &bench.eddsa);
    mismatched["alg"] = json!("RS256");
    let mut symmetric = jwk(bench, &bench.rs256);
    symmetric["alg"] = json!("HS256");

    let read = keys(&json!({"keys": [weak, nameless, mismatched, symmetric, jwk(bench, &bench.es256)]}));

    let told: Vec<&str> = read.ignored().iter().map(|key| key.why.as_str()).collect();
    assert!(told[0].contains("1024 bits"), "{told:?}");
    assert_eq!(told[1..], ["it has no kid", "its alg is not for its kind", "its alg is not taken"]);
    assert!(!read.know("weak") && read.know(bench.es256.as_str()));
}
