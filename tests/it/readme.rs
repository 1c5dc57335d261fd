//! The tour in README.md, line by line: it runs as it stands, and shows what it says it shows.

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    process::{Child, Command, Stdio},
};

use regex::Regex;

use crate::support::{
    Site,
    process::{Done, Server},
    terminal::{self, Terminal},
};

/// Wider than any line of the tour.
const COLUMNS: u16 = 400;
/// The command of the tour that does not end by itself, and runs in a terminal of its own.
const SERVE: &str = "catalog serve";

/// One command of the tour, and what is shown below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_runs_as_it_stands_and_shows_what_it_says() {
    let site = Site::embedded();
    let mut shell = Shell::beside(&site);
    let mut server = None;
    let tour = tour();
    assert!(tour.len() > 8 && tour.iter().any(|step| step.command == SERVE), "the tour is not where it was");

    for Step { command, shown } in tour {
        if command == SERVE {
            let started: Server = site.serve().await;
            shell.run(&format!("export CATALOG_URL={}", started.client.url));
            server = Some(started);
            continue;
        }
        let done = shell.run(&command);

        assert_eq!(done.code, 0, "{command}: {}", done.stdout);
        // Where nothing is shown, the tour leaves out what it showed before.
        if !shown.is_empty() {
            let seen: Vec<String> = done.stdout.lines().map(str::to_owned).collect();
            assert_eq!(masked(&seen), masked(&shown), "{command}");
        }
    }
    server.unwrap().stop().await;
}

/// The commands of the section, in order.
fn tour() -> Vec<Step> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Two minutes\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for line in section.split("```").skip(1).step_by(2).flat_map(str::lines).filter(|line| !line.is_empty()) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
            (None, Some(step)) => step.shown.push(line.to_owned()),
            (None, None) => panic!("{line:?} is shown before any command"),
        }
    }
    steps
}

/// Lines without what differs from run to run, from place to place and from width to width.
fn masked(lines: &[String]) -> Vec<String> {
    let masks = [
        (r"eyJ[A-Za-z0-9_.-]+…?", "<token>"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|…)", "<id>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
        (r#""digest":"[0-9a-f]+…?""#, r#""digest":"<digest>""#),
        (r"PostgreSQL \d+ cluster in \S+", "PostgreSQL <version> cluster in <directory>"),
        (r" {2,}|\t", "  "),
    ]
    .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with));
    let mask = |line: &String| {
        masks
            .iter()
            .fold(line.trim().to_owned(), |line, (pattern, with)| pattern.replace_all(&line, *with).into_owned())
    };
    lines.iter().map(mask).collect()
}

/// A shell with a terminal, in a directory in which the program was built.
struct Shell {
    bash: Child,
    terminal: Terminal,
    read: Vec<u8>,
    /// Who is at the shell, by name and host.
    operator: String,
}

impl Shell {
    fn beside(site: &Site) -> Self {
        let built = site.data().join("checkout/target/release");
        fs::create_dir_all(&built).unwrap();
        symlink(env!("CARGO_BIN_EXE_catalog"), built.join("catalog")).unwrap();
        let terminal = Terminal::new(COLUMNS);
        let mut command = site.program("bash", &["--norc"]);
        command.current_dir(site.data().join("checkout")).stdin(Stdio::piped()).env("TERM", "dumb");
        terminal.shows(&mut command);
        let bash = command.spawn().unwrap();
        Self { bash, terminal, read: Vec::new(), operator: operator() }
    }

    /// Runs a command, and returns all that it shows.
    fn run(&mut self, command: &str) -> Done {
        writeln!(self.bash.stdin.as_ref().unwrap(), "{command}\nprintf '\\0%d\\0' $?").unwrap();
        let stdout = self.until_mark().replace(&self.operator, "root@vm");
        Done { stdout, code: self.until_mark().parse().unwrap(), stderr: String::new() }
    }

    fn until_mark(&mut self) -> String {
        loop {
            if let Some(mark) = self.read.iter().position(|byte| *byte == 0) {
                let rest = self.read.split_off(mark + 1);
                let mut read = std::mem::replace(&mut self.read, rest);
                read.pop();
                return terminal::text(read);
            }
            let more = self.terminal.read();
            assert!(!more.is_empty(), "the shell ended after {:?}", String::from_utf8_lossy(&self.read));
            self.read.extend(more);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Nothing more to read ends it.
        drop(self.bash.stdin.take());
        let _ = self.bash.wait();
    }
}

fn operator() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    let name = String::from_utf8(output.stdout).unwrap();
    format!("{}@{}", name.trim(), rustix::system::uname().nodename().to_str().unwrap())
}
