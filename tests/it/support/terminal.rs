//! A terminal of a test's own: what a person would see of a command.

use std::{fs::File, io::Read, process::Command};

use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// Runs a command whose stdout and stderr are a terminal of so many columns, and returns all that is written there.
pub fn seen(mut command: Command, columns: u16) -> String {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    tcsetwinsize(&controller, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal: File = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap().into();
    let mut child =
        command.env("TERM", "xterm").stdout(terminal.try_clone().unwrap()).stderr(terminal).spawn().unwrap();
    // The command holds the terminal's other end, too: reading ends when both are gone.
    drop(command);
    let mut written = Vec::new();
    let mut buffer = [0; 4_096];
    // A terminal that nobody holds any more answers with an error.
    while let Ok(length @ 1..) = File::from(controller.try_clone().unwrap()).read(&mut buffer) {
        written.extend_from_slice(&buffer[..length]);
    }
    child.wait().unwrap();
    String::from_utf8(written).unwrap().replace("\r\n", "\n")
}
