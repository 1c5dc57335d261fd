//! Writes run to their end, whoever hangs up: a handler's future is dropped with its connection, and what follows the
//! decision (a refusal's record, a signature) must not be.

use tracing::Instrument;

use super::problem::Problem;

/// Waits for work that goes on by itself.
pub(super) async fn detached<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
    // It fails by a panic only, which was reported.
    tokio::spawn(work.in_current_span()).await.map_err(|_| Problem::internal())
}
