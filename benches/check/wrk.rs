//! `wrk`, which takes less of the machine than what it measures.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::stand::Error;

/// One request, asked by `wrk`.
pub(super) struct Wrk {
    url: String,
    token: String,
    script: Option<PathBuf>,
}

/// What a turn came to.
pub(super) struct Turn {
    pub(super) requests: f64,
    pub(super) seconds: f64,
    pub(super) p99_ms: f64,
}

/// Says in one line what no person would read.
const DONE: &str = r#"
done = function(summary, latency)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format("FIGURES %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(99), bad))
end
"#;

/// A script that asks about one token.
pub(super) fn one(token: &str) -> String {
    format!(
        "wrk.method = 'POST'\nwrk.headers['content-type'] = 'application/x-www-form-urlencoded'\nwrk.body = 'token={token}'\n{DONE}"
    )
}

/// A script that asks about the tokens of a file, one after the other.
pub(super) fn many(file: &str) -> String {
    format!(
        "local asks = {{}}
init = function()
  local headers = {{ ['content-type'] = 'application/x-www-form-urlencoded', authorization = wrk.headers['authorization'] }}
  for token in io.lines('{file}') do
    asks[#asks + 1] = wrk.format('POST', '/introspect', headers, 'token=' .. token)
  end
end
local next = 0
request = function()
  next = next % #asks + 1
  return asks[next]
end
{DONE}"
    )
}

impl Wrk {
    pub(super) fn new(address: &str, token: &str, path: &str, script: Option<PathBuf>) -> Self {
        Self { url: format!("http://{address}{path}"), token: token.to_owned(), script }
    }

    /// Asks for so long. Any answer but a good one is an error.
    pub(super) fn run(&self, connections: usize, time: Duration) -> Result<Turn, Error> {
        let plain = tempfile::NamedTempFile::new()?;
        std::fs::write(plain.path(), DONE)?;
        let mut command = Command::new("wrk");
        command.args(["-t1", "-c", &connections.to_string(), "-d", &format!("{}s", time.as_secs())]);
        command.args(["-H", &format!("authorization: Bearer {}", self.token)]);
        command.arg("-s").arg(self.script.as_deref().unwrap_or(plain.path())).arg(&self.url);
        let done = command.stderr(Stdio::inherit()).output().map_err(|error| format!("wrk: {error}"))?;
        let said = String::from_utf8(done.stdout)?;
        let line = said.lines().find_map(|line| line.strip_prefix("FIGURES ")).ok_or("wrk said no figures")?;
        let figures = line.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [requests, duration_us, p99_us, bad] = figures[..] else { return Err("wrk said other figures".into()) };
        if bad > 0.0 {
            return Err(format!("{bad} requests of {} failed", self.url).into());
        }
        Ok(Turn { requests, seconds: duration_us / 1e6, p99_ms: p99_us / 1e3 })
    }
}
