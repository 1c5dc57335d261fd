//! The program: its clock, its chance, its environment and its exit code. Everything else is in the library.

use std::{io::Write, process::ExitCode, sync::Arc, time::SystemTime};

use catalog::{
    app::Ambient,
    cli::{self, Variables},
    domain::ambient::{Clock, Entropy},
};
use chrono::{DateTime, Utc};

/// Many small allocations are most of what a request does besides waiting.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code of a program that could not run.
const COULD_NOT_RUN: u8 = 2;

/// The machine's clock.
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    fn now(&self) -> DateTime<Utc> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since_1970.as_micros()).ok();
        micros.and_then(DateTime::from_timestamp_micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The operating system's entropy, without a generator in between that would have to be seeded first.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Without entropy nothing may go on: an identifier or a salt that can be guessed is worse than none.
    fn fill(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            complain("the operating system gives no entropy");
            std::process::exit(COULD_NOT_RUN.into());
        }
    }
}

fn main() -> ExitCode {
    let ambient = Ambient { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}"));
            return COULD_NOT_RUN.into();
        }
    };
    let code = runtime.block_on(cli::run(std::env::args_os(), Variables::of_process(), ambient));
    // What has not ended by now was given its time: a thread that hangs must not keep the process.
    runtime.shutdown_background();
    code.into()
}

fn complain(what: &str) {
    // Nobody may be listening, and then there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "catalog: error: {what}");
}
