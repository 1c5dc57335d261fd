//! The table of `tests/verdicts.json`: a token, a place and how it comes there have one verdict, whoever is asked.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use aws_lc_rs::hmac;
use axum::{Router, extract::ConnectInfo, routing::any};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use catalog_gateway::{
    RevocationSet,
    admission::TrustedProxies,
    client::{Catalog, Credential},
    confirm::Confirmer,
    follow::{Follower, Settings},
    jwt::{Rules, Secret, Verifier},
    tower::Guard,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{
    Site,
    process::{Client, Server, answered, until},
    world::Reply,
};

/// With it whoever runs the table can sign what was never issued.
const SECRET: &str = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8";
const ISSUER: &str = "https://catalog.example.com";
/// Who is believed about `X-Forwarded-For`. The table's clients come from elsewhere where that matters.
const PROXIES: &str = "127.0.0.1";

#[derive(Deserialize)]
struct Table {
    tokens: serde_json::Map<String, Value>,
    places: HashMap<String, Place>,
    situations: Vec<Situation>,
}

#[derive(Deserialize)]
struct Place {
    path: String,
    permission: Option<String>,
    server_id: Option<String>,
    out_of_band: Option<String>,
}

#[derive(Deserialize)]
struct Situation {
    what: String,
    token: String,
    place: String,
    present: Option<String>,
    from: Option<IpAddr>,
    method: Option<String>,
    #[serde(default)]
    headers: HashMap<String, String>,
    only: Option<String>,
    verdict: Expected,
    identity: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
struct Expected {
    status: Value,
    code: Option<String>,
}

fn table() -> Table {
    let mut table: Table = serde_json::from_str(include_str!("../verdicts.json")).unwrap();
    // Proxies are asked by scripts/proxy-check.
    table.situations.retain(|situation| situation.only.as_deref() != Some("proxy"));
    table
}

/// A catalog, every token of the table, and the secret of a client that may ask about them.
struct Stage {
    site: Site,
    server: Server,
    tokens: HashMap<String, String>,
    secret: String,
}

impl Stage {
    async fn set() -> Self {
        let site = Site::new().await.with("CATALOG_ISSUER", ISSUER).with("JWT_SECRET_KEY", SECRET);
        let site = site.with("CATALOG_TRUSTED_PROXIES", PROXIES);
        let (admin, server) = (site.admin(), site.serve().await);
        let secret = site.cli(&["clients", "add", "edge", "--permissions", "tokens.check"]).good();
        let mut tokens = HashMap::new();
        let all = table().tokens;
        // What is made of another comes after it.
        let (made, issued): (Vec<_>, Vec<_>) =
            all.iter().partition(|(_, how)| how["forge"].is_string() || how["alter"].is_string());
        for (name, how) in issued.into_iter().chain(made) {
            let token = make(&site, &server.client, &admin, how, &tokens).await;
            tokens.insert(name.clone(), token);
        }
        Self { site, server, tokens, secret }
    }

    /// Every situation, sent by `shape` to `url`.
    async fn judge(&self, who: &str, url: &str, shape: impl Fn(&Place) -> String) {
        let table = table();
        for situation in &table.situations {
            let reply = self.ask(url, &shape(&table.places[&situation.place]), situation).await;
            compare(who, situation, &reply);
        }
    }

    async fn ask(&self, url: &str, path: &str, situation: &Situation) -> Reply {
        let (token, present) = (&self.tokens[&situation.token], situation.present.as_deref().unwrap_or("header"));
        let http = reqwest::Client::builder().no_proxy().local_address(situation.from).build().unwrap();
        let method = situation.method.as_deref().unwrap_or("GET").parse().unwrap();
        let separator = if path.contains('?') { '&' } else { '?' };
        let query = if present == "query" { format!("{separator}access_token={token}") } else { String::new() };
        let mut request = http.request(method, format!("{url}{path}{query}"));
        request = match present {
            "header" => request.bearer_auth(token),
            "twice" => request.bearer_auth(token).bearer_auth(token),
            "basic" => request.basic_auth("edge", Some("hush")),
            "cookie" => request.header("cookie", format!("access_token={token}")),
            _ => request,
        };
        for (name, value) in &situation.headers {
            request = request.header(name, value);
        }
        if situation.method.is_some() {
            request = request.body("x".repeat(1_000));
        }
        answered(request).await.unwrap()
    }
}

fn compare(who: &str, situation: &Situation, reply: &Reply) {
    let Situation { what, verdict, identity, present, .. } = situation;
    let status = json!(reply.status.as_u16());
    let mut allowed = verdict.status.as_array().cloned().unwrap_or_else(|| vec![verdict.status.clone()]);
    if present.as_deref() == Some("query") {
        // Where the query is the proxy's, what it does not know is a fault.
        allowed.push(json!(400));
    }
    assert!(allowed.contains(&status), "{who}: {what}: {reply:?}");
    if let (Some(code), false) = (&verdict.code, status == 400) {
        assert_eq!(reply.json()["code"], json!(code), "{who}: {what}");
    }
    for (name, value) in identity.iter().flatten().filter(|_| who != "tower") {
        assert_eq!(reply.header(&format!("x-auth-{name}")), value, "{who}: {what}: {name}");
    }
}

/// What is asked for at a place, as a proxy's configuration writes it.
fn authorize(place: &Place) -> String {
    let asked =
        [("permission", &place.permission), ("server_id", &place.server_id), ("out_of_band", &place.out_of_band)];
    let asked = asked.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
    format!("/authorize?{}", asked.collect::<Vec<_>>().join("&"))
}

async fn make(site: &Site, client: &Client, admin: &str, how: &Value, made: &HashMap<String, String>) -> String {
    if let Some(flags) = how["shell"].as_array() {
        let flags = flags.iter().map(|flag| flag.as_str().unwrap());
        return site.cli(&["issue", "--dev"].into_iter().chain(flags).collect::<Vec<_>>()).good();
    }
    if let Some(of) = how["forge"].as_str() {
        return forged(&made[of], &how["claims"]);
    }
    if let Some(of) = how["alter"].as_str() {
        let (kept, end) = made[of].split_at(made[of].len() - 4);
        return format!("{kept}{}", if end == "AAAA" { "BBBB" } else { "AAAA" });
    }
    issued(client, admin, how).await
}

async fn issued(client: &Client, admin: &str, how: &Value) -> String {
    let mut body = how["issue"].clone();
    if let Some(many) = how["permissions_many"].as_u64() {
        let permissions: Vec<String> = (0..many).map(|n| format!("tools.{n:04}.read_it_all")).collect();
        body["scopes"] = json!({ "permissions": permissions });
    }
    let reply = client.post("/tokens", admin, body).await;
    assert_eq!(reply.status, 201, "{how}: {}", reply.text);
    let answer = reply.json();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let path = format!("/tokens/{}", answer["token"]["jti"].as_str().unwrap());
    let post = async |what: &str, body: Value| {
        let reply = client.post(&format!("{path}/{what}"), admin, body).await;
        assert!(reply.status.is_success(), "{what}: {}", reply.text);
    };
    match how["then"].as_str() {
        Some("revoke") => assert_eq!(client.delete(&path, admin).await.status, 204),
        Some("suspend") => post("suspend", json!({})).await,
        Some("resume") => {
            post("suspend", json!({})).await;
            post("resume", json!({})).await;
        }
        Some("rotate") => post("rotate", json!({ "overlap": "0s" })).await,
        Some("expire") => {
            let exp = part(token.split('.').nth(1).unwrap())["exp"].as_i64().unwrap();
            until("it is over", async || (catalog_gateway::Now::read().wall().timestamp() >= exp).then_some(())).await;
        }
        Some(other) => panic!("the table says {other}"),
        None => {}
    }
    token
}

/// The claims of a token, changed, and signed with the catalog's own key.
fn forged(token: &str, changes: &Value) -> String {
    let [header, payload] = [0, 1].map(|index| token.split('.').nth(index).unwrap());
    let mut claims = part(payload);
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}

fn part(text: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_and_its_edge_have_the_verdicts_of_the_table() {
    let stage = Stage::set().await;
    let site = stage.site.without("CATALOG_DATABASE_URL").with("CATALOG_CLIENT", "edge");
    let edge = site.with("CATALOG_CLIENT_SECRET", &stage.secret).edge_of(&stage.server.client.url, &[]).await;

    stage.judge("server", &stage.server.client.url, authorize).await;
    // Twice: what was asked about once, and what is known.
    stage.judge("edge", &edge.client.url, authorize).await;
    stage.judge("edge", &edge.client.url, authorize).await;
}

/// The layer, as somebody's own gateway has it.
async fn gateway(stage: &Stage) -> (String, Follower) {
    let credential = Credential::client("edge", stage.secret.clone().into());
    let catalog = Catalog::new(&stage.server.client.url, credential).unwrap();
    let set = RevocationSet::new(Duration::from_secs(5));
    let follower = Follower::start(catalog.clone(), set.clone(), Settings::default());
    follower.loaded().await;
    let rules = Rules { issuer: ISSUER.to_owned(), audience: "gateway".to_owned() };
    let secret = Secret::new(&SECRET.to_owned().into()).unwrap();
    let guard = Guard::new(Verifier::with_secret(catalog.clone(), rules, secret), set)
        .confirmed_by(Confirmer::new(catalog))
        .behind(PROXIES.parse::<TrustedProxies>().unwrap())
        .with_peers(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip()));
    let mut router = Router::new();
    for (_, Place { path, permission, server_id, out_of_band }) in table().places {
        let guard = permission.into_iter().fold(guard.clone(), Guard::requiring);
        let guard = server_id.into_iter().fold(guard, Guard::of_server);
        let guard = if out_of_band.as_deref() == Some("deny") { guard.refusing_out_of_band() } else { guard };
        router = router.route(&path, any(async || ()).layer(guard));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    (url, follower)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layer_for_tower_has_the_verdicts_of_the_table() {
    let stage = Stage::set().await;
    let (url, _follower) = gateway(&stage).await;

    stage.judge("tower", &url, |place| place.path.clone()).await;
}
