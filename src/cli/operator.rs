//! Who is at this shell, as the operating system tells it.

use uuid::Uuid;

use super::{CliError, Shell};
use crate::domain::{
    Actor, Origin, Path,
    ambient::uuid_v7,
    origin::OsUser,
    text::{RequestId, harmless},
};

const NAME_MAX: usize = 64;
const HOST_MAX: usize = 253;
/// What the kernel says of a process that nobody logged in for: -1 as an unsigned number.
const LOGIN_UNSET: u32 = u32::MAX;

/// The origin of a command from this shell, under a fresh request id.
pub(super) fn origin(shell: &Shell<'_>, path: Path) -> Result<Origin, CliError> {
    let now = shell.ambient.clock.now();
    let request: Uuid = uuid_v7(now, &*shell.ambient.entropy);
    Ok(Origin {
        path,
        actor: Actor::OsUser(operator(shell)?),
        request_id: RequestId::parse(request.to_string())?,
        address: None,
        user_agent: None,
    })
}

fn operator(shell: &Shell<'_>) -> Result<OsUser, CliError> {
    // A machine without these files still knows its numbers.
    let passwd =
        std::fs::read("/etc/passwd").map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
    let uid = rustix::process::geteuid().as_raw();
    let sudo_user = shell.variables.text("SUDO_USER")?;
    Ok(OsUser {
        name: Some(name_of(&passwd, uid)),
        uid: Some(uid),
        login: login.filter(|login| *login != LOGIN_UNSET).map(|login| name_of(&passwd, login)),
        sudo_user: sudo_user.map(|name| harmless(name, NAME_MAX)),
        host: Some(harmless(&rustix::system::uname().nodename().to_string_lossy(), HOST_MAX)),
    })
}

/// The user's name; a number that has none is written as sudo takes it, `#1000`.
fn name_of(passwd: &str, uid: u32) -> String {
    let named = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| harmless(name, NAME_MAX))
    };
    passwd.lines().find_map(named).unwrap_or_else(|| format!("#{uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_the_passwd_file_or_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nalice:x:1000:1000::/home/alice:/bin/sh\n";

        assert_eq!(name_of(passwd, 0), "root");
        assert_eq!(name_of(passwd, 1000), "alice");
        assert_eq!(name_of(passwd, 1001), "#1001");
        assert_eq!(name_of("", 0), "#0");
    }

    #[test]
    fn a_name_cannot_carry_a_terminal_escape() {
        assert_eq!(name_of("a\u{1b}[31mb:x:7:7:::\n", 7), "a\u{FFFD}[31mb");
    }
}
