//! Settings: what shapes a token is in the log, a process that was told otherwise does not run, and weak secrets are refused.

use std::{fs, path::PathBuf};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::support::{Site, TestDatabase};

const SECRET: &str = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8";
const OTHER_SECRET: &str = "zP5nC8tJ1qYx3RfW6gVb9KdM2hLs7AuE";

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_differs_from_the_log_is_an_error_that_names_both_values() {
    let site = Site::new().await.with("CATALOG_ISSUER", "https://one.example").with("CATALOG_AUDIENCE", "one");
    site.admin();
    let site = site.without("CATALOG_ISSUER").without("CATALOG_AUDIENCE");
    let other = |name: &str, value: &str| site.with(name, value);
    let cases: [(Site, &[&str], [&str; 3]); 8] = [
        (
            site.clone(),
            &["--issuer", "https://two.example"],
            ["the issuer", "https://two.example", "https://one.example"],
        ),
        (site.clone(), &["--audience", "two"], ["the audience", "'two'", "'one'"]),
        (site.clone(), &["--environment", "staging"], ["the environment", "'staging'", "'none'"]),
        (
            other("CATALOG_ISSUER", "https://two.example"),
            &[],
            ["the issuer", "https://two.example", "https://one.example"],
        ),
        (other("JWT_ISSUER", "mcpgateway"), &[], ["the issuer", "'mcpgateway'", "https://one.example"]),
        (other("JWT_AUDIENCE", "mcpgateway-api"), &[], ["the audience", "'mcpgateway-api'", "'one'"]),
        (other("ENVIRONMENT", "staging"), &[], ["the environment", "'staging'", "'none'"]),
        (other("JWT_ALGORITHM", "ES256"), &[], ["the algorithm", "'ES256'", "'EdDSA'"]),
    ];

    for (site, flags, parts) in cases {
        for command in [&["issue", "--dev", "--sub", "a"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let said = site.cli(&[command, flags].concat()).bad(2);

            assert!(parts.iter().all(|part| said.contains(part)), "{parts:?} are not in {said}");
            assert!(said.contains("hint: leave the setting out"), "{said}");
        }
    }
    site.cli(&["issue", "--dev", "--sub", "a", "--issuer", "https://one.example", "--audience", "one"]).good();
    assert_eq!(site.cli(&["audit", "events"]).good().lines().count(), 6, "nothing else was issued");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_on_a_catalog_that_signs_otherwise_is_an_error_that_names_both_keys() {
    let site = Site::new().await;
    site.admin();
    let kid = site.cli(&["keys", "list", "--format", "json"]).json()[0]["kid"].as_str().unwrap().to_owned();

    let said = site.with("JWT_SECRET_KEY", SECRET).cli(&["issue", "--dev", "--sub", "a"]).bad(2);

    assert!(said.contains("the signing key is '") && said.contains(&format!("'{kid}' in the log")), "{said}");
    assert!(!said.contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_or_published_secret_is_refused_and_not_shown() {
    let site = Site::new().await;
    for (secret, why) in [
        ("my-test-key", "published default or a placeholder"),
        ("my-test-key-but-now-longer-than-32-bytes", "published default or a placeholder"),
        ("a-string-secret-at-least-256-bits-long", "published default or a placeholder"),
        ("0123456789ABCDEF0123456789ABCDEF", "published default or a placeholder"),
        (&SECRET[1..], "has 31 bytes, the minimum is 32"),
        ("abcabcabcabcabcabcabcabcabcabcabcabc", "fewer than 8 different bytes"),
    ] {
        let told = site.with("JWT_SECRET_KEY", secret);
        for command in [&["issue", "--dev", "--sub", "a"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let said = told.cli(command).bad(2);

            assert!(said.contains("JWT_SECRET_KEY is refused") && said.contains(why), "{said}");
            assert!(said.contains("hint: make one with `openssl rand") && !said.contains(secret), "{said}");
        }
    }
    assert_eq!(site.cli(&["audit", "events"]).good(), "", "no catalog was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn hs256_works_from_either_door_where_both_have_the_secret() {
    let site = Site::new().await.with("JWT_SECRET_KEY", SECRET).with("JWT_ISSUER", "mcpgateway");
    let admin = site.admin();
    let server = site.serve().await;

    let of_shell = site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    let of_api = server.client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();

    assert!(server.client.is_active(&of_shell, &admin).await);
    assert!(server.client.is_active(of_api["access_token"].as_str().unwrap(), &admin).await);
    assert_eq!(server.client.get("/readyz", "").await.status, 200);
    assert_eq!(server.client.get("/.well-known/jwks.json", "").await.json(), json!({"keys": []}));
    let kid = site.cli(&["keys", "list", "--format", "json"]).json()[0]["kid"].as_str().unwrap().to_owned();
    assert!(site.cli(&["keys", "show", &kid]).bad(1).contains("shared secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_the_secret_cannot_tell_and_does_not_say_no() {
    let told = Site::new().await.with("JWT_SECRET_KEY", SECRET);
    let admin = told.admin();
    let token = told.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    let untold = told.without("JWT_SECRET_KEY");

    let server = untold.serve().await;
    let ready = server.client.get("/readyz", "").await;
    let checked = server.client.introspect(&token, &admin).await;
    let asked = server.client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await;
    let issued = untold.cli(&["issue", "--dev", "--sub", "alice@example.com"]).bad(2);

    assert_eq!((ready.status.as_u16(), ready.json()["checks"]["signing_key"].clone()), (503, json!(false)));
    assert_eq!((checked.status.as_u16(), checked.header("retry-after")), (503, "1"), "{checked:?}");
    assert_eq!((asked.status.as_u16(), asked.header("retry-after")), (503, "1"), "{asked:?}");
    assert!(issued.contains("is not in the keyring") && issued.contains("hint: ") && issued.contains("JWT_SECRET_KEY"));
    untold.cli(&["audit", "verify"]).good();
    let differs = told.with("JWT_SECRET_KEY", OTHER_SECRET).cli(&["issue", "--dev", "--sub", "a"]).bad(2);
    assert!(differs.contains("the signing key is '") && !differs.contains(OTHER_SECRET), "{differs}");
    assert_eq!(told.cli(&["audit", "events"]).good().lines().count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_environment_has_its_own_key_where_it_is_derived() {
    let derived = Site::new().await.with("JWT_SECRET_KEY", SECRET).with("DERIVE_KEY_PER_ENVIRONMENT", "true");
    let production = derived.with("ENVIRONMENT", "production");
    let admin = production.admin();
    let server = production.serve().await;
    let token = production.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();

    let plain = production.with("DERIVE_KEY_PER_ENVIRONMENT", "false").cli(&["issue", "--dev", "--sub", "a"]).bad(2);
    let staging = derived.with("ENVIRONMENT", "staging").cli(&["issue", "--dev", "--sub", "a"]).bad(2);
    let neither = production.with("DERIVE_KEY_PER_ENVIRONMENT", "maybe").cli(&["issue", "--dev", "--sub", "a"]).bad(2);

    assert!(server.client.is_active(&token, &admin).await);
    assert_eq!(server.client.introspect(&token, &admin).await.json()["env"], "production");
    assert!(plain.contains("the signing key is '"), "{plain}");
    assert!(staging.contains("'staging' here but 'production' in the log"), "{staging}");
    assert!(neither.contains("DERIVE_KEY_PER_ENVIRONMENT is neither true nor false"), "{neither}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_key_file_signs_in_its_own_algorithm() {
    let directory = crate::support::cluster::open_directory();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let rsa_der = rsa.as_der().unwrap();
    let ec_der =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let pem = |name: &str, der: &[u8]| -> PathBuf {
        let path = directory.path().join(name);
        let text = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let keys = [("RS256", pem("rsa.pem", rsa_der.as_ref())), ("ES256", pem("ec.pem", ec_der.as_ref()))];

    for (alg, path) in &keys {
        let site = Site::new().await.with("JWT_ALGORITHM", alg).with("JWT_PRIVATE_KEY_PATH", path.to_str().unwrap());
        let admin = site.admin();
        let server = site.serve().await;
        let issued = server.client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();
        let token = issued["access_token"].as_str().unwrap();

        let header = site.cli(&["decode", token]).json()["header"].clone();
        let jwks = server.client.get("/.well-known/jwks.json", "").await.json();

        assert_eq!((&header["alg"], &header["kid"]), (&json!(alg), &jwks["keys"][0]["kid"]));
        assert!(server.client.is_active(token, &admin).await);
        let listed = site.cli(&["keys", "list"]).good();
        assert!(listed.contains(alg) && listed.contains("here"), "{listed}");
        assert!(!site.data().join("keys").join("rsa.pem").exists(), "the key stays where it is");
    }
    let other = if keys[0].0 == "RS256" { &keys[1].1 } else { &keys[0].1 };
    let mixed = Site::new().await.with("JWT_ALGORITHM", "RS256").with("JWT_PRIVATE_KEY_PATH", other.to_str().unwrap());
    let said = mixed.cli(&["issue", "--dev", "--sub", "a"]).bad(2);
    assert!(said.contains("RS256") && said.contains("ES256"), "{said}");
    let missing = mixed.with("JWT_PRIVATE_KEY_PATH", "/nonexistent/key.pem");
    assert!(missing.cli(&["issue", "--dev", "--sub", "a"]).bad(2).contains("/nonexistent/key.pem"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_database_url_is_never_used_and_a_note_says_so() {
    let catalog = Site::new().await;
    catalog.admin();
    let url = catalog.setting("CATALOG_DATABASE_URL").to_owned();
    let bare = catalog.without("CATALOG_DATABASE_URL").with("DATABASE_URL", &url);

    let read = bare.cli(&["audit", "events"]).bad(2);
    let beside = catalog.with("DATABASE_URL", "postgres://gateway@127.0.0.1:1/gateway").cli(&["audit", "events"]);

    let note = "note: DATABASE_URL is not used, it belongs to the gateway; name the catalog's database in \
                CATALOG_DATABASE_URL";
    assert!(read.contains(note) && read.contains("there is no catalog in"), "{read}");
    assert!(!beside.stderr.contains("note: "), "{}", beside.stderr);
    assert_eq!(beside.good().lines().count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_without_any_database_named_goes_to_the_private_one() {
    let database = TestDatabase::migrated().await;
    let site = Site::embedded().with("DATABASE_URL", &database.url());

    let done = site.cli(&["issue", "--dev", "--sub", "alice@example.com"]);

    assert!(done.stderr.contains("note: DATABASE_URL is not used"), "{}", done.stderr);
    done.good();
    assert_eq!(site.cli(&["audit", "events"]).good().lines().count(), 5);
    let untouched = Site::on(&database.url());
    assert_eq!(untouched.cli(&["audit", "events"]).good(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_not_taken_leaves_no_trace() {
    let site = Site::embedded();
    let cases = [
        ("JWT_SECRET_KEY", "my-test-key", "JWT_SECRET_KEY is refused"),
        ("JWT_ALGORITHM", "HS384", "JWT_ALGORITHM: 'HS384'"),
        ("CATALOG_ALGORITHM", "HS256", "there is no shared secret"),
        ("CATALOG_ISSUER", "https://", "CATALOG_ISSUER: 'https://'"),
        ("CATALOG_AUDIENCE", "a b", "CATALOG_AUDIENCE: contains white space"),
        ("ENVIRONMENT", "a b", "ENVIRONMENT: contains white space"),
        ("CATALOG_LISTEN", "nowhere", "CATALOG_LISTEN: 'nowhere'"),
    ];

    for (name, value, why) in cases {
        for command in [&["issue", "--dev", "--sub", "a"][..], &["serve"]] {
            let said = site.with(name, value).cli(command).bad(2);

            assert!(said.contains(why), "{said}");
        }
    }
    assert_eq!(fs::read_dir(site.data()).unwrap().count(), 0, "no cluster was made, and no key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_wins_over_our_variable_and_ours_over_the_gateways() {
    let site = Site::new().await.with("JWT_AUDIENCE", "theirs").with("CATALOG_AUDIENCE", "ours");
    let audience = |flags: &[&str]| {
        let token = site.cli(&[&["issue", "--dev", "--sub", "a"], flags].concat()).good();
        site.cli(&["decode", &token]).json()["claims"]["aud"][0].as_str().unwrap().to_owned()
    };

    assert_eq!(audience(&[]), "ours");
    assert!(
        site.cli(&["issue", "--dev", "--sub", "a", "--audience", "flag"]).bad(2).contains("'flag' here but 'ours'")
    );
    assert_eq!(audience(&["--audience", "ours"]), "ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_manage_tokens_are_never_issued_to_whoever_names_no_audience() {
    let site = Site::new().await.with("CATALOG_AUDIENCE", "catalog");

    let refused = site.cli(&["issue", "--dev", "--sub", "a"]).bad(2);

    assert!(refused.contains("cannot be catalog") && refused.contains("hint: "), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_catalog_is_named_after_the_port_that_was_taken_and_keeps_that_name() {
    let site = Site::new().await;

    let first = site.serve().await;
    let url = first.client.url.clone();
    let issued = first.client.get("/nowhere", "").await.json();
    first.stop().await;
    let second = site.serve().await;
    let later = second.client.get("/nowhere", "").await.json();

    assert_eq!(issued["type"], format!("{url}/problems/route_unknown"));
    assert_eq!(later["type"], issued["type"]);
    let token = site.admin();
    assert_eq!(site.cli(&["decode", &token]).json()["claims"]["iss"], url);
}
