//! What a shell and its user are offered: completions of commands and closed values, and a manual page for each command.

use std::{fs, process::Command};

use crate::support::Site;

/// What bash offers for the last of these words, by the script that the program prints.
fn offered(script: &str, words: &[&str]) -> Vec<String> {
    let line = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let (last, before) = (words.len() - 1, words.len() - 2);
    let asks = format!(
        "{script}\nCOMP_WORDS=({line}); COMP_CWORD={last}\n\
         _catalog catalog \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{before}]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    // A file, for a script may be longer than an argument.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), asks).unwrap();
    let output = Command::new("bash").arg("--norc").arg(file.path()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_completes_commands_and_every_value_that_is_one_of_a_few() {
    let site = Site::new().await;
    let script = site.cli(&["completions", "bash"]).good();
    let reasons = ["unspecified", "key_compromise", "privilege_withdrawn", "superseded", "cessation_of_operation"];
    let cases: [(&[&str], &[&str]); 10] = [
        (&["catalog", "wh"], &["whoami"]),
        (&["catalog", "audit", "v"], &["verify"]),
        (&["catalog", "list", "--status", ""], &["active", "expired", "suspended", "revoked"]),
        (&["catalog", "list", "--path", ""], &["api", "cli-dev", "cli-admin", "system"]),
        (&["catalog", "list", "--format", ""], &["table", "json", "ndjson"]),
        (&["catalog", "show", "--format", ""], &["text", "json"]),
        (&["catalog", "revoke", "--reason", ""], &reasons),
        (&["catalog", "audit", "events", "--path", "cli"], &["cli-dev", "cli-admin"]),
        (&["catalog", "completions", "z"], &["zsh"]),
        (&["catalog", "list", "--expires"], &["--expires-before"]),
    ];

    for (words, expected) in cases {
        assert_eq!(offered(&script, words), expected, "{words:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_of_the_log_are_completed_only_where_there_is_one() {
    let site = Site::new().await;
    let script = site.cli(&["completions", "bash"]).good();

    for words in [&["catalog", "list", "--d"][..], &["catalog", "whoami", "--sch"], &["catalog", "revoke", "--iss"]] {
        assert_eq!(offered(&script, words), [""], "{words:?}");
    }
    for (words, expected) in [
        (&["catalog", "audit", "verify", "--data"][..], &["--data", "--database-url"][..]),
        (&["catalog", "serve", "--sch"], &["--schema"]),
        (&["catalog", "issue", "--env"], &["--environment"]),
        (&["catalog", "list", "--verb"], &["--verbose"]),
    ] {
        assert_eq!(offered(&script, words), expected, "{words:?}");
    }
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(site.cli(&["completions", shell]).good().contains("database-url"), "{shell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_a_manual_page_with_what_its_help_says() {
    let site = Site::new().await;
    let directory = site.data().join("share/man1");

    site.cli(&["man", "--dir", directory.to_str().unwrap()]).good();

    let mut pages: Vec<String> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    let mut expected: Vec<String> = "audit audit-events audit-export audit-rebuild audit-report audit-token audit-verify bridge bridge-contextforge check clients clients-add clients-list clients-revoke clients-rotate completions decode dev dev-seed edge issue \
         keys keys-activate keys-add keys-compromise keys-history keys-list keys-retire keys-show list man migrate policy policy-apply policy-check policy-replay policy-show resume revoke \
         rotate serve show suspend whoami"
        .split(' ')
        .map(|name| format!("catalog-{name}.1"))
        .chain(["catalog.1".to_owned()])
        .collect();
    expected.sort();
    assert_eq!(pages, expected);
    for page in &pages {
        let name = page.strip_suffix(".1").unwrap();
        let text = fs::read_to_string(directory.join(page)).unwrap();
        assert!(text.contains(&format!(".TH {name} 1 ")) && text.contains(".SH NAME"), "{page}");
        // Names have hyphens too: a page of a command within another is asked for by both.
        let of: Vec<&str> = name.split('-').skip(1).collect();
        assert_eq!(site.cli(&[&["man"], of.as_slice()].concat()).good(), text.trim_end(), "{page}");
    }
    let list = fs::read_to_string(directory.join("catalog-list.1")).unwrap();
    assert!(list.contains(r"\-\-expires\-before") && list.contains("catalog list \\-\\-status active"), "{list}");
    assert!(!list.contains(r"database\-url"), "{list}");
    assert!(site.cli(&["man", "audit", "nothing"]).bad(2).contains("there is no command 'audit nothing'"));
    assert!(
        site.cli(&["man", "--dir", "/dev/null/here"])
            .bad(2)
            .contains("the manual page /dev/null/here cannot be written")
    );
}
