//! The rotation drill: two servers on one log issue and check without a pause while the key that signs is changed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use catalog::{
    app::{Catalog, Requester, Verdict},
    domain::{
        Authority, Path, Status,
        key::{Algorithm, JWKS_MAX_AGE_SECONDS},
        text::Kid,
    },
    signing::SignedToken,
};
use tokio::task::JoinHandle;

use super::{activate, active, keep_house, retire, wait};
use crate::support::{
    World,
    process::until,
    world::{plain, shell},
};

/// What asks the servers without a pause.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    /// Each of the servers issues, and both check what either has issued.
    fn on(servers: &[Arc<Catalog>; 2]) -> Self {
        let (stop, served): (Arc<AtomicBool>, Arc<AtomicUsize>) = (Arc::default(), Arc::default());
        let tasks = (0..8)
            .map(|task| {
                let (stop, served, servers) = (stop.clone(), served.clone(), servers.clone());
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let token = issue(&servers[task % 2]).await;
                        for server in &servers {
                            assert!(is_active(server, &token).await, "a token that was issued just now");
                        }
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self { stop, served, tasks }
    }

    /// Returns when so many more were served since.
    async fn goes_on(&self) {
        let enough = self.served.load(Ordering::Relaxed) + 100;
        until("the load is served", async || {
            assert!(self.tasks.iter().all(|task| !task.is_finished()), "a check or an issuance failed");
            (self.served.load(Ordering::Relaxed) >= enough).then_some(())
        })
        .await;
    }

    async fn ends(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

async fn issue(server: &Catalog) -> SignedToken {
    let requester = Requester::new(Authority::of_shell(), shell(Path::CliDev));
    server.issue(plain("alice@example.com"), requester).await.unwrap().signed
}

async fn is_active(server: &Catalog, token: &SignedToken) -> bool {
    matches!(server.check(token.expose(), &shell(Path::Api)).await.unwrap(), Verdict::Active { .. })
}

async fn known(servers: &[Arc<Catalog>; 2], kid: &Kid) {
    for server in servers {
        until("the key is published", async || server.live().settings.key(kid).map(drop)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_load_without_one_failed_check_or_issuance() {
    let world = World::new().await;
    let another = world.another_process().await;
    let houses = [keep_house(&world), keep_house(&another)];
    let servers = [world.catalog.clone(), another.catalog.clone()];
    let first = active(&world);
    let mut longest = plain("bob@example.com");
    longest.ttl_seconds = Some(7_200);
    let longest = world.issue_dev(longest).await;
    let load = Load::on(&servers);

    load.goes_on().await;
    for alg in [Algorithm::Es256, Algorithm::EdDsa] {
        let next = world.add_key(alg, false).await;
        known(&servers, &next).await;
        load.goes_on().await;
        wait(&world, i64::from(JWKS_MAX_AGE_SECONDS) + 5);
        activate(&world, &next).await.unwrap();
        load.goes_on().await;
        for server in &servers {
            until("both sign with it", async || (server.live().settings.active == Some(next.clone())).then_some(()))
                .await;
            assert!(is_active(server, &longest.signed).await, "what the first key signed is good as ever");
        }
        load.goes_on().await;
    }
    let until_when = longest.token.expires_at - world.catalog.ambient().clock.now();
    assert!(retire(&world, &first).await.is_err(), "its last token is not over");
    // The clock goes on under the load: whatever was issued a moment before ends, too, and so the load has to pause.
    load.ends().await;
    wait(&world, until_when.num_seconds());
    retire(&world, &first).await.unwrap();
    let load = Load::on(&servers);
    load.goes_on().await;
    load.ends().await;

    let last = world.catalog.token(longest.token.jti).await.unwrap().unwrap();
    assert_eq!(last.status(world.catalog.ambient().clock.now()), Status::Expired);
    world.verify().await;
    houses.iter().for_each(JoinHandle::abort);
}
