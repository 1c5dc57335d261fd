//! What a server does besides answering: it forgets, follows the settings of the log, fills rules into rows, and records the
//! refusals it counted, tells others what it follows, and publishes status lists.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Catalog, Live};
use crate::{
    domain::{Path, causes::Causes},
    store::follower,
};

/// How soon a policy, a key or a client of another process is known here.
const FOLLOW_PERIOD: Duration = Duration::from_millis(250);
/// How often is looked for the file of the signing key while it is not here.
const LOOK_PERIOD: Duration = Duration::from_secs(2);
/// How often is looked whether a minute of refusals is over.
const DENIALS_PERIOD: Duration = Duration::from_secs(5);

impl Catalog {
    /// Does all of it, for as long as it is polled.
    pub async fn keep_house(&self) -> Infallible {
        let (never, ..) = tokio::join!(
            self.keep_swept(),
            self.keep_following(),
            self.keep_filled(),
            self.keep_denials(),
            self.keep_feed(),
            self.keep_status_lists(),
            Box::pin(follower::follow(&self.database, &self.live_tokens, &self.ambient.clock, self.new_id()))
        );
        never
    }

    /// Takes the live tokens into memory, so that the first checks are answered from it, too.
    pub async fn load_live_tokens(&self) {
        let caught_up = Box::pin(follower::catch_up(&self.database, &self.live_tokens, &self.ambient.clock));
        if let Err(error) = caught_up.await {
            tracing::warn!(error = %Causes(&error), "live tokens are not in memory yet");
        }
    }

    /// Follows the settings for as long as it is polled, and looks for the key that signs while it is not here.
    async fn keep_following(&self) -> Infallible {
        let mut period = interval(FOLLOW_PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_told, mut heard, mut looked) = (false, Heard::of(&self.live()), Instant::now());
        loop {
            period.tick().await;
            let begun = Instant::now();
            match self.follow_settings().await {
                Ok(news) => {
                    self.latest.see(begun);
                    is_told = false;
                    if news {
                        tracing::info!("settings were changed in the log, and are followed");
                    }
                }
                // Once is enough: while the database is away every request says so.
                Err(_) if is_told => {}
                Err(error) => {
                    tracing::warn!(error = %Causes(&error), "settings cannot be followed");
                    is_told = true;
                }
            }
            if !self.can_sign() && looked.elapsed() >= LOOK_PERIOD {
                looked = Instant::now();
                if let Err(error) = self.look_for_keys() {
                    tracing::warn!(error = %Causes(&error), "the keys directory cannot be read");
                }
            }
            heard.tell(&self.live());
        }
    }

    /// Records counted refusals for as long as it is polled.
    async fn keep_denials(&self) -> Infallible {
        let mut period = interval(DENIALS_PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            period.tick().await;
            if let Err(error) = self.record_denials().await {
                tracing::warn!(error = %Causes(&error), "counted refusals could not be recorded");
            }
        }
    }
}

/// What was said of the keys here. It is said again only when it is news.
struct Heard {
    warnings: Vec<String>,
    can_sign: bool,
}

impl Heard {
    fn of(live: &Live) -> Self {
        Self { warnings: live.key_warnings(), can_sign: live.can_sign() }
    }

    fn tell(&mut self, live: &Live) {
        let now = Self::of(live);
        for warning in now.warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            tracing::warn!(%warning, "a key file is not as it should be");
        }
        if now.can_sign != self.can_sign {
            let kid = live.signer(Path::Api).map(tracing::field::display);
            if now.can_sign {
                tracing::info!(kid, "the signing key is here, and tokens are issued again");
            } else {
                tracing::error!(
                    kid,
                    "the signing key is not here: nothing is issued until its file is in the keys directory"
                );
            }
        }
        *self = now;
    }
}
