//! The policy as operators and processes live with it: shown, checked, applied, followed everywhere at once.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Site, World,
    process::until,
    provider::{Provider, apply},
    world::{plain, shell},
};
use catalog::{
    app::Requester,
    domain::{Authority, Path},
};

fn file(site: &Site, text: &str) -> PathBuf {
    let path = site.data().join("policy.toml");
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_shown_checked_applied_and_named_by_every_issuance() {
    let site = Site::new().await;
    let admin = site.admin();
    let text = "# ours\n[api]\nttl_max = \"1d\"\n\n[cli-dev]\nelevated = \"deny\"\n";
    let path = file(&site, text);
    let path = path.to_str().unwrap();
    let server = site.serve().await;
    let ttl = |seconds: u32| server.client.post("/tokens", &admin, json!({"sub": "a", "expires_in": seconds}));
    assert_eq!(ttl(86_401).await.status, 201);

    let checked = site.cli(&["policy", "check", path]);
    let applied = site.cli(&["policy", "apply", path, "--format", "json"]).json();
    let again = site.cli(&["policy", "apply", path, "--format", "json"]).json();

    assert_eq!((checked.code, checked.stdout.as_str()), (0, ""));
    assert_eq!((&applied["version"], &again["version"], &again["position"]), (&json!(2), &json!(2), &Value::Null));
    assert_eq!(site.cli(&["policy", "show", "--applied"]).good(), text.trim_end());
    let shown = site.cli(&["policy", "show"]).good();
    assert!(shown.contains("ttl_max = \"1day\"") && shown.contains("elevated = \"deny\""), "{shown}");
    assert_eq!(
        site.cli(&["policy", "apply", file(&site, &shown).to_str().unwrap(), "--format", "json"]).json()["version"],
        3
    );
    // The server was not told, and nobody waited for it: what it decides is decided by the log.
    let refused = ttl(86_401).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].clone()), (403, json!("ttl_too_long")));
    let issued = ttl(86_400).await.json();
    assert_eq!(issued["token"]["policy_version"], 3);
    let elevated = site.cli(&["issue", "--dev", "--sub", "a", "--admin"]).bad(1);
    assert!(elevated.contains("no elevated claims from a shell: admin") && elevated.contains("hint: "), "{elevated}");
    let log = site.cli(&["audit", "events", "--format", "ndjson", "--path", "cli-admin"]).ndjson();
    assert_eq!((log[0]["kind"].clone(), log[0]["data"]["text"].clone()), (json!("policy.applied.v1"), json!(text)));
    site.cli(&["audit", "verify"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_at_fault_is_refused_with_line_and_key_and_the_policy_in_force_stays() {
    let site = Site::new().await;
    site.admin();
    let before = site.cli(&["policy", "show"]).good();

    for (text, told) in [
        ("[api]\nttl_maxx = \"1d\"\n", "line 2: api.ttl_maxx: unknown field `ttl_maxx`"),
        (
            "[api]\nttl_max = \"1h\"\nttl_default = \"2h\"\n",
            "line 3: api.ttl_default of 7200 s exceeds api.ttl_max of 3600 s",
        ),
    ] {
        let path = file(&site, text);
        for command in ["check", "apply"] {
            let said = site.cli(&["policy", command, path.to_str().unwrap()]).bad(2);
            assert!(said.contains(told) && said.contains("hint: "), "{said}");
        }
    }
    let missing = site.cli(&["policy", "apply", "/nowhere/policy.toml"]).bad(2);
    let no_such_key = file(&site, "[cli-dev]\nkid = \"no-such-key\"\n");
    let no_such_key = site.cli(&["policy", "apply", no_such_key.to_str().unwrap()]).bad(1);

    assert!(missing.contains("cannot read /nowhere/policy.toml"), "{missing}");
    assert!(no_such_key.contains("no-such-key is not a key that was added for tokens from a shell"), "{no_such_key}");
    assert_eq!(site.cli(&["policy", "show"]).good(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_trusts_the_catalog_itself_is_refused_where_its_issuer_is_known() {
    let site = Site::new().await;
    let provider = Provider::new().await;
    let path = file(&site, &provider.policy());
    let check = |site: &Site| site.cli(&["policy", "check", path.to_str().unwrap()]);

    for spelling in [provider.issuer.clone(), format!("{}/", provider.issuer)] {
        let itself = check(&site.with("CATALOG_ISSUER", &spelling)).bad(1);

        assert!(itself.contains(&format!("'{}' is this catalog's own issuer", provider.issuer)), "{itself}");
    }
    assert_eq!(check(&site.with("CATALOG_ISSUER", "https://catalog.example.com")).code, 0);
    assert_eq!(check(&site).code, 0, "nobody said who the catalog is");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_policy_names_and_that_are_of_no_use_here_are_told() {
    let site = Site::new().await;
    site.admin();
    let provider = Provider::new().await;
    let (keys, members) = (site.data().join("jwks.json"), site.data().join("members.json"));
    let uri = format!("jwks_uri = \"{}/jwks\"", provider.issuer);
    let source = format!("jwks_file = \"{}\"", keys.display());
    let text = format!("[membership]\nfile = \"{}\"\n{}", members.display(), provider.policy().replace(&uri, &source));
    let path = file(&site, &text);
    let ask = |verb: &str| site.cli(&["policy", verb, path.to_str().unwrap()]);
    let of_keys = format!("warning: trusted_issuer.jwks_file '{}': ", keys.display());
    let of_members = format!("warning: membership.file '{}': ", members.display());

    let missing = [ask("check"), ask("apply")];
    let mut weak = provider.set();
    weak["keys"][0]["crv"] = json!("X25519");
    fs::write(&keys, weak.to_string()).unwrap();
    fs::write(&members, "[]").unwrap();
    let unfit = ask("check");
    weak["keys"][0]["d"] = json!("AA");
    fs::write(&keys, weak.to_string()).unwrap();
    let private = ask("check");
    fs::write(&keys, provider.set().to_string()).unwrap();
    fs::write(&members, r#"{"alice@example.com": ["red"]}"#).unwrap();
    let good = ask("check");

    for done in &missing {
        assert_eq!(done.code, 0, "it may be on the servers: {done:?}");
        for told in [&of_keys, &of_members] {
            let told = format!("{told}the file cannot be read: No such file or directory");
            assert!(done.stderr.contains(&told), "{done:?}");
        }
        assert!(done.stderr.contains("each server reads the files"), "{done:?}");
    }
    assert!(unfit.stderr.contains(&format!("{of_keys}the key 'k1' is not used: it ")), "{unfit:?}");
    assert!(unfit.stderr.contains(&format!("{of_members}the answer is not an object of subjects")), "{unfit:?}");
    assert!(private.stderr.contains(&format!("{of_keys}the JWK Set has the private member 'd'")), "{private:?}");
    assert!(!good.stderr.contains("warning"), "{good:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_the_shell_signs_there_alone_is_never_published_and_its_tokens_are_checked_like_any() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let kid = site.cli(&["keys", "add", "--dev"]).good();
    let path = file(&site, &format!("[cli-dev]\nkid = \"{kid}\"\n"));

    site.cli(&["policy", "apply", path.to_str().unwrap()]).good();
    let by_shell = site.cli(&["issue", "--dev", "--sub", "alice@example.com", "--format", "json"]).json();
    let by_api = server.client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();

    assert_eq!(by_shell["token"]["kid"], json!(kid));
    assert_ne!(by_api["token"]["kid"], json!(kid));
    let published = server.client.get("/.well-known/jwks.json", "").await.json();
    let published: Vec<&Value> = published["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert_eq!(published, [&by_api["token"]["kid"]]);
    // What a gateway need not accept is not turned into what it must.
    let shell_admin = site.cli(&["issue", "--dev", "--sub", "root@localhost", "--admin", "--aud", "catalog"]).good();
    let laundered = until("the server knows the key of the credential", async || {
        let reply = server.client.post("/tokens", &shell_admin, json!({"sub": "mallory"})).await;
        (reply.status != 401).then_some(reply)
    })
    .await;
    assert_eq!((laundered.status.as_u16(), laundered.json()["code"].clone()), (403, json!("credential_of_shell_key")));
    // A running server hears of the key by itself.
    let token = by_shell["access_token"].as_str().unwrap();
    until("the server knows the key", async || server.client.is_active(token, &admin).await.then_some(())).await;
    let listed = site.cli(&["keys", "list", "--format", "json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

/// A catalog that asks a file for memberships, and the file, by which Bob is in the red team.
async fn with_members() -> (World, tempfile::TempPath) {
    let (world, members) = (World::new().await, tempfile::NamedTempFile::new().unwrap().into_temp_path());
    fs::write(&members, r#"{"bob@example.com": ["red"]}"#).unwrap();
    apply(&world, &format!("[membership]\nfile = \"{}\"\nrefresh = \"10s\"\n", members.display())).await;
    (world, members)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_answer_of_the_membership_source_is_kept_while_it_gives_none() {
    let (world, members) = with_members().await;
    let issue = async |team: &str| {
        let mut command = plain("bob@example.com");
        command.teams = Some(catalog::domain::claims::Teams::These(vec![team.parse().unwrap()]));
        let requester = Requester::new(Authority::of_shell(), shell(Path::CliDev));
        world.catalog.issue(command, requester).await.map(drop).map_err(|error| error.to_string())
    };
    let later = || world.clock.advance(chrono::TimeDelta::seconds(10));

    assert_eq!(issue("red").await, Ok(()));
    fs::write(&members, r#"{"bob@example.com": ["blue"]}"#).unwrap();
    assert_eq!(issue("red").await, Ok(()), "the answer is still young");
    later();
    assert_eq!(issue("red").await, Err("the subject is not a member of red".to_owned()));
    assert_eq!(issue("blue").await, Ok(()));
    for broken in ["{", "[]", r#"{"bob@example.com": "blue"}"#] {
        fs::write(&members, broken).unwrap();
        later();
        assert_eq!(issue("blue").await, Ok(()), "{broken}");
    }
    fs::remove_file(&members).unwrap();
    later();
    assert_eq!(issue("blue").await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_team_that_its_subject_has_left_is_exchanged_for_no_other() {
    let (world, members) = with_members().await;
    let admin = world.admin().await;
    let rotate = async |jti: &Value| {
        world.post(&format!("/tokens/{}/rotate", jti.as_str().unwrap()), &admin, json!({"overlap": "1m"})).await
    };
    let first = world.post("/tokens", &admin, json!({"sub": "bob@example.com", "teams": ["red"]})).await.json();

    let second = rotate(&first["token"]["jti"]).await;
    fs::write(&members, r#"{"bob@example.com": ["blue"]}"#).unwrap();
    world.clock.advance(chrono::TimeDelta::seconds(10));
    let refused = rotate(&second.json()["token"]["jti"]).await;

    assert_eq!((second.status.as_u16(), &second.json()["token"]["teams"]), (201, &json!(["red"])));
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("subject_not_in_teams")));
    let left = world.get(&format!("/tokens/{}", second.json()["token"]["jti"].as_str().unwrap()), &admin).await.json();
    assert_eq!((&left["status"], &left["lineage"]["successor"]), (&json!("active"), &Value::Null));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_address_is_asked_once_for_many_and_a_bad_answer_is_unknown() {
    use axum::{Router, http::StatusCode, response::Redirect, routing::get};
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let router = Router::new()
        .route(
            "/good",
            get(move || async move {
                counted.fetch_add(1, Ordering::Relaxed);
                r#"{"bob@example.com": ["red"]}"#
            }),
        )
        .route("/gone", get(|| async { StatusCode::NOT_FOUND }))
        .route("/away", get(|| async { Redirect::temporary("/good") }))
        .route("/large", get(|| async { " ".repeat(17 * 1024 * 1024) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let outcome = async |url: String, times: usize| {
        let world = World::new().await;
        apply(&world, &format!("[membership]\nurl = \"{url}\"\n")).await;
        let admin = world.admin().await;
        let mut codes = Vec::new();
        for _ in 0..times {
            let reply = world.post("/tokens", &admin, json!({"sub": "bob@example.com", "teams": ["red"]})).await;
            codes.push(reply.json()["code"].as_str().map_or_else(|| "issued".to_owned(), str::to_owned));
        }
        codes.dedup();
        codes
    };

    assert_eq!(outcome(format!("http://{address}/good"), 5).await, ["issued"]);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    for bad in ["gone", "away", "large"] {
        assert_eq!(outcome(format!("http://{address}/{bad}"), 1).await, ["membership_unknown"], "{bad}");
    }
    assert_eq!(outcome("http://127.0.0.1:1/".to_owned(), 1).await, ["membership_unknown"]);
    // That nobody could say is no word of the source's, whatever it may say of the unknown.
    let allowing = format!("http://{address}/gone\"\nunknown = \"allow");
    assert_eq!(outcome(allowing, 1).await, ["membership_unknown"]);
    server.abort();
}
