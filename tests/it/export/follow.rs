//! An export that goes on: nothing is lost and nothing is there twice, wherever a process ended.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Site,
    load::{Journal, Load},
    process::{Server, until_true},
};

/// At how many lines more the export is killed, round by round.
const ROUNDS: [usize; 5] = [1, 20, 150, 5, 60];

/// An output and its position file.
struct Files {
    output: PathBuf,
    position: PathBuf,
}

impl Files {
    fn of(site: &Site) -> Self {
        Self { output: site.data().join("log.out"), position: site.data().join("log.position") }
    }

    fn arguments<'a>(&'a self, form: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let files = ["-o", self.output.to_str().unwrap(), "--position-file", self.position.to_str().unwrap()];
        [&["audit", "export", "--format", form], &files[..], more].concat()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn lines(&self) -> usize {
        self.text().lines().count()
    }

    fn place(&self) -> Value {
        serde_json::from_slice(&fs::read(&self.position).unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_killed_again_and_again_loses_nothing_and_repeats_nothing() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let journal = Journal::new();
    let load = Load::start(&server.client, 4, &admin, &journal);
    let files = Files::of(&site);

    for more in ROUNDS {
        let goal = files.lines() + more;
        let export = Server::spawn(site.command(&files.arguments("cloudevents", &["--follow"])));
        until_true("the export goes on", || files.lines() >= goal).await;
        export.kill().await;
    }
    load.stop().await;
    server.stop().await;
    site.cli(&files.arguments("cloudevents", &[])).good();

    assert_eq!(files.text(), site.cli(&["audit", "export", "--format", "cloudevents"]).stdout);
    assert_eq!(files.place()["position"], files.lines());
    assert!(files.lines() > ROUNDS.iter().sum(), "{}", files.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_not_yet_noted_is_written_once() {
    let site = Site::new().await;
    site.admin();
    let files = Files::of(&site);
    site.cli(&files.arguments("csv", &[])).good();
    let (early, noted) = (fs::read(&files.position).unwrap(), files.text());
    site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    site.cli(&files.arguments("csv", &[])).good();
    let whole = site.cli(&["audit", "export", "--format", "csv"]).stdout;
    assert_eq!(files.text(), whole);

    // A process that was killed between the two writes leaves the later output with the earlier place.
    fs::write(&files.position, &early).unwrap();
    site.cli(&files.arguments("csv", &[])).good();
    assert_eq!(files.text(), whole);

    // One that was killed in the first leaves half of a line.
    fs::write(&files.position, &early).unwrap();
    fs::write(&files.output, noted.clone() + &whole[noted.len()..noted.len() + 17]).unwrap();
    site.cli(&files.arguments("csv", &[])).good();
    assert_eq!(files.text(), whole);

    // And one that was killed before anything else leaves the place before the first event, and perhaps headings.
    let mut first: Value = serde_json::from_slice(&early).unwrap();
    first["position"] = json!(0);
    first["digest"] = json!("0".repeat(64));
    first["bytes"] = json!(0);
    fs::write(&files.position, first.to_string()).unwrap();
    fs::write(&files.output, "posi").unwrap();
    site.cli(&files.arguments("csv", &[])).good();
    assert_eq!(files.text(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_there_soon_after_it_was_recorded_and_the_place_says_so() {
    let site = Site::new().await;
    site.admin();
    let files = Files::of(&site);
    let follow = Server::spawn(site.command(&files.arguments("ndjson", &["--from", "@5", "--follow"])));
    until_true("what is there already is written", || files.lines() == 1).await;

    site.cli(&["issue", "--dev", "--sub", "alice@example.com"]).good();
    until_true("what is new is written", || files.lines() == 2).await;
    until_true("and noted", || files.place()["bytes"] == files.text().len()).await;

    let second = site.cli(&files.arguments("ndjson", &["--follow"])).bad(2);
    assert!(second.contains("another export writes to"), "{second}");
    let head = site.cli(&["audit", "verify", "--format", "json"]).json()["head"].clone();
    let place = files.place();
    assert_eq!(
        (&place["log_id"], &place["position"], &place["digest"]),
        (&head["log_id"], &head["position"], &head["digest"])
    );
    follow.kill().await;
    let piped = Server::spawn(site.command(&["audit", "export", "--from", "@6", "--follow"]));
    until_true("stdout is followed, too", || piped.said().lines().count() == 1).await;
    site.cli(&["issue", "--dev", "--sub", "bob@example.com"]).good();
    until_true("line by line", || piped.said().lines().count() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_in_the_same_log_form_and_file_or_not_at_all() {
    let (site, other) = (Site::new().await, Site::new().await);
    site.admin();
    other.admin();
    let files = Files::of(&site);
    site.cli(&files.arguments("ndjson", &[])).good();
    let (place, text) = (fs::read_to_string(&files.position).unwrap(), files.text());
    let assert_refused = |site: &Site, form: &str, expected: &str| {
        let said = site.cli(&files.arguments(form, &[])).bad(2);
        assert!(said.contains(expected) && said.contains("hint: "), "{said}");
    };

    assert_refused(&other, "ndjson", "is not of this log: ");
    assert_refused(&site, "csv", "is of an export as ndjson, and this one is as csv");
    fs::write(&files.position, place.replace("\"position\":5", "\"position\":4")).unwrap();
    assert_refused(&site, "ndjson", "the log has another digest at position 4");
    fs::write(&files.position, place.replace("\"position\":5", "\"position\":9")).unwrap();
    assert_refused(&site, "ndjson", "position 9 is past the end of the log at 5");
    let log_id = files.place()["log_id"].as_str().unwrap().to_owned();
    fs::write(&files.position, place.replace(&log_id, "0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10")).unwrap();
    assert_refused(&site, "ndjson", "is not of this log: it is a place of another log");
    fs::write(&files.position, "{}").unwrap();
    assert_refused(&site, "ndjson", "is no position file");
    assert_eq!(files.text(), text, "what is refused changes nothing");

    fs::write(&files.position, &place).unwrap();
    fs::write(&files.output, "short").unwrap();
    assert_refused(&site, "ndjson", "has 5 bytes, and the position file says");
    fs::remove_file(&files.position).unwrap();
    assert_refused(&site, "ndjson", "is not empty, and there is no position file");
    assert_eq!(files.text(), "short");
}
