//! Whether the catalog that an edge asks has the issuer that the edge takes. If not, it would find no token good.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use catalog_gateway::{client, metadata};
use tokio::task::JoinSet;

use crate::domain::text::Issuer;

/// After how long a catalog is asked again that has the right one: it may be another catalog by then.
const AGAIN_AFTER: Duration = Duration::from_mins(5);
/// The same of one that has another, or did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Asks the catalog now and then for as long as this lives.
pub(super) struct IssuerWatch {
    is_other: Arc<AtomicBool>,
    _task: JoinSet<()>,
}

impl IssuerWatch {
    pub(super) fn start(catalog: client::Catalog, issuer: Arc<Issuer>) -> Self {
        let is_other = Arc::new(AtomicBool::new(false));
        let mut task = JoinSet::new();
        task.spawn(watch(catalog, issuer, is_other.clone()));
        Self { is_other, _task: task }
    }

    /// Whether the catalog said of itself that it has another. Until it says anything nobody knows.
    pub(super) fn is_other(&self) -> bool {
        self.is_other.load(Relaxed)
    }
}

async fn watch(catalog: client::Catalog, issuer: Arc<Issuer>, is_other: Arc<AtomicBool>) {
    loop {
        let pause = match metadata::issuer(&catalog).await {
            Ok(Some(named)) if named != issuer.as_str() => {
                if !is_other.swap(true, Relaxed) {
                    let address = catalog.address();
                    tracing::error!(
                        address,
                        named,
                        expected = issuer.as_str(),
                        "the catalog has another issuer than this edge takes: none of its tokens is good here; set --issuer to the one \
                         that it names"
                    );
                }
                RETRY_AFTER
            }
            Ok(_) => {
                if is_other.swap(false, Relaxed) {
                    tracing::info!(address = catalog.address(), "the catalog has the issuer that this edge takes");
                }
                AGAIN_AFTER
            }
            // Whoever follows the catalog says so.
            Err(_) => RETRY_AFTER,
        };
        tokio::time::sleep(pause).await;
    }
}
