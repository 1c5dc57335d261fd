//! Authority and policy: the same table through the domain and through the doors, and what no chain of issuances does.

mod agreement;
mod chains;
pub mod table;

use catalog::{
    app::{CommandError, Requester, policy_file},
    domain::{
        Authority, IssueToken, Path, Position, Recorded, Refusal, State, TokenIssued,
        configure::ApplyPolicy,
        event::{Event, Occurrence},
        issue::{Circumstances, issue},
        membership::{Answer, Directory},
        policy::Rules,
        status_list::Draw,
    },
    store::{
        AppendError,
        log::{self, Selection},
    },
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{World, settings::settings, world::shell};
use table::{Caller, Row, rows};

/// What became of a request: nothing, or the code and the words of its refusal.
pub type Outcome = Option<(String, String)>;

fn expected(row: &Row) -> Outcome {
    row.refused.map(|(code, words)| (code.to_owned(), words.to_owned()))
}

fn command(value: &Value) -> IssueToken {
    serde_json::from_value(value.clone()).unwrap()
}

pub fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub fn rules(row: &Row, file: &str) -> (Rules, String) {
    let text = row.policy.replace("{file}", file);
    (policy_file::parse(&text).unwrap(), text)
}

/// Decides one issuance at noon, and lets a state see what came of it.
pub fn decide(
    state: &mut State,
    command: &IssueToken,
    authority: &Authority,
    path: Path,
    membership: Option<&Answer>,
) -> Result<TokenIssued, Refusal> {
    let position = Position(i64::try_from(state.touched().count()).unwrap() + 10);
    let signer = "k1".parse().unwrap();
    let jti = Uuid::from_u128(u128::try_from(position.0).unwrap());
    let circumstances = Circumstances { path, jti, signer: &signer, membership, draw: Draw::default(), now: noon() };
    let issued = issue(state, command, authority, circumstances)?.issued;
    let event = Event::TokenIssued(Box::new(issued.clone()));
    let occurrence = Occurrence { event, occurred_at: noon(), origin: shell(path) };
    state.apply(&Recorded { position, recorded_at: noon(), occurrence });
    Ok(issued)
}

fn by_domain(row: &Row) -> Outcome {
    let mut state = State::new(settings(Rules::initial()));
    let (authority, path) = match &row.caller {
        Caller::Shell => (Authority::of_shell(), Path::CliDev),
        Caller::Bearer(caller) => {
            let issued = decide(&mut state, &command(caller), &Authority::of_shell(), Path::CliDev, None).unwrap();
            (Authority::of_token(&issued.claims().unwrap()), Path::Api)
        }
    };
    state.settings = settings(rules(row, "/teams.json").0);
    let asked = command(&row.request);
    let directory: Directory = serde_json::from_value(row.members.clone()).unwrap();
    let rules = state.settings.policy.as_ref().and_then(|policy| policy.rules.membership.clone());
    let answer = rules.map(|rules| Answer { source: rules.source, membership: directory.membership(&asked.bearer()) });
    decide(&mut state, &asked, &authority, path, answer.as_ref()).err().map(|refusal| {
        let words = refusal.to_string();
        (refusal.code().to_owned(), words)
    })
}

#[test]
fn every_row_of_the_table_is_decided_so_by_the_domain() {
    for row in rows() {
        assert_eq!(by_domain(&row), expected(&row), "{}", row.rule);
    }
}

/// Asks the catalog's own doors: the API over HTTP, and for a shell the call behind `issue --dev`.
pub async fn by_door(world: &World, row: &Row, file: &std::path::Path) -> Outcome {
    let caller = match &row.caller {
        Caller::Shell => None,
        Caller::Bearer(caller) => Some(world.issue_dev(command(caller)).await),
    };
    std::fs::write(file, row.members.to_string()).unwrap();
    let (rules, text) = rules(row, file.to_str().unwrap());
    apply(world, rules, text).await;
    let Some(caller) = caller else {
        let requester = Requester::new(Authority::of_shell(), shell(Path::CliDev));
        return world.catalog.issue(command(&row.request), requester).await.err().map(|error| {
            let CommandError::Append(AppendError::Refused(refusal)) = &error else { panic!("{error:?}") };
            (refusal.code().to_owned(), error.to_string())
        });
    };
    let reply = world.post("/tokens", caller.signed.expose(), row.request.clone()).await;
    if reply.status == 201 {
        return None;
    }
    assert_eq!(reply.status, 403, "{}", reply.text);
    let problem = reply.json();
    Some((problem["code"].as_str().unwrap().to_owned(), problem["detail"].as_str().unwrap().to_owned()))
}

/// The refused issuances of the log: rule and count.
async fn denied(world: &World) -> Vec<(String, u32)> {
    let log = log::page(world.catalog.database().reads(), &Selection::default(), 1_000).await.unwrap();
    let refused = log.into_iter().filter_map(|recorded| match recorded.occurrence.event {
        Event::IssuanceRefused(refused) => Some((refused.rule, refused.count)),
        _ => None,
    });
    refused.collect()
}

pub async fn apply(world: &World, rules: Rules, text: String) {
    world.catalog.apply_policy(ApplyPolicy { rules, text }, shell(Path::CliAdmin)).await.unwrap();
    world.catalog.follow_settings().await.unwrap();
}

/// Every row is decided as expected by whom it is put to, and what was refused is in the log.
async fn every_row(ask: impl AsyncFn(&World, &Row, &std::path::Path) -> Outcome) {
    let files = tempfile::tempdir().unwrap();

    for (number, row) in rows().into_iter().enumerate() {
        // A log of its own for each: no row is to see another's tokens, or its answer of the membership source.
        let world = World::new().await;
        let file = files.path().join(format!("{number}.json"));

        assert_eq!(ask(&world, &row, &file).await, expected(&row), "{}", row.rule);
        if let Some((rule, _)) = row.refused {
            assert_eq!(denied(&world).await, [(rule.to_owned(), 1)], "{}", row.rule);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_table_is_decided_so_at_the_door() {
    every_row(by_door).await;
}

/// The flags that ask for what a body asks for.
fn flags(request: &Value) -> Vec<String> {
    let mut flags = Vec::new();
    for (member, value) in request.as_object().unwrap() {
        let list = || value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(",");
        match (member.as_str(), value) {
            ("is_admin", _) => flags.push("--admin".to_owned()),
            ("expires_in", _) => flags.extend(["--ttl".to_owned(), format!("{value}s")]),
            ("scopes", _) => flags.extend(["--scopes".to_owned(), value.to_string()]),
            ("teams", Value::Null) => flags.extend(["--teams".to_owned(), "null".to_owned()]),
            ("teams", Value::Array(teams)) if teams.is_empty() => flags.extend(["--teams".to_owned(), "[]".to_owned()]),
            ("full_name", Value::String(text)) => flags.extend(["--full-name".to_owned(), text.clone()]),
            ("teams" | "aud" | "namespaces", _) => flags.extend([format!("--{member}"), list()]),
            (_, Value::String(text)) => flags.extend([format!("--{member}"), text.clone()]),
            _ => panic!("no flag for {member}: {value}"),
        }
    }
    flags
}

/// Asks the program: as a client of a server, or for a shell straight through the log.
async fn by_program(world: &World, row: &Row, file: &std::path::Path) -> Outcome {
    let caller = match &row.caller {
        Caller::Shell => None,
        Caller::Bearer(caller) => Some(world.issue_dev(command(caller)).await),
    };
    std::fs::write(file, row.members.to_string()).unwrap();
    let (rules, text) = rules(row, file.to_str().unwrap());
    apply(world, rules, text).await;
    let (url, server) = world.listen().await;
    let mut site = world.site().with("CATALOG_URL", &url);
    let mut arguments = vec!["issue".to_owned()];
    if let Some(caller) = &caller {
        site = site.with("CATALOG_TOKEN", caller.signed.expose());
    } else {
        arguments.push("--dev".to_owned());
    }
    arguments.extend(flags(&row.request));

    let done = tokio::task::block_in_place(|| site.cli(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));

    server.abort();
    assert_eq!(done.stdout.is_empty(), done.code != 0, "a token, or none: {done:?}");
    match done.code {
        0 => None,
        1 => {
            let (code, words) = row.refused.unwrap_or_default();
            assert!(done.stderr.contains(words), "{}: {done:?}", row.rule);
            Some((code.to_owned(), words.to_owned()))
        }
        _ => panic!("{}: {done:?}", row.rule),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_table_is_decided_so_for_the_program() {
    every_row(by_program).await;
}
