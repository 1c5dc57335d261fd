//! Whether a request that came to a gateway may pass, by the token that it bears.

use std::{net::IpAddr, sync::Arc};

use catalog_gateway::admission::{Demand, Denied, Use};

use super::{AskedBy, Catalog, CheckError, Verdict};
use crate::{domain::index::LiveToken, signing::Verified};

/// What becomes of a request.
#[derive(Debug)]
pub enum Passage {
    /// It may pass.
    Allowed {
        /// What its token says.
        verified: Arc<Verified>,
        /// What the log says of it.
        token: LiveToken,
    },
    /// Its token is not good here. Why is not said.
    NotGood,
    /// Its token is good, and may not be used for it.
    Denied(Denied),
}

impl Catalog {
    /// Judges a token that was presented to a gateway: issued, unchanged, active, meant for the configured audience, and not
    /// narrowed so that it may not be used there. The request comes `from` there, as far as that is known.
    ///
    /// # Errors
    /// [`CheckError`]: it could not tell, which is not a no.
    pub async fn authorize(
        &self,
        presented: &str,
        demand: &Demand,
        from: Option<IpAddr>,
        asked_by: &dyn AskedBy,
    ) -> Result<Passage, CheckError> {
        let Verdict::Active { verified, token } = self.check_passage(presented, asked_by).await? else {
            return Ok(Passage::NotGood);
        };
        let live = self.live();
        if !live.settings.audience.as_ref().is_some_and(|audience| verified.is_for(audience.as_str())) {
            return Ok(Passage::NotGood);
        }
        let used = Use { from, at: self.ambient.clock.now() };
        match verified.claims.scopes.terms(token.out_of_band).admit(demand, used) {
            Ok(()) => Ok(Passage::Allowed { verified, token }),
            Err(denied) => Ok(Passage::Denied(denied)),
        }
    }
}
