//! A catalog, a follower, and the way between them.

use std::{
    fmt::Debug,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use catalog_gateway::{
    Now, RevocationSet, Verdict,
    client::{self, Credential},
    follow::{Clock, Follower, Settings},
    wire::Item,
};
use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    catalog::{Catalog, HEARTBEAT, Server},
    proxy::Proxy,
};

pub const STALENESS_MAX: Duration = Duration::from_millis(1_500);
/// How long the way of a page to the set may be underestimated at most: by the quickest page of all.
const WAY_MAX: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Stage {
    pub catalog: Arc<Catalog>,
    pub server: Option<Server>,
    pub proxy: Proxy,
    pub set: RevocationSet,
    pub follower: Follower,
    pub clock: Clock,
    /// By how many milliseconds the clock that people set is off.
    pub off_by: Arc<AtomicI64>,
    /// What was revoked, and when.
    revoked: Mutex<Vec<(Uuid, Instant)>>,
}

pub fn settings(clock: Clock, file: Option<PathBuf>) -> Settings {
    Settings {
        silence_max: HEARTBEAT * 12,
        answer_time_max: Duration::from_millis(500),
        poll_interval: HEARTBEAT,
        stream_again_after: Duration::from_secs(2),
        pause_min: Duration::from_millis(10),
        pause_max: Duration::from_millis(100),
        file_interval: HEARTBEAT,
        file,
        clock,
        ..Settings::default()
    }
}

impl Stage {
    pub async fn new() -> Self {
        Self::with_file(None).await
    }

    pub async fn with_file(file: Option<PathBuf>) -> Self {
        let catalog = Catalog::new();
        catalog.append(vec![revocation(0)]);
        let server = catalog.serve(None).await;
        let stage = Self::before(catalog, server, file).await;
        stage.follower.loaded().await;
        stage
    }

    pub async fn before(catalog: Arc<Catalog>, server: Server, file: Option<PathBuf>) -> Self {
        let proxy = Proxy::before(server.address).await;
        let off_by = Arc::new(AtomicI64::new(0));
        let clock = Clock::of({
            let off_by = off_by.clone();
            let start = Instant::now();
            move || Now::new(Now::read().wall() + TimeDelta::milliseconds(off_by.load(SeqCst)), start.elapsed())
        });
        let set = RevocationSet::new(STALENESS_MAX);
        let address = format!("http://{}", proxy.address);
        let client = client::Catalog::new(&address, Credential::bearer("a-token".into())).unwrap();
        let follower = Follower::start(client, set.clone(), settings(clock.clone(), file));
        let (server, revoked) = (Some(server), Mutex::default());
        Self { catalog, server, proxy, set, follower, clock, off_by, revoked }
    }

    /// Revokes a token, of which from then on nobody is told that it is good for longer than the bound.
    pub fn revoke(&self, number: u128) {
        self.revoke_several(&[number]);
    }

    /// The same of several, before anybody hears of the first.
    pub fn revoke_several(&self, numbers: &[u128]) {
        self.catalog.append_several(numbers.iter().map(|number| vec![revocation(*number)]));
        let now = Instant::now();
        self.revoked.lock().unwrap().extend(numbers.iter().map(|number| (jti(*number), now)));
    }

    /// What is said of a token; of all that was revoked nothing may be said that is not so.
    pub fn check(&self, number: u128) -> Verdict {
        for (jti, at) in self.revoked.lock().unwrap().iter() {
            let elapsed = at.elapsed();
            let verdict = self.set.check(*jti, "key", self.clock.now());
            let is_late = elapsed > STALENESS_MAX + WAY_MAX;
            assert!(!(is_late && verdict == Verdict::NotRevoked), "{jti} is good {elapsed:?} after it was revoked");
        }
        self.set.check(jti(number), "key", self.clock.now())
    }

    /// Returns once that is said of a token.
    pub async fn until(&self, number: u128, expected: Verdict) {
        self.until_so(&format!("{number} is {expected:?}"), || self.check(number) == expected).await;
    }

    /// Returns once something is so. Meanwhile nothing is said that is not so.
    pub async fn until_so(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            self.check(0);
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}; {:?}", self.follower.status());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns after so long. Meanwhile nothing is said that is not so, and this is.
    pub async fn during<T: PartialEq + Debug>(&self, time: Duration, what: impl Fn() -> T, expected: T) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            assert_eq!(what(), expected);
            self.check(0);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

pub fn jti(number: u128) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | number)
}

pub fn revocation(number: u128) -> Item {
    Item::Revoked { jti: jti(number), exp: 4_000_000_000, effective_from: None }
}
