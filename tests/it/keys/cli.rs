//! `catalog keys` as an operator uses it.

use serde_json::{Value, json};

use crate::support::{Site, process::until};

fn kid(site: &Site) -> String {
    site.cli(&["keys", "list", "--format", "json"]).json()[0]["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_added_activated_and_retired_and_its_history_says_who_signed_what_and_when() {
    let site = Site::new().await;
    let admin = site.admin();
    let old = kid(&site);
    let issued = site.cli(&["issue", "--dev", "--sub", "alice@example.com", "--format", "json"]).json();
    let jti = issued["token"]["jti"].as_str().unwrap();

    let added = site.cli(&["keys", "add", "--alg", "ES256"]);
    let new = added.stdout.trim().to_owned();
    let too_new = site.cli(&["keys", "activate", &new]).bad(1);
    let activated = site.cli(&["keys", "activate", "--now", &new]).good();
    let again = site.cli(&["keys", "activate", &new]).good();
    let in_use = site.cli(&["keys", "retire", &old]).bad(1);

    assert!(added.stderr.contains("added, recorded at position") && added.stderr.contains("300 s"), "{added:?}");
    assert!(too_new.contains("for another 30") && too_new.contains("hint: wait, or give --now"), "{too_new}");
    assert!(activated.starts_with(&format!("{new} signs from here on, recorded at position ")), "{activated}");
    assert_eq!(again, format!("{new} signs already"));
    assert!(in_use.contains("2 tokens of the key") && in_use.contains("the last until 20"), "{in_use}");
    assert!(in_use.contains(&format!("'catalog revoke --where kid={old}'")), "{in_use}");

    let story = |of: &str| site.cli(&["keys", "history", of, "--format", "ndjson"]).ndjson();
    let told = |lines: &[Value]| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        lines.iter().map(|line| (text(&line["kid"]), text(&line["what"]))).collect()
    };
    let of_token = story(jti);
    let expected = ["added", "activated", "signed", "relieved"].map(|what| (old.clone(), what.to_owned()));
    assert_eq!(told(&of_token), expected);
    assert_eq!(of_token[2]["jti"], json!(jti));
    assert_eq!(of_token[2]["position"], issued["token"]["position"]);
    assert_eq!(told(&story(&new)), ["added", "activated"].map(|what| (new.clone(), what.to_owned())));
    let whole = site.cli(&["keys", "history"]).good();
    assert_eq!(whole.lines().count(), 5, "{whole}");
    assert!(site.cli(&["keys", "history", "no-such-key"]).bad(1).contains("the log has no key no-such-key"));
    let unknown = "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10";
    assert!(site.cli(&["keys", "history", unknown]).bad(1).contains(unknown));

    let listed = site.cli(&["keys", "list", "--format", "json"]).json();
    assert_eq!((&listed[0]["state"], &listed[1]["state"]), (&json!("verifies"), &json!("signs")));
    let server = site.serve().await;
    assert!(server.client.is_active(&admin, &admin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_says_from_where_on_a_compromise_reaches_and_since_when() {
    let site = Site::new().await;
    site.admin();
    let (first, second, third) = (kid(&site), site.cli(&["keys", "add"]).good(), site.cli(&["keys", "add"]).good());
    let head = site.cli(&["audit", "events", "--format", "ndjson"]).ndjson().len();

    site.cli(&["keys", "compromise", &first, "--activate", &second, "--yes"]).good();
    site.cli(&["keys", "compromise", &second, "--activate", &third, "--since", "2020-01-01", "--yes"]).good();
    site.cli(&[
        "keys",
        "compromise",
        &third,
        "--activate",
        &site.cli(&["keys", "add"]).good(),
        "--since",
        "0s",
        "--yes",
    ])
    .good();

    let compromised = |kid: &str| {
        let story = site.cli(&["keys", "history", kid, "--format", "ndjson"]).ndjson();
        let found = story.into_iter().filter(|line| line["what"] == "compromised").collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    let whole = compromised(&first);
    assert_eq!((&whole["compromised_from"], whole.get("compromised_since")), (&json!(1), None), "all that it signed");
    let since = compromised(&second);
    assert_eq!(since["compromised_from"], json!(1));
    assert_eq!(since["compromised_since"], "2020-01-01T00:00:00Z");
    let late = compromised(&third)["compromised_from"].as_u64().unwrap();
    assert!(late > u64::try_from(head).unwrap(), "{late}");
    let text = site.cli(&["keys", "history", &second]).good();
    assert!(text.contains("\tcompromised from position 1 (2020-01-01T00:00:00Z)\t"), "{text}");
    assert!(site.cli(&["keys", "history", &first]).good().contains("\tcompromised from position 1\t"));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_need_no_key_say_nothing_of_key_files() {
    let site = Site::new().await;
    site.admin();
    let broken = site.data().join("keys/other.pem");
    std::fs::write(&broken, "nonsense").unwrap();
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let policy = site.data().join("policy.toml");
    std::fs::write(&policy, "[api]\nttl_max = \"1h\"\n").unwrap();
    let policy = policy.to_str().unwrap();

    for arguments in [
        &["clients", "add", "edge", "--permissions", "tokens.check"][..],
        &["clients", "rotate", "edge"],
        &["clients", "list"],
        &["clients", "revoke", "edge"],
        &["policy", "check", policy],
        &["policy", "apply", policy],
        &["policy", "show"],
    ] {
        let done = site.cli(arguments);
        assert!(done.code == 0 && !done.stderr.contains("other.pem"), "{arguments:?}: {done:?}");
    }
    for arguments in [&["keys", "list"][..], &["keys", "add"], &["issue", "--dev", "--sub", "a"]] {
        let done = site.cli(arguments);
        assert!(done.code == 0 && done.stderr.contains("other.pem' holds no PEM block"), "{arguments:?}: {done:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_next_key_is_made_whatever_became_of_other_files() {
    let site = Site::new().await;
    site.admin();
    let (old, damaged) = (kid(&site), site.cli(&["keys", "add"]).good());
    std::fs::write(site.data().join(format!("keys/{damaged}.pem")), "no key").unwrap();

    let next = site.cli(&["keys", "add"]).good();
    site.cli(&["keys", "compromise", &old, "--activate", &next, "--yes"]).good();
    let said = site.cli(&["keys", "add", &damaged]).bad(2);

    assert!(said.contains(&format!("{damaged}.pem' holds no PEM block")), "{said}");
    let listed = site.cli(&["keys", "list", "--format", "json"]).json();
    let signs = listed.as_array().unwrap().iter().find(|key| key["state"] == json!("signs")).unwrap();
    assert_eq!(signs["kid"], json!(next));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_sign_here_is_activated_only_by_who_says_that_it_is_elsewhere() {
    let site = Site::new().await;
    let locked = site.with("CATALOG_KEY_PASSPHRASE", "correct horse battery staple");
    locked.admin();
    let old = kid(&locked);
    let [missing, damaged, good] = [(); 3].map(|()| locked.cli(&["keys", "add"]).good());
    std::fs::remove_file(site.data().join(format!("keys/{missing}.pem"))).unwrap();
    std::fs::write(site.data().join(format!("keys/{damaged}.pem")), "no key").unwrap();
    let state = |kid: &str| {
        let listed = locked.cli(&["keys", "list", "--format", "json"]).json();
        listed.as_array().unwrap().iter().find(|key| key["kid"] == json!(kid)).unwrap()["state"].clone()
    };

    for (site, kid, why, remedy) in [
        (&locked, &missing, "its private half is not here", format!("as {missing}.pem")),
        (&locked, &damaged, "holds no PEM block", "a private key in PEM is needed".to_owned()),
        (&site, &good, "is locked with a passphrase, and none was given", "CATALOG_KEY_PASSPHRASE".to_owned()),
    ] {
        let activate = site.cli(&["keys", "activate", "--now", kid]).bad(2);
        let compromise = site.cli(&["keys", "compromise", &old, "--activate", kid, "--yes"]).bad(2);
        for said in [activate, compromise] {
            assert!(said.contains(&format!("the key {kid} cannot sign here: ")), "{said}");
            assert!(said.contains(why) && said.contains(&remedy) && said.contains("--elsewhere"), "{said}");
        }
        assert_eq!((state(kid), state(&old)), (json!("waits"), json!("signs")));
    }
    let elsewhere =
        site.with("JWT_PRIVATE_KEY_PATH", "/nowhere").cli(&["keys", "activate", "--now", "--elsewhere", &good]);
    assert!(elsewhere.stderr.contains("warning: cannot open '/nowhere'"), "whatever is wrong here: {elsewhere:?}");
    assert_eq!(state(&good), json!("signs"));
    let elsewhere = site.cli(&["keys", "activate", "--now", "--elsewhere", &missing]);
    assert!(elsewhere.stderr.contains(&format!("warning: the key {missing} cannot sign here")), "{elsewhere:?}");
    elsewhere.good();
    assert_eq!(state(&missing), json!("signs"));
    site.cli(&["keys", "activate", &missing]).good();
    locked.cli(&["keys", "compromise", &missing, "--activate", &good, "--yes"]).good();
    locked.cli(&["issue", "--dev", "--sub", "a"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_secret_is_activated_by_who_has_it() {
    let site = Site::new().await;
    site.admin();
    let told = site.with("JWT_SECRET_KEY", "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8");
    let secret = told.cli(&["keys", "add", "--alg", "HS256"]).good();

    let said = site.cli(&["keys", "activate", &secret]).bad(2);

    assert!(said.contains("its secret was not given") && said.contains("hint: set JWT_SECRET_KEY; "), "{said}");
    told.cli(&["keys", "activate", &secret]).good();
    told.cli(&["issue", "--dev", "--sub", "a"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_called_like_a_key_file_is_told_and_stops_no_command() {
    let site = Site::new().await;
    site.admin();
    let path = site.data().join("keys/one.pem");
    std::fs::create_dir(&path).unwrap();

    let issued = site.cli(&["issue", "--dev", "--sub", "a"]);

    let told = format!("'{}' is a directory, and no key file; name a file, or take it out", path.display());
    assert!(issued.stderr.contains(&told), "{issued:?}");
    issued.good();
    site.cli(&["keys", "list"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_since_when_a_key_signs_that_did_so_before() {
    let site = Site::new().await;
    site.admin();
    let old = kid(&site);
    let new = site.cli(&["keys", "add"]).good();
    site.cli(&["keys", "activate", "--now", &new]).good();

    let back = site.cli(&["keys", "activate", "--now", &old, "--format", "json"]).json();

    let listed = site.cli(&["keys", "list", "--format", "json"]).json();
    assert_eq!((&listed[0]["state"], &listed[0]["activated_position"]), (&json!("signs"), &back["position"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_here_already_is_added_by_its_name_or_its_file() {
    let site = Site::new().await;
    site.admin();
    let elsewhere = Site::new().await;
    elsewhere.admin();
    let brought = kid(&elsewhere);
    let file = elsewhere.data().join(format!("keys/{brought}.pem"));

    let missing = site.cli(&["keys", "add", &brought]).bad(2);
    std::fs::copy(&file, site.data().join(format!("keys/{brought}.pem"))).unwrap();
    let by_name = site.cli(&["keys", "add", &brought]).good();
    let by_file = site.cli(&["keys", "add", "--file", file.to_str().unwrap()]);

    assert!(missing.contains(&format!("there is no key {brought} in")), "{missing}");
    assert!(missing.contains(&format!("hint: bring it there as {brought}.pem")), "{missing}");
    assert_eq!(by_name, brought);
    assert!(by_file.stderr.contains("note: the log has it already"), "{by_file:?}");
    assert_eq!(by_file.good(), brought);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_without_settings_gets_none_by_a_command_about_keys() {
    let site = Site::new().await;

    for command in [&["keys", "add"][..], &["keys", "activate", "k"], &["keys", "retire", "k"]] {
        let said = site.cli(command).bad(2);

        assert!(said.contains("the catalog is not configured yet"), "{said}");
    }
    assert!(!site.data().join("keys").exists(), "no key was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_given_its_next_key_before_it_signs() {
    let site = Site::new().await;
    let admin = site.admin();
    let elsewhere = Site::new().await;
    elsewhere.admin();
    let next = kid(&elsewhere);
    let file = elsewhere.data().join(format!("keys/{next}.pem"));
    let told = site.with("JWT_PRIVATE_KEY_PATH", file.to_str().unwrap());

    let differs = told.cli(&["issue", "--dev", "--sub", "a"]).bad(2);
    assert!(differs.contains(&format!("the signing key is '{next}' here")), "{differs}");
    told.cli(&["keys", "add", "--file", file.to_str().unwrap()]).good();
    let server = told.serve().await;
    told.cli(&["keys", "activate", "--now", &next]).good();

    let issued = until("the server signs with it", async || {
        let issued = server.client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();
        (issued["token"]["kid"] == json!(next)).then_some(issued)
    })
    .await;
    assert!(server.client.is_active(issued["access_token"].as_str().unwrap(), &admin).await);
}
