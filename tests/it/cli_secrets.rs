//! Secrets stay where they are: nothing that a process says contains a token, a key, a password or a person's address.

use serde_json::json;

use crate::support::Site;

const SECRET: &str = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8";
const PASSWORD: &str = "canary-password-7Q";
const PERSON: &str = "canary-person@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_a_server_says_however_much_it_says() {
    let site = with_password(&Site::new().await);

    for site in [site.clone(), with_password(&Site::new().await).with("JWT_SECRET_KEY", SECRET)] {
        let site = site.with("CATALOG_LOG", "trace");
        let admin = site.with("CATALOG_LOG", "warn").admin();
        let server = site.serve().await;
        let client = &server.client;
        let issued = client.post("/tokens", &admin, json!({"sub": PERSON, "name": "ci", "full_name": PERSON})).await;
        let token = issued.json()["access_token"].as_str().unwrap().to_owned();
        let jti = issued.json()["token"]["jti"].as_str().unwrap().to_owned();
        assert!(client.is_active(&token, &admin).await);
        // Whoever may not, whatever is wrong.
        assert_eq!(client.get("/tokens", &token).await.status, 401);
        assert_eq!(client.post("/tokens", &admin, json!({"sub": PERSON, "name": "ci"})).await.status, 409);
        assert_eq!(client.post("/tokens", &admin, json!({"sub": PERSON, "unknown": token})).await.status, 400);
        assert!(!client.is_active(&altered(&token), &admin).await);
        assert_eq!(client.delete(&format!("/tokens/{jti}"), &admin).await.status, 204);
        assert!(!client.is_active(&token, &admin).await);
        assert_eq!(client.get(&format!("/tokens?sub={PERSON}"), &admin).await.status, 200);
        assert!(client.events(0, &admin).await.len() > 5);

        let said = server.stop().await;

        assert!(said.contains(" TRACE ") && said.contains("a token was issued"), "it said little: {said}");
        assert_holds_none(&said, &[&admin, &token, &altered(&token)]);
        assert!(!said.contains(PERSON), "{}", around(&said, PERSON));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_a_command_says_besides_the_one_it_is_asked_for() {
    let site = with_password(&Site::new().await).with("JWT_SECRET_KEY", SECRET);
    let admin = site.admin();
    let site = site.with("CATALOG_LOG", "trace");
    let unreachable = site.with("CATALOG_DATABASE_URL", &format!("postgres://u:{PASSWORD}@127.0.0.1:1/d"));
    let unreadable = site.with("CATALOG_DATABASE_URL", &format!("mysql://u:{PASSWORD}@h/d"));
    let mut told = Vec::new();
    let mut shown = Vec::new();

    for (site, arguments) in [
        (&site, &["issue", "--dev", "--admin", "--sub", "alice@example.com", "--name", "ci"][..]),
        (&site, &["issue", "--dev", "--admin", "--sub", "alice@example.com", "--name", "ci"]),
        (&site, &["issue", "--dev", "--sub", "alice@example.com", "--format", "json"]),
        (&site, &["audit", "events", "--format", "json"]),
        (&site, &["audit", "verify"]),
        (&site, &["keys", "list", "--format", "json"]),
        (&site, &["migrate"]),
        (&site, &["decode", &admin]),
        (&site, &["decode", &admin[10..]]),
        (&unreachable, &["issue", "--dev", "--sub", "a"]),
        (&unreachable, &["serve", "--listen", "127.0.0.1:0"]),
        (&unreadable, &["issue", "--dev", "--sub", "a"]),
        (&site, &["audit", "verify", "--database-url", &format!("postgres://u:{PASSWORD}@127.0.0.1:1/d")]),
        (&site, &["audit", "verify", "--database-url", &format!("nonsense://u:{PASSWORD}@h/d")]),
    ] {
        let done = site.cli(arguments);
        told.push(done.stderr);
        if arguments[0] != "issue" {
            shown.push(done.stdout);
        } else if done.code == 0 {
            told.push(format!("no token {:?}", done.stdout.is_empty()));
        }
    }

    assert_holds_none(&told.concat(), &[&admin, &admin[10..]]);
    assert_holds_none(&shown.concat(), &[&admin]);
    assert!(!told.concat().contains("no token true"), "every token that was issued was shown");
}

/// The same database, by an address with a password that the socket never asks for.
fn with_password(site: &Site) -> Site {
    let url = site.setting("CATALOG_DATABASE_URL").replace("catalog_owner@", &format!("catalog_owner:{PASSWORD}@"));
    site.with("CATALOG_DATABASE_URL", &url)
}

fn altered(token: &str) -> String {
    let (input, _) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", "A".repeat(43))
}

/// Asserts that neither a whole token nor its signature nor its claims are in a text, nor any other secret.
fn assert_holds_none(text: &str, tokens: &[&str]) {
    let parts = tokens.iter().flat_map(|token| token.split('.').skip(1)).filter(|part| part.len() > 20);
    for secret in parts.chain([SECRET, PASSWORD]) {
        assert!(!text.contains(secret), "{}", around(text, secret));
    }
}

fn around(text: &str, secret: &str) -> String {
    text.lines().filter(|line| line.contains(secret)).take(3).collect::<Vec<_>>().join("\n")
}
