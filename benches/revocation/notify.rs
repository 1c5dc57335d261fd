//! pgbench, with the least that a revocation could be: one row and a notification, in one transaction.

use sqlx::PgConnection;
use tokio::process::Command;

use crate::support::{
    figures::percentile_ms,
    stand::{Error, Stand, execute},
};

/// The p50 of such a transaction of one client, in milliseconds.
pub async fn run(stand: &Stand, superuser: &mut PgConnection) -> Result<f64, Error> {
    let table = "create schema if not exists bench; \
                 create table if not exists bench.revoked (at timestamptz not null, what text not null)";
    execute(superuser, table.to_owned()).await?;
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("script");
    let statements =
        "begin;\ninsert into bench.revoked values (clock_timestamp(), 'a token');\nnotify bench;\ncommit;\n";
    std::fs::write(&script, statements)?;
    let mut command = Command::new(stand.binaries()?.join("pgbench"));
    command.arg("-f").arg(&script).args(["-n", "-M", "prepared", "-U", "postgres", "-T", "2", "-c", "1", "-l"]);
    command.arg("-h").arg(stand.cluster()).arg("catalog").current_dir(directory.path());
    let done = command.output().await?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into());
    }
    let mut taken = Vec::new();
    for entry in std::fs::read_dir(directory.path())? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgbench_log")) {
            // The third field of a line is how long its transaction took, in microseconds.
            let lines = std::fs::read_to_string(path)?;
            let micros = lines.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
            taken.extend(micros.map(std::time::Duration::from_micros));
        }
    }
    Ok(percentile_ms(&mut taken, 0.5))
}
