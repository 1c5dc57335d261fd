//! A catalog with stolen keys, and every place where a token can be presented to it.

use axum::{
    body::Body,
    http::{HeaderValue, Request, header},
};
use catalog::{
    app::SigningKey,
    domain::{ambient::Clock, claims::signing_input_digest, key::Algorithm},
    signing::SharedSecret,
};
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::forger::Forger;
use crate::support::{
    World,
    process::until,
    world::{Reply, plain},
};

const CHALLENGE: &str = r#"Bearer realm="catalog", error="invalid_token""#;
pub const INACTIVE: &str = r#"{"active":false}"#;
/// As many shadow tokens as are recorded within a minute.
const SHADOWS_A_MINUTE: usize = 60;

/// A token that was never issued, and whether it is evidence of a stolen key.
pub struct Lie {
    what: String,
    token: String,
    is_evidence: bool,
}

impl Lie {
    /// Signed with the key of ours that it names.
    pub fn evidence(what: String, token: String) -> Self {
        Self { what, token, is_evidence: true }
    }

    /// What is wrong with it.
    pub fn what(&self) -> &str {
        &self.what
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// Anybody could have made it, or it is over, or it is somebody else's.
    pub fn noise(what: String, token: String) -> Self {
        Self { what, token, is_evidence: false }
    }
}

/// A catalog with stolen keys, a good caller, and a good token that has to stay good.
pub struct Stage {
    pub world: World,
    pub admin: String,
    pub genuine: String,
    pub forgers: Vec<Forger>,
}

impl Stage {
    /// One stolen key, for `EdDSA`.
    pub async fn new() -> Self {
        Self::of(World::new().await, &[]).await
    }

    /// A key for every algorithm in one log, all of them stolen.
    pub async fn of_every_algorithm() -> Self {
        let mut secret = [0; 48];
        aws_lc_rs::rand::fill(&mut secret).unwrap();
        let world = World::signing_with(SigningKey::Secret(SharedSecret::from_bytes(&secret).unwrap())).await;
        for alg in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            world.add_key(alg, true).await;
        }
        assert!(world.catalog.follow_settings().await.unwrap());
        Self::of(world, &secret).await
    }

    async fn of(world: World, secret: &[u8]) -> Self {
        let admin = world.caller("root@localhost", |c| (c.is_admin, c.ttl_seconds) = (true, Some(86_400))).await;
        let mut genuine = plain("alice@example.com");
        genuine.ttl_seconds = Some(86_400);
        let genuine = world.issue_dev(genuine).await.signed.expose().to_owned();
        let keys = world.catalog.live().settings.keys.clone();
        let forgers = keys
            .iter()
            .map(|key| match key.alg {
                Algorithm::Hs256 => Forger::of_secret(key, secret),
                _ => Forger::of_file(key, &world.keys()),
            })
            .collect();
        Self { world, admin, genuine, forgers }
    }

    pub fn now(&self) -> i64 {
        self.world.clock.now().timestamp()
    }

    /// Claims of an administrator that was never made, with every member that there is; another `jti` each time.
    pub fn claims(&self) -> Value {
        let now = self.now();
        json!({
            "iss": "https://catalog.example.com", "aud": ["catalog", "gateway"], "sub": "mallory@example.com",
            "client_id": "catalog", "jti": self.world.catalog.new_id(), "iat": now, "exp": now + 43_200,
            "scope": "tokens.read", "token_use": "api", "env": "production",
            "user": {
                "email": "mallory@example.com", "full_name": "Mallory", "is_admin": true, "auth_provider": "api_token"
            },
            "teams": null, "namespaces": ["blue"],
            "scopes": {
                "server_id": "one", "permissions": ["tokens.read"], "ip_restrictions": ["10.0.0.0/8"],
                "time_restrictions": {
                    "business_hours_only": true, "weekdays_only": true, "start_time": "09:00", "end_time": "17:00",
                    "timezone": "Europe/Zurich", "days": ["Monday"]
                },
                "usage_limits": {"requests_per_hour": 10, "requests_per_day": 100}
            }
        })
    }

    /// The answer of a listing to a token as a credential; `None` for one that no header can carry.
    pub async fn as_bearer(&self, token: &str) -> Option<Reply> {
        self.as_bearer_of("GET", "/tokens", token).await
    }

    /// The same of a route that would do something with the genuine token.
    async fn as_bearer_of(&self, method: &str, path: &str, token: &str) -> Option<Reply> {
        let value = HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()).ok()?;
        let request = form(path).method(method).header(header::AUTHORIZATION, value);
        Some(self.world.raw(request.body(Body::from(format!("token={}", self.genuine))).unwrap()).await)
    }

    pub async fn introspected(&self, token: &str) -> Reply {
        let request = form("/introspect").header(header::AUTHORIZATION, format!("Bearer {}", self.admin));
        self.world.raw(request.body(Body::from(format!("token={}", encoded(token)))).unwrap()).await
    }

    pub async fn revoked(&self, token: &str) -> Reply {
        let request = form("/revoke");
        self.world.raw(request.body(Body::from(format!("token={}", encoded(token)))).unwrap()).await
    }

    /// Presents a lie wherever a token can be presented.
    async fn present(&self, lie: &Lie) {
        let (what, token) = (&lie.what, &lie.token);
        if let Some(reply) = self.as_bearer(token).await {
            assert_refused(&reply, what);
        }
        for path in ["/introspect", "/revoke"] {
            if let Some(reply) = self.as_bearer_of("POST", path, token).await {
                assert_no_client(&reply, what);
            }
        }
        let introspected = self.introspected(token).await;
        assert_eq!((introspected.status.as_u16(), introspected.text.as_str()), (200, INACTIVE), "introspected: {what}");
        let revoked = self.revoked(token).await;
        assert_eq!((revoked.status.as_u16(), revoked.text.as_str()), (200, ""), "revoked: {what}");
    }

    /// Presents each lie everywhere, and compares the evidence in the log with what was presented.
    pub async fn withstands(&self, lies: Vec<Lie>) {
        let last = self.forgers[0].token(&self.forgers[0].header(), &self.claims().to_string());
        let last = [Lie::evidence("one more, so that whatever went before it would be recorded".to_owned(), last)];
        let mut expected = Vec::new();
        for some in lies.chunks(SHADOWS_A_MINUTE).chain([last.as_slice()]) {
            stream::iter(some).for_each_concurrent(4, |lie| self.present(lie)).await;
            expected.extend(some.iter().filter(|lie| lie.is_evidence).map(|lie| (digest(&lie.token), &lie.what)));
            self.until_recorded(expected.len()).await;
            self.world.clock.advance(TimeDelta::minutes(1));
        }

        let mut recorded = self.evidence().await;
        for (digest, what) in &expected {
            let place = recorded.iter().position(|recorded| recorded == digest);
            recorded.swap_remove(place.unwrap_or_else(|| panic!("not recorded: {what}")));
        }
        let unexpected =
            |digest: &String| lies.iter().find(|lie| self::digest(&lie.token) == *digest).map(|lie| &lie.what);
        let unexpected: Vec<_> = recorded.iter().map(unexpected).collect();
        assert_eq!(unexpected, [], "recorded, and no evidence or not the first time");
        let genuine = self.introspected(&self.genuine).await;
        assert_eq!(genuine.json()["active"], true, "the genuine token suffered");
        self.world.verify().await;
    }

    pub async fn until_recorded(&self, count: usize) {
        let count = i64::try_from(count).unwrap();
        let reads = self.world.catalog.database().reads();
        until("the evidence is recorded", async || {
            let recorded = "select count(*) from events where kind = 'shadow_token.seen.v1'";
            (sqlx::query_scalar::<_, i64>(recorded).fetch_one(reads).await.unwrap() >= count).then_some(())
        })
        .await;
    }

    /// The digests of the shadow tokens in the log. Nothing else may have happened.
    pub async fn evidence(&self) -> Vec<String> {
        let (mut digests, mut after) = (Vec::new(), json!(0));
        while !after.is_null() {
            let page = self.world.get(&format!("/audit/events?limit=1000&after={after}"), &self.admin).await.json();
            for event in page["events"].as_array().unwrap() {
                assert_ne!(event["kind"], "token.revoked.v1", "{event}");
                digests.extend(event["data"]["claims_digest"].as_str().map(str::to_owned));
            }
            after = page["next_after"].clone();
        }
        digests
    }
}

fn form(path: &str) -> axum::http::request::Builder {
    Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

/// Each byte of a text as a form takes any byte.
fn encoded(text: &str) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap();
    text.bytes().flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)]).collect()
}

pub fn digest(token: &str) -> String {
    hex::encode(signing_input_digest(token.rsplit_once('.').map_or(token, |(input, _)| input)))
}

/// Every credential that is not good is answered alike.
pub fn assert_refused(reply: &Reply, what: &str) {
    let problem = json!({
        "type": "https://catalog.example.com/problems/credential_invalid", "title": "The credential is not good",
        "status": 401,
        "code": "credential_invalid",
        "detail": "the presented token is not an active token of this catalog with the audience 'catalog'"
    });
    assert_eq!((reply.status.as_u16(), reply.json()), (401, problem), "as a credential: {what}");
    assert_eq!(reply.header("www-authenticate"), CHALLENGE, "{what}");
}

/// The same in the form of OAuth.
fn assert_no_client(reply: &Reply, what: &str) {
    let error = json!({
        "error": "invalid_client",
        "error_description": "this needs an active token of the catalog, or a client, with the permission that the route asks for"
    });
    assert_eq!((reply.status.as_u16(), reply.json()), (401, error), "as a client: {what}");
    assert_eq!(reply.header("www-authenticate"), CHALLENGE, "{what}");
}
