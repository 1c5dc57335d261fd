//! Short-lived child processes with a bound on their time.

use std::io::{self, PipeReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait looks again; what is waited for takes 5 to 1,000 ms.
pub(super) const POLL: Duration = Duration::from_millis(2);

/// Runs `command` to its end and returns how it ended and what it said on either stream.
pub(super) fn run(mut command: Command, input: &str, limit: Duration) -> io::Result<(ExitStatus, String)> {
    let (output, said) = io::pipe()?;
    command.stdin(Stdio::piped()).stdout(said.try_clone()?).stderr(said);
    let mut child = command.spawn()?;
    // The command owns our copies of the pipe's writing end: with them open the output would never end.
    drop(command);
    let output = collect(output)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that ended early closes the pipe; its status tells more than the broken pipe.
        let _ = stdin.write_all(input.as_bytes());
    }

    let status = wait(&mut child, limit)?;
    let output = output.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    Ok((status, String::from_utf8_lossy(&output).into_owned()))
}

/// The last `count` lines of `text`.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join("\n")
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            let message = format!("it did not end within {} s", limit.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        thread::sleep(POLL);
    }
}

/// Reads on a thread of its own, so that a full pipe never stops the child and a kept-open one never stops us.
fn collect(mut output: PipeReader) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    })?;
    Ok(receiver)
}
