//! A token is shown once: where stdout does not take it, nobody is told that all is well.

use std::process::{Command, Stdio};

use crate::support::{Office, Site, process::Done};

/// Runs a command with its stdout as a shell redirects it.
fn redirected(site: &Site, arguments: &[&str], redirection: &str) -> Done {
    let program = site.command(arguments);
    let mut shell = site.program("sh", &["-c", &format!("exec \"$0\" \"$@\" {redirection}")]);
    shell.arg(program.get_program()).args(program.get_args());
    Command::output(&mut shell).unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_written_is_had_by_the_same_command_under_the_name_that_is_told() {
    let office = Office::new().await;

    let told = redirected(&office.client, &["issue", "--sub", "a", "--name", "ci"], ">/dev/full").bad(2);
    let (_, after) = told.split_once("--idempotency-key ").unwrap();
    let key = after.split(' ').next().unwrap();
    let token = office.run(&["issue", "--sub", "a", "--name", "ci", "--idempotency-key", key]).good();

    assert!(told.contains("catalog: error: the token was issued, and cannot be written to stdout"), "{told}");
    assert!(told.contains("hint: The same command with --idempotency-key "), "{told}");
    assert!(office.server.client.is_active(&token, &office.admin).await);
    assert_eq!(office.events("token.issued.v1", "api").await, 1);
    let (jti, _) = office.issue(&["--sub", "b"]);
    let rotate = ["rotate", &jti, "--overlap", "10m", "--format", "json"];
    assert!(redirected(&office.client, &rotate, ">/dev/full").bad(2).contains("--idempotency-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_shell_that_cannot_be_written_is_named_so_that_it_can_be_revoked() {
    let site = Site::new().await;
    let issue = ["issue", "--dev", "--sub", "a"];

    let full = redirected(&site, &issue, ">/dev/full").bad(2);
    let mut child = site.command(&issue).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A reader that hung up has no token either.
    drop(child.stdout.take());
    let gone = Done::from(child.wait_with_output().unwrap()).bad(2);

    for told in [full, gone] {
        assert!(told.contains("cannot be written to stdout") && told.contains("'catalog revoke "), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_client_that_cannot_be_written_is_told_to_be_lost_and_how_to_have_another() {
    let site = Site::new().await;
    site.admin();
    let (add, rotate) = (["clients", "add", "edge", "--permissions", "tokens.check"], ["clients", "rotate", "edge"]);

    for redirection in [">&-", "1</dev/null"] {
        let told = redirected(&site, &add, redirection).bad(2);
        assert!(told.contains("stdout is closed") && told.contains("hint: "), "{told}");
    }
    for arguments in [&add[..], &rotate] {
        let told = redirected(&site, arguments, ">/dev/full").bad(2);
        assert!(told.contains("the client has a new secret, and cannot be written to stdout"), "{told}");
        assert!(told.contains("'catalog clients rotate edge' shows another"), "{told}");
    }
    assert!(site.cli(&rotate).good().starts_with("catsec_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_stdout_is_closed_no_token_is_asked_for() {
    let office = Office::new().await;
    let (jti, _) = office.issue(&["--sub", "a"]);
    let before = office.server.client.events(0, &office.admin).await.len();

    for (site, arguments) in [
        (&office.client, &["issue", "--sub", "a"][..]),
        (&office.client, &["rotate", &jti, "--overlap", "0s"]),
        (&office.home, &["issue", "--dev", "--sub", "a"]),
    ] {
        for redirection in [">&-", "1</dev/null"] {
            let told = redirected(site, arguments, redirection).bad(2);
            assert!(told.contains("stdout is closed") && told.contains("hint: "), "{arguments:?}: {told}");
        }
    }

    assert_eq!(office.server.client.events(0, &office.admin).await.len(), before);
    // Thrown away on purpose.
    assert_eq!(redirected(&office.client, &["issue", "--sub", "a"], ">/dev/null").code, 0);
}
