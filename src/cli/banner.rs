//! What `serve` says once it is ready: where it listens, where its data lies, what an operator should know.

use std::net::SocketAddr;

use super::{
    CliError, Shell,
    config::{LISTEN_DEFAULT, Storage},
    logging::LogFormat,
    output,
    session::Session,
};
use crate::store::{Head, log, schema::Warning};

/// Says that the server is ready. `listening on http://` is what scripts wait for.
pub(super) async fn show(shell: &Shell<'_>, session: &Session, address: SocketAddr) -> Result<(), CliError> {
    let head = log::head(session.database.reads()).await?;
    let warnings = session.warnings().await?;
    match shell.log_format()? {
        LogFormat::Text => text(shell, session, address, &head, &warnings),
        LogFormat::Json => json(session, address, &head, &warnings),
    }
    Ok(())
}

fn text(shell: &Shell<'_>, session: &Session, address: SocketAddr, head: &Head, warnings: &[Warning]) {
    for warning in warnings {
        output::say(&format!("warning: {warning}"));
    }
    output::say(&format!("catalog {}", env!("CARGO_PKG_VERSION")));
    output::say(&format!("  data  {}", session.place.describe()));
    output::say(&format!("  log   {}, position {}", head.log_id, head.position));
    output::say(&next_commands(shell, session, address));
    output::say(&format!("listening on http://{address}"));
}

fn json(session: &Session, address: SocketAddr, head: &Head, warnings: &[Warning]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(
        data = session.place.describe(),
        log_id = %head.log_id,
        position = head.position.0,
        "listening on http://{address}"
    );
}

/// Commands to paste into another terminal.
fn next_commands(shell: &Shell<'_>, session: &Session, address: SocketAddr) -> String {
    let program = std::env::current_exe().map_or_else(|_| "catalog".to_owned(), |path| path.display().to_string());
    let flags = flags(shell, session);
    let given = match &session.place.storage {
        Storage::Embedded(_) => "",
        Storage::Remote(_) => ", where CATALOG_DATABASE_URL is set as here",
    };
    let program = quoted(&program);
    let at = if address == LISTEN_DEFAULT.0 { String::new() } else { format!("export CATALOG_URL=http://{address}\n") };
    format!(
        "  next  in another terminal{given}:\n\
         \n\
         {at}\
         export CATALOG_TOKEN=$({program} issue --dev --admin --aud catalog --sub root@localhost --ttl 8h{flags})\n\
         {program} issue --sub alice@example.com --name ci --ttl 1h\n\
         {program} list\n\
         {program} audit events{flags}\n"
    )
}

/// The flags that lead another shell to the same place.
fn flags(shell: &Shell<'_>, session: &Session) -> String {
    let has_data = shell.global.data.is_some() || shell.variables.raw("CATALOG_DATA").is_some();
    let has_schema = shell.global.schema.is_some() || shell.variables.raw("CATALOG_SCHEMA").is_some();
    let data = has_data.then(|| format!(" --data {}", quoted(&session.place.data.display().to_string())));
    let schema = has_schema.then(|| format!(" --schema {}", session.place.schema.as_str()));
    data.into_iter().chain(schema).collect()
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+".contains(&b);
    if word.bytes().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_only_where_a_shell_needs_it() {
        assert_eq!(quoted("/usr/bin/catalog-1.0"), "/usr/bin/catalog-1.0");
        assert_eq!(quoted("/it's here"), r"'/it'\''s here'");
    }
}
