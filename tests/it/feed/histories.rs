//! Whatever happens to tokens, whoever loads a snapshot, reads pages or listens to a stream knows what checks are answered.

use std::time::Duration;

use catalog::domain::{
    Path, Position,
    key::Algorithm,
    key_life::{ActivateKey, CompromiseKey},
    text::Kid,
};
use catalog_gateway::{Now, RevocationSet, Verdict, wire::Page};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    keep_house,
    reader::{Events, Known},
};
use crate::support::{
    World,
    process::Client,
    world::{plain, shell},
};

/// Longer than a test lasts, and than its clock is set ahead.
const FRESH: Duration = Duration::from_hours(24);
const HISTORIES: u64 = 4;
const STEPS: usize = 60;
/// Keys there are at the beginning, besides the first, which signs for nobody but the administrator.
const KEYS: usize = 3;
/// Tokens that each of them signs at least.
const TOKENS_OF_KEY: usize = 4;

/// Numbers that are the same for the same seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// A token that was issued.
struct Issued {
    jti: Uuid,
    kid: String,
    position: i64,
    expires_at: DateTime<Utc>,
}

/// A catalog to which things happen, and those who follow it.
struct Told {
    world: World,
    admin: String,
    client: Client,
    numbers: Numbers,
    tokens: Vec<Issued>,
    keys: Vec<Kid>,
    paged: Known,
    next: String,
    streamed: Known,
    /// What a gateway knows that listens to the same stream.
    set: RevocationSet,
    events: Events,
    begun: DateTime<Utc>,
}

impl Told {
    async fn begin(seed: u64) -> Self {
        let world = World::new().await;
        keep_house(&world).await;
        let admin =
            world.caller("root@localhost", |command| (command.is_admin, command.ttl_seconds) = (true, Some(28_800)));
        let admin = admin.await;
        let (url, _) = world.listen().await;
        let client = Client::new(&url);
        let snapshot: Page = serde_json::from_value(world.get("/revocations/snapshot", &admin).await.json()).unwrap();
        let events = Events::open(&client, &admin, snapshot.next.as_deref()).await;
        let keys = vec![world.catalog.live().settings.active.clone().unwrap()];
        let (paged, next, tokens, numbers) = (Known::default(), "0".to_owned(), Vec::new(), Numbers(seed));
        let (streamed, set, begun) = (Known::default(), RevocationSet::new(FRESH), world.catalog.ambient().clock.now());
        let mut told = Self { world, admin, client, numbers, tokens, keys, paged, next, streamed, set, events, begun };
        told.hear(&snapshot);
        told
    }

    fn now(&self) -> Now {
        // Both of its clocks go as the catalog's does.
        let now = self.world.catalog.ambient().clock.now();
        Now::new(now, (now - self.begun).to_std().unwrap())
    }

    /// What comes by the stream, a gateway takes as it is.
    fn hear(&mut self, page: &Page) {
        self.streamed.apply(page);
        self.set.apply(page, self.now()).unwrap();
    }

    fn token(&mut self) -> Option<Uuid> {
        let count = self.tokens.len();
        (count > 0).then(|| self.tokens[self.numbers.below(count)].jti)
    }

    fn subject(&mut self) -> String {
        format!("user-{}@example.com", self.numbers.below(3))
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let reply = self.world.post(path, &self.admin, body).await;
        assert!(reply.status.is_success() || reply.status == 409, "{path} {reply:?}");
        if reply.text.is_empty() { Value::Null } else { reply.json() }
    }

    async fn issue(&mut self) {
        let (sub, ttl) = (self.subject(), 1 + self.numbers.below(600));
        let mut command = plain(&sub);
        command.ttl_seconds = Some(u32::try_from(ttl).unwrap());
        let token = self.world.issue_dev(command).await.token;
        let (jti, kid, position, expires_at) = (token.jti, token.kid.to_string(), token.issued.0, token.expires_at);
        self.tokens.push(Issued { jti, kid, position, expires_at });
    }

    async fn rotate(&mut self) {
        let (Some(jti), seconds) = (self.token(), self.numbers.below(90)) else { return };
        let answer = self.post(&format!("/tokens/{jti}/rotate"), json!({ "overlap": format!("{seconds}s") })).await;
        let successor = &answer["token"];
        if let Some(jti) = successor["jti"].as_str() {
            let text = |member: &str| successor[member].as_str().unwrap().to_owned();
            let (jti, expires_at) = (jti.parse().unwrap(), text("expires_at").parse().unwrap());
            let position = answer["position"].as_i64().unwrap();
            self.tokens.push(Issued { jti, kid: text("kid"), position, expires_at });
        }
    }

    async fn change(&mut self, what: &str) {
        if let Some(jti) = self.token() {
            self.post(&format!("/tokens/{jti}/{what}"), json!({})).await;
        }
    }

    async fn revoke(&mut self) {
        if let Some(jti) = self.token() {
            self.world.delete(&format!("/tokens/{jti}"), &self.admin, Value::Null).await;
        }
    }

    async fn add_rule(&mut self) {
        let sub = self.subject();
        let kid = self.keys[self.numbers.below(self.keys.len())].clone();
        let condition =
            if self.numbers.below(2) == 0 { json!({ "sub": sub }) } else { json!({ "sub": sub, "kid": kid }) };
        self.post("/revocations", json!({ "where": condition, "reason": "unspecified" })).await;
    }

    async fn change_key(&mut self) {
        let kid = self.world.add_key(Algorithm::EdDsa, false).await;
        let command = ActivateKey { kid: kid.clone(), early: true };
        self.world.catalog.activate_key(command, shell(Path::CliAdmin)).await.unwrap();
        self.keys.push(kid);
        for _ in 0..TOKENS_OF_KEY {
            self.issue().await;
        }
    }

    /// The admin's own key is the first; it is left alone.
    async fn compromise_key(&mut self) {
        let kid = self.keys[1 + self.numbers.below(self.keys.len() - 2)].clone();
        let of_key = self.tokens.iter().filter(|token| token.kid == kid.as_str());
        let signed: Vec<i64> = of_key.map(|token| token.position).collect();
        let from = signed[self.numbers.below(signed.len())];
        let command = CompromiseKey { kid, from: Position(from), since: None, note: None, successor: None };
        self.world.catalog.compromise_key(command, shell(Path::CliAdmin)).await.unwrap();
    }

    async fn step(&mut self) {
        match self.numbers.below(26) {
            0..8 => self.issue().await,
            8..10 => self.revoke().await,
            10..12 => self.change("suspend").await,
            12..14 => self.change("resume").await,
            14..17 => self.rotate().await,
            17 => self.add_rule().await,
            // What it does to many tokens is known to all as soon as its place is.
            18 => {
                self.add_rule().await;
                self.compare().await;
            }
            19 => self.change_key().await,
            20 => self.compromise_key().await,
            21..23 => {
                self.compromise_key().await;
                self.compare().await;
            }
            23 => self.world.clock.advance(TimeDelta::seconds(i64::try_from(self.numbers.below(40)).unwrap())),
            24 => self.break_off().await,
            _ => self.compare().await,
        }
    }

    /// The stream breaks off wherever it is, and begins again after its last id.
    async fn break_off(&mut self) {
        let last = self.streamed.begin_again();
        self.events = Events::open(&self.client, &self.admin, Some(&last)).await;
    }

    async fn read_pages(&mut self) {
        loop {
            let limit = 1 + self.numbers.below(4);
            let path = format!("/revocations?after={}&limit={limit}", self.next);
            let page: Page = serde_json::from_value(self.world.get(&path, &self.admin).await.json()).unwrap();
            self.paged.apply(&page);
            self.next = page.next.unwrap();
            if !page.has_more {
                return;
            }
        }
    }

    async fn compare(&mut self) {
        let snapshot = self.world.get("/revocations/snapshot", &self.admin).await.json();
        let snapshot: Page = serde_json::from_value(snapshot).unwrap();
        let mut loaded = Known::default();
        loaded.apply(&snapshot);
        self.read_pages().await;
        let head = snapshot.mark.position;
        // A page of now says that there is nothing else.
        loop {
            let page = self.events.page().await;
            self.hear(&page);
            if page.mark.position >= head && !page.is_partial && !page.has_more {
                break;
            }
        }

        let now = self.world.catalog.ambient().clock.now();
        let jtis: Vec<Uuid> = self.tokens.iter().map(|token| token.jti).collect();
        let checked = self.post("/revocations/check", json!({ "jtis": jtis })).await;
        // Of what is expired nobody needs to know more.
        let live =
            self.tokens.iter().zip(checked["results"].as_array().unwrap()).filter(|(token, _)| now < token.expires_at);
        for (Issued { jti, kid, .. }, checked) in live {
            let expected = checked["status"].as_str().unwrap();
            for (how, known) in [("snapshot", &loaded), ("pages", &self.paged), ("stream", &self.streamed)] {
                let status = known.status(*jti, kid, now);
                assert!(status == expected, "{jti}: {status} by {how}, and {expected}");
            }
            let verdict = if expected == "active" { Verdict::NotRevoked } else { Verdict::Revoked };
            assert_eq!(self.set.check(*jti, kid, self.now()), verdict, "{jti}: {expected}");
        }
        assert_eq!(self.paged.mark, loaded.mark);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_pages_and_a_stream_tell_what_checks_are_answered_whatever_happens() {
    let histories = (0..HISTORIES).map(|seed| async move {
        let mut told = Told::begin(seed).await;
        for _ in 0..KEYS {
            told.change_key().await;
        }
        for _ in 0..STEPS {
            Box::pin(told.step()).await;
        }
        told.compare().await;
    });

    join_all(histories).await;
}
