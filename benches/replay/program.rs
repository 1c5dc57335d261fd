//! The real commands over a log, with their time and the most memory that they had.

use std::{
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::stand::{Error, Stand};

/// How often the memory of a command is looked at; the kernel keeps the most that there was.
const LOOK_PERIOD: Duration = Duration::from_millis(5);

/// A command that reads the whole log.
pub struct Program {
    pub name: &'static str,
    arguments: Vec<String>,
    /// The exit codes that say that it came to its end.
    good: &'static [i32],
}

/// How one run went.
pub struct Ran {
    pub time: Duration,
    pub peak_mebibytes: Option<f64>,
}

impl Ran {
    /// Something that was done by the bench itself.
    pub fn bare(time: Duration) -> Self {
        Self { time, peak_mebibytes: None }
    }
}

/// Every command that this program has, and a directory that they need.
pub fn all(stand: &Stand) -> Result<(Vec<Program>, TempDir), Error> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("policy.toml");
    std::fs::write(&file, stand.run(&["policy", "show"])?)?;
    let file = file.to_string_lossy().into_owned();
    let all: [(&'static str, Vec<&str>, &'static [i32]); 4] = [
        ("audit verify", vec!["audit", "verify", "--format", "json"], &[0]),
        ("audit rebuild", vec!["audit", "rebuild"], &[0]),
        ("audit report", vec!["audit", "report", "--format", "json"], &[0, 1]),
        ("policy replay", vec!["policy", "replay", &file, "--format", "json"], &[0, 1]),
    ];
    let mut programs = Vec::new();
    for (name, arguments, good) in all {
        // A program that does not know a command yet is measured without it.
        let help = [&arguments[..2], &["--help"]].concat();
        if stand.command(&help).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
            programs.push(Program { name, arguments: arguments.into_iter().map(str::to_owned).collect(), good });
        }
    }
    Ok((programs, directory))
}

impl Program {
    /// Runs it to its end.
    pub fn run(&self, stand: &Stand) -> Result<Ran, Error> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let begun = Instant::now();
        let mut child = stand.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut peak = None;
        let status = loop {
            peak = peak_mebibytes(&child).or(peak);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            thread::sleep(LOOK_PERIOD);
        };
        let time = begun.elapsed();
        if !status.code().is_some_and(|code| self.good.contains(&code)) {
            return Err(format!("catalog {}: {status}", self.arguments.join(" ")).into());
        }
        Ok(Ran { time, peak_mebibytes: peak })
    }
}

/// The most memory of a process that was in the machine's at once; `None` once it has ended.
fn peak_mebibytes(child: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes / 1_024.0)
}
