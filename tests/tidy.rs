//! The law of the house, as a test: floors, sizes, and what may stand where.

#![expect(clippy::unwrap_used, reason = "a test ends where it finds something else than it expects")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What each floor may import.
const FLOORS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("signing", &["domain"]),
    ("store", &["domain"]),
    ("app", &["domain", "signing", "store"]),
    ("http", &["domain", "signing", "store", "app"]),
    ("cli", &["domain", "signing", "store", "app", "http"]),
];

/// The crate that gateways link.
const GATEWAY: &str = "clients/gateway";

/// Where the house's own code stands.
const SOURCES: [&str; 2] = ["src", "clients/gateway/src"];

/// Where its tests do.
const TESTS: [&str; 2] = ["tests", "clients/gateway/tests"];

/// Past this many lines of a source file, look for the seam.
const LINES_MAX: usize = 400;

fn files(directory: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} file under {directory}");
    found
}

fn all(directories: &[&str]) -> impl Iterator<Item = (PathBuf, String)> {
    directories.iter().flat_map(|directory| files(directory, ".rs"))
}

/// The lines of a file that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Files of tests that stand beside the code they test.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    ["tests", "fixtures", "hostile"].iter().any(|word| name.contains(word))
}

fn hold(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

#[test]
fn nothing_imports_upward() {
    let mut offences = Vec::new();
    for (floor, below) in FLOORS {
        for (path, text) in files(&format!("src/{floor}"), ".rs") {
            let flat = flatten_imports(&text);
            for (other, _) in FLOORS.iter().filter(|(other, _)| other != floor && !below.contains(other)) {
                if flat.contains(&format!("crate::{other}")) {
                    offences.push(format!("{}: {floor} imports {other}", path.display()));
                }
            }
        }
    }
    hold("a floor imports only those below it", &offences);
}

/// `use crate::{ a::…, b::… }` written as `crate::a … crate::b …`, comments left out.
fn flatten_imports(text: &str) -> String {
    let text = code(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    let mut flat = text.clone();
    for (start, _) in text.match_indices("crate::{") {
        let mut depth = 0;
        let mut word = String::new();
        for character in text[start + "crate::{".len()..].chars() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => word.clear(),
                c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                ':' if depth == 0 && !word.is_empty() => {
                    flat.push_str(" crate::");
                    flat.push_str(&std::mem::take(&mut word));
                }
                _ => {}
            }
        }
    }
    flat
}

#[test]
fn client_commands_reach_the_log_through_the_api_alone() {
    let mut offences = Vec::new();
    for (path, text) in files("src/cli/client", ".rs") {
        let flat = flatten_imports(&text);
        for way in ["crate::store", "crate::signing", "crate::http", "session", "Catalog::"] {
            if flat.contains(way) {
                offences.push(format!("{}: {way}", path.display()));
            }
        }
    }
    hold("a client command asks a server and opens nothing itself", &offences);
}

#[test]
fn the_flattening_of_imports_sees_every_floor() {
    let flat = flatten_imports("use crate::{\n    app::{Catalog, view},\n    domain::Path,\n    // store::log,\n};\n");

    assert!(flat.contains("crate::app") && flat.contains("crate::domain") && !flat.contains("crate::store"));
}

#[test]
fn only_the_store_speaks_sql_and_only_migrations_define_tables() {
    let mut offences = Vec::new();
    for (path, text) in files("src", ".rs") {
        let in_store = path.components().any(|part| part.as_os_str() == "store");
        for (number, line) in code(&text) {
            let lower = line.to_lowercase();
            if !in_store && line.contains("sqlx::") {
                offences.push(format!("{}:{number}: sqlx outside the store", path.display()));
            }
            if !is_test(&path)
                && ["create table", "create index", "create trigger", "alter table"]
                    .iter()
                    .any(|ddl| lower.contains(ddl))
            {
                offences.push(format!("{}:{number}: DDL outside migrations/", path.display()));
            }
        }
    }
    for (path, text) in files("src", ".sql") {
        if text.contains("select *") || text != text.to_lowercase() && !text.contains("'A'") {
            offences.push(format!("{}: select * or upper-case keywords", path.display()));
        }
    }
    hold("SQL stays in the store, DDL in migrations", &offences);
}

#[test]
fn the_domain_is_pure() {
    let mut offences = Vec::new();
    for (path, text) in files("src/domain", ".rs") {
        for (number, line) in code(&text) {
            for impure in
                ["async ", ".await", "sqlx", "tokio", "std::fs", "std::env", "Utc::now", "SystemTime", "axum", "utoipa"]
            {
                if line.contains(impure) {
                    offences.push(format!("{}:{number}: {impure}", path.display()));
                }
            }
        }
    }
    hold("the domain knows no clock, no chance, no await, no SQL, no HTTP", &offences);
}

#[test]
fn every_route_comes_with_its_documentation() {
    let mut offences = Vec::new();
    for (path, text) in files("src/http", ".rs") {
        // What shows the document is no part of it, an edge answers by that of its catalog, and a bridge is no catalog.
        if ["openapi/docs.rs", "http/edge/mod.rs", "http/bridge.rs"].iter().any(|other| path.ends_with(other)) {
            continue;
        }
        for (number, line) in code(&text) {
            for way in [".route(", ".route_service(", ".nest(", ".nest_service(", "Router::new()"] {
                if line.contains(way) {
                    offences.push(format!("{}:{number}: {way}", path.display()));
                }
            }
        }
    }
    hold("a route comes in by routes!, which takes its documentation along", &offences);
}

#[test]
fn what_gateways_link_knows_neither_the_server_nor_its_database() {
    let mut offences = Vec::new();
    for (path, text) in files(&format!("{GATEWAY}/src"), ".rs") {
        for (number, line) in code(&text) {
            for other in ["sqlx", "axum", "use catalog::"] {
                if line.contains(other) {
                    offences.push(format!("{}:{number}: {other}", path.display()));
                }
            }
        }
    }
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(GATEWAY).join("Cargo.toml")).unwrap();
    let (linked, _) = manifest.split_once("[dev-dependencies]").unwrap();
    let (_, linked) = linked.split_once("[dependencies]").unwrap();
    let needed = linked.lines().filter(|line| line.contains('=') && !line.contains("optional = true"));
    let core: Vec<&str> = needed.filter_map(|line| line.split_once(" =")).map(|(name, _)| name).collect();

    hold("a gateway links no server and no database", &offences);
    assert!(!linked.contains("sqlx") && !linked.contains("axum"), "{linked}");
    assert_eq!(core, ["arc-swap", "chrono", "hex", "serde", "thiserror", "uuid"], "the core's few dependencies");
}

#[test]
fn the_core_of_what_gateways_link_does_no_input_and_no_output() {
    let mut offences = Vec::new();
    let features = ["client.rs", "confirm.rs", "courier.rs", "follow", "judge.rs", "jwt", "metadata.rs", "tower"];
    let is_of_feature = |path: &Path| path.iter().any(|part| features.iter().any(|feature| part == *feature));
    for (path, text) in files(&format!("{GATEWAY}/src"), ".rs").into_iter().filter(|(path, _)| !is_of_feature(path)) {
        for (number, line) in code(&text) {
            for impure in ["async ", ".await", "tokio", "reqwest", "std::fs", "std::net", "std::env", "tracing"] {
                if line.contains(impure) {
                    offences.push(format!("{}:{number}: {impure}", path.display()));
                }
            }
        }
    }
    hold("pages go into the core, verdicts come out of it", &offences);
}

#[test]
fn every_file_begins_with_what_it_is_for_and_is_one_subject() {
    let mut offences = Vec::new();
    for (path, text) in all(&SOURCES).chain(all(&TESTS)) {
        if !text.starts_with("//! ") {
            offences.push(format!("{}: no //! line", path.display()));
        }
    }
    for (path, text) in all(&SOURCES) {
        let lines = text.lines().count();
        if lines > LINES_MAX && !is_test(&path) {
            offences.push(format!("{}: {lines} lines, at most {LINES_MAX}", path.display()));
        }
    }
    hold("a file says what it is for, and is one subject", &offences);
}

#[test]
fn nothing_is_left_undone_or_silenced() {
    let forbidden = [concat!("#[al", "low("), concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ig", "nore")];
    let mut offences = Vec::new();
    for (path, text) in all(&SOURCES).chain(all(&TESTS)) {
        for (number, line) in text.lines().enumerate() {
            for word in forbidden.iter().filter(|word| line.contains(**word)) {
                offences.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    hold("lints are expected with a reason, never allowed, and nothing is put off", &offences);
}

#[test]
fn the_secret_text_of_a_token_or_a_client_is_exposed_in_few_places() {
    let mut places: Vec<String> = files("src", ".rs")
        .into_iter()
        .filter(|(path, text)| {
            !path.components().any(|part| part.as_os_str() == "signing")
                && code(text).any(|(_, line)| line.contains(".expose()"))
        })
        .map(|(path, _)| path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string())
        .collect();
    places.sort();

    assert_eq!(places, ["src/app/view/courier.rs", "src/app/view/mod.rs", "src/cli/clients.rs", "src/cli/issue.rs"]);
}
