//! A terminal of a test's own: what a person would see of a command.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    os::fd::OwnedFd,
    process::Command,
};

use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// A terminal: what is written to it can be read here.
pub struct Terminal {
    controller: File,
    name: std::ffi::CString,
}

impl Terminal {
    /// One of so many columns.
    pub fn new(columns: u16) -> Self {
        let controller: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        tcsetwinsize(&controller, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        Self { controller: controller.into(), name }
    }

    /// Makes the terminal the command's stdout and stderr.
    pub fn shows(&self, command: &mut Command) {
        let terminal = self.end();
        command.stdout(terminal.try_clone().unwrap()).stderr(terminal);
    }

    fn end(&self) -> File {
        rustix::fs::open(self.name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap().into()
    }

    /// What is written to it next; nothing once nobody holds it any more.
    pub fn read(&mut self) -> Vec<u8> {
        let mut buffer = [0; 4_096];
        match self.controller.read(&mut buffer) {
            Ok(length) => buffer[..length].to_vec(),
            Err(error) if error.kind() == ErrorKind::Interrupted => self.read(),
            // A terminal that nobody holds any more answers with an error.
            Err(_) => Vec::new(),
        }
    }
}

/// Runs a command on a terminal of so many columns to its end, and returns all that is written there.
pub fn seen(command: Command, columns: u16) -> String {
    run(Terminal::new(columns), command).0
}

/// The same on a terminal that a person types a line into, which is written there, too; and the exit code.
pub fn answered(mut command: Command, typed: &str) -> (String, Option<i32>) {
    let mut terminal = Terminal::new(200);
    command.stdin(terminal.end());
    terminal.controller.write_all(format!("{typed}\n").as_bytes()).unwrap();
    run(terminal, command)
}

fn run(mut terminal: Terminal, mut command: Command) -> (String, Option<i32>) {
    terminal.shows(command.env("TERM", "xterm"));
    let mut child = command.spawn().unwrap();
    // The command holds the terminal's other end, too: reading ends when both are gone.
    drop(command);
    let mut written = Vec::new();
    loop {
        match terminal.read() {
            bytes if bytes.is_empty() => break,
            bytes => written.extend(bytes),
        }
    }
    let code = child.wait().unwrap().code();
    (text(written), code)
}

/// What was written, with the line breaks that were meant.
pub fn text(written: Vec<u8>) -> String {
    String::from_utf8(written).unwrap().replace("\r\n", "\n")
}
