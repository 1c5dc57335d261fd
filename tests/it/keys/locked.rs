//! Private key files that a passphrase locks, as an operator has them.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use crate::support::Site;

const WORDS: &str = "correct horse battery staple";

fn key_files(site: &Site) -> Vec<String> {
    let files = fs::read_dir(site.data().join("keys")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "pem")).map(|p| fs::read_to_string(p).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_passphrase_every_key_file_is_locked_and_without_it_nothing_is_issued() {
    let site = Site::new().await;
    let told = site.with("CATALOG_KEY_PASSPHRASE", WORDS);
    let admin = told.admin();
    let next = told.cli(&["keys", "add"]).good();
    told.cli(&["keys", "activate", "--now", &next]).good();

    assert!(key_files(&site).iter().all(|text| text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")));
    assert_eq!(key_files(&site).len(), 2);
    let server = told.serve().await;
    let issued = server.client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await;
    assert_eq!((issued.status.as_u16(), &issued.json()["token"]["kid"]), (201, &json!(next)));

    let without = site.cli(&["issue", "--dev", "--sub", "a"]);
    let wrong = site.with("CATALOG_KEY_PASSPHRASE", "swordfish").cli(&["issue", "--dev", "--sub", "a"]);
    for (done, why) in [(&without, "is locked with a passphrase, and none was given"), (&wrong, "another passphrase")] {
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{done:?}");
        assert!(done.stderr.contains(why) && done.stderr.contains("is not in the keyring of this process"), "{done:?}");
        assert!(!done.stderr.contains("swordfish") && !done.stderr.contains(WORDS), "{done:?}");
    }
    // Whoever only checks needs no passphrase.
    let checks = site.serve().await;
    assert!(checks.client.is_active(&admin, &admin).await);
    assert_eq!(checks.client.get("/readyz", "").await.json()["checks"]["signing_key"], json!(false));
    assert!(!checks.said().contains(WORDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_of_which_keys_the_file_is_locked_or_of_no_use_and_why() {
    let site = Site::new().await;
    let told = site.with("CATALOG_KEY_PASSPHRASE", WORDS);
    told.admin();
    let damaged = told.cli(&["keys", "add"]).good();
    let missing = told.cli(&["keys", "add"]).good();
    fs::write(site.data().join(format!("keys/{damaged}.pem")), "-----BEGIN PRIVATE").unwrap();
    fs::remove_file(site.data().join(format!("keys/{missing}.pem"))).unwrap();
    let halves = |site: &Site| -> Vec<String> {
        let listed = site.cli(&["keys", "list"]).good();
        listed.lines().map(|line| line.split('\t').nth(3).unwrap().to_owned()).collect()
    };

    assert_eq!(halves(&told), ["here", "unusable", "not here"]);
    assert_eq!(halves(&site), ["locked", "unusable", "not here"]);
    assert_eq!(halves(&site.with("CATALOG_KEY_PASSPHRASE", "swordfish")), ["locked", "unusable", "not here"]);
    let listed = site.cli(&["keys", "list", "--format", "json"]).json();
    let states: Vec<_> =
        (0..3).map(|key| json!([listed[key]["private_half"], listed[key]["private_half_state"]])).collect();
    assert_eq!(states, [json!([false, "locked"]), json!([false, "unusable"]), json!([false, "missing"])]);
    let locked = listed[0]["kid"].as_str().unwrap();
    let why = [
        format!(
            "{locked}.pem' is locked with a passphrase, and none was given; give the passphrase in CATALOG_KEY_PASSPHRASE"
        ),
        format!("{damaged}.pem' holds no PEM block with such a key"),
    ];
    let text = site.cli(&["keys", "list"]);
    for (key, why) in why.iter().enumerate() {
        let fault = listed[key]["private_half_fault"].as_str().unwrap();
        assert!(fault.starts_with("key file '") && fault.contains(why), "{fault}");
        assert!(text.stderr.contains(&format!("note: {fault}\n")), "{text:?}");
    }
    assert_eq!(listed[2]["private_half_fault"], json!(null), "there is no file");
    assert!(told.cli(&["keys", "list", "--format", "json"]).json()[0]["private_half_fault"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_comes_from_a_file_that_nobody_else_can_read() {
    let site = Site::new().await;
    let file = site.data().join("passphrase");
    let write = |text: &str, mode: u32| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    let path = file.to_str().unwrap();
    write(&format!("{WORDS}\n"), 0o600);

    let issue = ["issue", "--dev", "--sub", "a"];
    site.cli(&[&issue[..], &["--key-passphrase-file", path]].concat()).good();
    site.with("CATALOG_KEY_PASSPHRASE_FILE", path).cli(&issue).good();
    site.with("CATALOG_KEY_PASSPHRASE", WORDS).cli(&issue).good();

    assert!(key_files(&site)[0].starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    write(WORDS, 0o644);
    let exposed = site.with("CATALOG_KEY_PASSPHRASE_FILE", path).cli(&issue).bad(2);
    assert!(exposed.contains("is open to others (mode 0644") && !exposed.contains(WORDS), "{exposed}");
    write("\n", 0o600);
    let empty = site.with("CATALOG_KEY_PASSPHRASE_FILE", path).cli(&issue).bad(2);
    assert!(empty.contains("there is no passphrase in the first line of"), "{empty}");
    let nowhere = site.with("CATALOG_KEY_PASSPHRASE_FILE", "/nowhere").cli(&issue).bad(2);
    assert!(nowhere.contains("cannot open '/nowhere'"), "{nowhere}");
}
