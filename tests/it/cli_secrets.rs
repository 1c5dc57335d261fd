//! Secrets stay where they are: nothing that a process says contains a token, a key, a password or a person's address,
//! however much it is told to say, and wherever a client puts them.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::support::{
    Office, Site,
    process::{Client, answered},
};

const SECRET: &str = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8";
const PASSWORD: &str = "canary-password-7Q";
const PERSON: &str = "canary-person@example.com";

/// Each way to make a process say all that it can.
const LOUD: [(&str, &[&str]); 3] =
    [("trace", &[]), ("trace", &["--log-format", "json"]), ("off", &["--log-format", "json", "-vv"])];

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_a_server_says_however_much_it_says() {
    for (filter, flags) in LOUD {
        let site = with_password(&Site::new().await);
        for site in [site.clone(), with_password(&Site::new().await).with("JWT_SECRET_KEY", SECRET)] {
            let admin = site.admin();
            let server = site.with("CATALOG_LOG", filter).serve_with(flags).await;
            let mut canaries = Canaries::of(&site);
            canaries.token(&admin);

            live(&server.client, &admin, &mut canaries).await;
            misplace(&server.client, &admin, &mut canaries).await;

            let figures = server.client.get("/metrics", "").await.text;
            let said = server.stop().await;
            let answers = said.matches("a request was answered").count();
            assert!(said.contains("a token was issued") && answers > 250, "it said little: {answers} answers");
            canaries.assert_none_in(&said);
            canaries.assert_none_in(&figures);
        }
    }
}

/// A token's whole life, with everything that goes wrong in one.
async fn live(client: &Client, admin: &str, canaries: &mut Canaries) {
    let body = json!({"sub": PERSON, "name": "ci", "full_name": PERSON, "reason": PERSON});
    let issued = client.issue_named(admin, "once", &body).await;
    let token = issued.json()["access_token"].as_str().unwrap().to_owned();
    let jti = issued.json()["token"]["jti"].as_str().unwrap().to_owned();
    canaries.token(&token);
    assert_eq!(client.issue_named(admin, "once", &body).await.status, 201);
    assert!(client.is_active(&token, admin).await);
    // Whoever may not, whatever is wrong.
    assert_eq!(client.get("/tokens", &token).await.status, 401);
    assert_eq!(client.post("/tokens", admin, json!({"sub": PERSON, "name": "ci"})).await.status, 409);
    assert_eq!(client.post("/tokens", admin, json!({"sub": PERSON, "unknown": token})).await.status, 400);
    assert!(!client.is_active(&altered(&token), admin).await);
    assert_eq!(client.delete(&format!("/tokens/{jti}"), admin).await.status, 204);
    assert!(!client.is_active(&token, admin).await);
    assert_eq!(client.get(&format!("/tokens?sub={PERSON}"), admin).await.status, 200);
    assert!(client.events(0, admin).await.len() > 5);
}

/// Every route, and one that is none, with secrets where nobody looks for them.
async fn misplace(client: &Client, admin: &str, canaries: &mut Canaries) {
    let issued = client.post("/tokens", admin, json!({"sub": PERSON, "aud": ["catalog"]})).await.json();
    let token = issued["access_token"].as_str().unwrap();
    let [_, claims, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let middle = &claims[40..90];
    let basic = BASE64_STANDARD.encode(format!("{PERSON}:{PASSWORD}"));
    canaries.token(token);
    canaries.secret(middle);
    canaries.secret(&basic);
    let form = "application/x-www-form-urlencoded";
    for (method, route) in [
        ("POST", "/tokens"),
        ("GET", "/tokens"),
        ("GET", "/tokens/{}"),
        ("GET", "/tokens/{}/events"),
        ("DELETE", "/tokens/{}"),
        ("GET", "/revocations/{}"),
        ("POST", "/revocations/check"),
        ("POST", "/introspect"),
        ("POST", "/revoke"),
        ("GET", "/whoami"),
        ("GET", "/audit/events"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/readyz"),
        ("GET", "/nowhere/{}"),
        (token, "/tokens"),
    ] {
        let at = |word: &str| client.request(method, &route.replace("{}", word));
        let asking = |query: &str| client.request(method, &format!("{}?{query}", route.replace("{}", "x")));
        for request in [
            at(token).bearer_auth(admin),
            at(PERSON).bearer_auth(admin),
            at(PASSWORD),
            asking(&format!("access_token={token}&sub={PERSON}&cursor={token}")).bearer_auth(admin),
            asking(&format!("{token}={PERSON}&jti={token}")).bearer_auth(admin),
            asking(&format!("min_position={token}")).bearer_auth(admin),
            at("x").header("x-request-id", token).header("user-agent", token).bearer_auth(altered(token)),
            at("x").header("x-request-id", claims).header("cookie", format!("session={token}; {claims}={SECRET}")),
            at("x").header("x-request-id", signature).header("user-agent", signature).bearer_auth(token),
            at("x")
                .header("x-request-id", format!("Bearer.{signature}"))
                .header("user-agent", claims)
                .bearer_auth(token),
            at("x").header("x-request-id", middle).header("user-agent", middle).bearer_auth(token),
            at("x").header("authorization", format!("Basic {basic}")).header("idempotency-key", claims),
            at("x").header("authorization", format!("Bearer {token} {token}")).header(claims, PERSON),
            at("x").header("authorization", token).header("referer", format!("https://e.example/?{token}")),
            at("x").bearer_auth(token).json(&json!({"sub": token, "name": SECRET, "jtis": [token, PERSON]})),
            at("x").bearer_auth(admin).json(&json!({"sub": PERSON, token: {"email": PERSON}})),
            at("x").bearer_auth(admin).header("content-type", "application/json").body(format!("{{\"sub\":\"{PERSON}")),
            at("x").bearer_auth(admin).header("content-type", "text/plain").body(token.to_owned()),
            at("x").bearer_auth(admin).header("content-type", form).body(format!("token={token}&token={token}")),
            at("x").bearer_auth(admin).header("content-type", form).body(format!("token={token}x&x={PASSWORD}")),
            at("x").header("content-type", form).body(format!("token={}&client_secret={PASSWORD}", altered(token))),
        ] {
            answered(request).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_a_command_says_besides_the_one_it_is_asked_for() {
    let quiet = with_password(&Site::new().await).with("JWT_SECRET_KEY", SECRET);
    let admin = quiet.admin();
    let mut canaries = Canaries::of(&quiet);
    canaries.token(&admin);
    canaries.secret(&admin[10..]);
    for (filter, flags) in LOUD {
        let site = quiet.with("CATALOG_LOG", filter);
        let unreachable = site.with("CATALOG_DATABASE_URL", &format!("postgres://u:{PASSWORD}@127.0.0.1:1/d"));
        let unreadable = site.with("CATALOG_DATABASE_URL", &format!("mysql://u:{PASSWORD}@h/d"));
        let (weak, other) = (site.with("JWT_SECRET_KEY", PASSWORD), site.with("JWT_SECRET_KEY", &admin));
        for (site, arguments) in [
            (&site, &["issue", "--dev", "--admin", "--sub", "alice@example.com", "--name", filter][..]),
            (&site, &["issue", "--dev", "--admin", "--sub", "alice@example.com", "--name", filter]),
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
            (&unreadable, &["serve", "--listen", "127.0.0.1:0"]),
            (&weak, &["serve", "--listen", "127.0.0.1:0"]),
            (&other, &["serve", "--listen", "127.0.0.1:0"]),
            (&site, &["audit", "verify", "--database-url", &format!("postgres://u:{PASSWORD}@127.0.0.1:1/d")]),
            (&site, &["audit", "verify", "--database-url", &format!("nonsense://u:{PASSWORD}@h/d")]),
        ] {
            let done = site.cli(&[arguments, flags].concat());
            if arguments[0] != "issue" {
                canaries.assert_none_in(&done.stdout);
            } else if done.code == 0 {
                assert!(!done.stdout.is_empty(), "a token that was issued was not shown: {arguments:?}");
                let answer: Option<Value> = serde_json::from_str(&done.stdout).ok();
                let token = answer.as_ref().map_or(done.stdout.trim(), |json| json["access_token"].as_str().unwrap());
                canaries.token(token);
            }
            canaries.assert_none_in(&done.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_a_client_says_besides_the_token_it_is_asked_for() {
    let office = Office::new().await;
    let issued = office.run(&["issue", "--sub", PERSON, "--name", "ci", "--admin", "--aud", "catalog"]).good();
    let client = office.client.with("CATALOG_LOG", "trace").with("CATALOG_TOKEN", &issued);
    let over = office.client.with("CATALOG_LOG", "trace").with("CATALOG_TOKEN", &altered(&issued));
    let nowhere = client.with("CATALOG_URL", "http://127.0.0.1:1");
    let jti = office.run(&["list", "--name", "ci"]).good().split('\t').next().unwrap().to_owned();
    let mut said = String::new();

    for site in [&client, &over, &nowhere] {
        for arguments in [
            &["issue", "--sub", PERSON, "--ttl", "1m"][..],
            &["issue", "--sub", PERSON, "--name", "ci"],
            &["list", "--sub", PERSON],
            &["show", &jti],
            &["whoami"],
            &["revoke", &jti, "--reason", "superseded"],
        ] {
            said += &site.cli(arguments).stderr;
        }
        said += &site.cli_fed(&["check", "-"], &issued).stderr;
    }

    assert!(said.contains(" TRACE ") && said.contains("credential_invalid"), "it said little: {said}");
    let mut canaries = Canaries([SECRET, PASSWORD].map(str::to_owned).to_vec());
    for token in [&issued, &altered(&issued), &office.admin] {
        canaries.token(token);
    }
    canaries.assert_none_in(&said);
    // Only who asks for a token for a person is told for whom it is.
    let unasked: Vec<&str> =
        said.lines().filter(|line| line.contains(PERSON) && !line.starts_with("issued ")).collect();
    assert_eq!(unasked, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_wrong_place_is_not_repeated() {
    let site = Site::new().await;
    let token = site.admin();
    let of_token = format!("--{token}");
    let mut canaries = Canaries(Vec::new());
    canaries.token(&token);

    for arguments in [
        &["show", &token][..],
        &[&token],
        &["revoke", &token, "--reason", "superseded"],
        &["audit", "events", "--jti", &token],
        &["list", "--status", &token],
        &["list", "--jti", &token],
        &["whoami", &token],
        &["whoami", &of_token],
        &["issue", "--sub", "a", "--ttl", &token],
        &["revoke", "--where", &format!("family={token}"), "--dry-run"],
        &["serve", "--listen", &token],
        &["keys", "show", &format!("x/{token}")],
    ] {
        let done = site.cli(arguments);

        assert!(done.code != 0 && !done.stderr.is_empty(), "{arguments:?}");
        canaries.assert_none_in(&done.stderr);
        canaries.assert_none_in(&done.stdout);
    }
    assert!(site.cli(&["show", &token]).bad(2).contains("invalid value '***' for '<JTI>'"));
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

/// What must not be said.
struct Canaries(Vec<String>);

impl Canaries {
    /// The secrets of a site: the shared one, the password of its database, a person's address and the private keys.
    fn of(site: &Site) -> Self {
        let mut canaries = Self([SECRET, PASSWORD, PERSON].map(str::to_owned).to_vec());
        for entry in std::fs::read_dir(site.data().join("keys")).into_iter().flatten() {
            let key = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            canaries.0.extend(key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
        }
        canaries
    }

    fn secret(&mut self, secret: &str) {
        self.0.push(secret.to_owned());
    }

    /// A token's claims and its signature. Its head says nothing that is not public.
    fn token(&mut self, token: &str) {
        self.0.extend(token.split('.').skip(1).filter(|part| part.len() > 20).map(str::to_owned));
    }

    fn assert_none_in(&self, text: &str) {
        for canary in &self.0 {
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(canary)).take(3).collect();
            assert!(lines.is_empty(), "{canary} is in:\n{}", lines.join("\n"));
        }
    }
}
