//! The promise of one command: whatever is asked for, both doors issue the same claims and record the same event.

use std::{
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use catalog::domain::{
    restrictions::IpRestriction,
    text::{Audience, Description, FullName, Name, Namespace, Note, ServerId, Subject, TeamId},
};
use proptest::{
    collection::vec,
    option::{self, weighted},
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Map, Value, json};
use tokio::{runtime::Handle, task::block_in_place};

use crate::support::{Site, TestDatabase, process::Server};

/// Real processes for each case, so not many.
const CASES: u32 = 16;
const WEEK: u32 = 7 * 86_400;
const EVENTS_OF_A_FIRST_START: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn both_doors_issue_the_same_claims_and_record_the_same_events() {
    both_doors_agree(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_doors_agree_where_an_environment_is_configured() {
    both_doors_agree(Some("staging")).await;
}

/// Two logs on the same keys: what the one is asked by the API, the other is asked from a shell.
async fn both_doors_agree(env: Option<&str>) {
    let mut by_api = Site::new().await;
    if let Some(env) = env {
        by_api = by_api.with("ENVIRONMENT", env);
    }
    let by_shell = by_api.with("CATALOG_DATABASE_URL", &TestDatabase::migrated().await.url());
    let (admin, _) = (by_api.admin(), by_shell.admin());
    let server = by_api.serve().await;
    let doors = Doors { server, admin, shell: by_shell.clone(), env, asked: AtomicUsize::new(0) };

    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let outcome = TestRunner::new(config).run(&parameters(), |parameters| doors.compare(parameters));

    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    let [api, shell] = [&by_api, &by_shell].map(|site| site.cli(&["audit", "events", "--format", "ndjson"]).ndjson());
    assert_eq!(api.len(), EVENTS_OF_A_FIRST_START + 1 + doors.asked.load(Ordering::Relaxed));
    assert_same_events(&api, &shell);
    by_api.cli(&["audit", "verify"]).good();
    by_shell.cli(&["audit", "verify"]).good();
}

struct Doors<'a> {
    server: Server,
    admin: String,
    shell: Site,
    env: Option<&'a str>,
    asked: AtomicUsize,
}

impl Doors<'_> {
    fn compare(&self, mut parameters: Parameters) -> Result<(), TestCaseError> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        // Unique among active tokens, whatever chance says.
        parameters.name = parameters.name.map(|name| format!("{name} {number}"));
        let body = parameters.body();

        let reply = block_in_place(|| {
            Handle::current().block_on(self.server.client.post("/tokens", &self.admin, body.clone()))
        });
        let done = self.shell.cli(&parameters.arguments().iter().map(String::as_str).collect::<Vec<_>>());

        prop_assert_eq!((reply.status.as_u16(), done.code), (201, 0), "{} {:?} {:?}", body, reply, done);
        let (api, shell) = (reply.json(), done.json());
        let [of_api, of_shell] =
            [&api, &shell].map(|answer| Parts::of(answer["access_token"].as_str().unwrap(), &parameters));
        prop_assert_eq!(&of_api.header, &of_shell.header);
        prop_assert_eq!(&of_api.claims, &of_shell.claims);
        prop_assert_eq!(of_api.claims.get("env").and_then(Value::as_str), self.env);
        prop_assert_eq!((of_api.lifetime, of_shell.lifetime), parameters.lifetimes());
        prop_assert_eq!(&api["position"], &shell["position"]);
        prop_assert_eq!(record(&api, "api", false), record(&shell, "cli-dev", true));
        Ok(())
    }
}

/// A token's parts, without what differs from token to token.
struct Parts {
    header: Value,
    claims: Map<String, Value>,
    lifetime: i64,
}

impl Parts {
    fn of(token: &str, parameters: &Parameters) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let decoded = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let Value::Object(mut claims) = decoded(parts[1]) else { panic!("the claims are no object") };
        assert_eq!(claims["sub"], json!(parameters.sub));
        let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        for differs in ["jti", "iat", "exp"] {
            assert!(claims.remove(differs).is_some(), "{differs}");
        }
        Self { header: decoded(parts[0]), claims, lifetime }
    }
}

/// The record of the answer, without what differs; it must name its door.
fn record(answer: &Value, path: &str, out_of_band: bool) -> Value {
    let mut record = answer["token"].clone();
    assert_eq!((&record["path"], &record["out_of_band"]), (&json!(path), &json!(out_of_band)));
    cut(&mut record, &["path", "out_of_band", "jti", "issued_at", "expires_at", "issued_by"]);
    record
}

/// Asserts that two logs tell the same story in the same order, but for who told it through which door.
fn assert_same_events(api: &[Value], shell: &[Value]) {
    assert_eq!(api.len(), shell.len());
    for (number, (api, shell)) in api.iter().zip(shell).enumerate() {
        if number > EVENTS_OF_A_FIRST_START {
            assert_door(api, "api", "token", &["address", "request_id", "user_agent"]);
            assert_door(shell, "cli-dev", "os-user", &["request_id"]);
        }
        assert_eq!(besides_origin(api), besides_origin(shell));
    }
}

/// Asserts what an event says of its door; `members` are those that only some doors have.
fn assert_door(event: &Value, path: &str, actor: &str, members: &[&str]) {
    assert_eq!((&event["path"], &event["actor"]["kind"]), (&json!(path), &json!(actor)));
    assert_eq!(event["data"]["out_of_band"], json!(path != "api"));
    let of_origin = ["address", "request_id", "user_agent"];
    let there: Vec<&str> = of_origin.into_iter().filter(|member| event.get(member).is_some()).collect();
    assert!(members.iter().all(|member| there.contains(member) || *member == "user_agent"), "{event}");
    assert!(there.iter().all(|member| members.contains(member)), "{event}");
}

/// An event without its origin, its instants, its identifiers, and what follows from the door.
fn besides_origin(event: &Value) -> Value {
    let mut event = event.clone();
    cut(&mut event, &["path", "actor", "address", "user_agent", "request_id", "occurred_at", "recorded_at", "jti"]);
    cut(&mut event["data"], &["jti", "iat", "exp", "out_of_band"]);
    if event["kind"] == "token.issued.v1" {
        cut(&mut event["data"]["claims"], &["jti", "iat", "exp"]);
    }
    event
}

fn cut(value: &mut Value, members: &[&str]) {
    for member in members {
        value.as_object_mut().unwrap().remove(*member);
    }
}

#[derive(Debug, Clone)]
enum Teams {
    /// `null`.
    Every,
    These(Vec<String>),
}

/// Everything that can be asked for.
#[derive(Debug, Clone)]
struct Parameters {
    sub: String,
    name: Option<String>,
    description: Option<String>,
    aud: Vec<String>,
    ttl_seconds: Option<u32>,
    is_admin: bool,
    email: Option<String>,
    full_name: Option<String>,
    teams: Option<Teams>,
    namespaces: Vec<String>,
    scopes: Option<Map<String, Value>>,
    reason: Option<String>,
    /// How a list is written for the shell, where both ways can say it.
    prefers_commas: bool,
}

impl Parameters {
    /// The request to the API. A member that is not asked for is absent, or says so.
    fn body(&self) -> Value {
        let mut body = json!({"sub": self.sub});
        let optional = [
            ("name", json!(self.name)),
            ("description", json!(self.description)),
            ("expires_in", json!(self.ttl_seconds)),
            ("email", json!(self.email)),
            ("full_name", json!(self.full_name)),
            ("scopes", json!(self.scopes)),
            ("reason", json!(self.reason)),
        ];
        for (member, value) in optional.into_iter().filter(|(_, value)| !value.is_null()) {
            body[member] = value;
        }
        match &self.teams {
            Some(Teams::Every) => body["teams"] = Value::Null,
            Some(Teams::These(teams)) => body["teams"] = json!(teams),
            None => {}
        }
        for (member, list) in [("aud", &self.aud), ("namespaces", &self.namespaces)] {
            if !list.is_empty() || self.prefers_commas {
                body[member] = json!(list);
            }
        }
        if self.is_admin || self.prefers_commas {
            body["is_admin"] = json!(self.is_admin);
        }
        body
    }

    /// The same request from a shell.
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ["issue", "--dev", "--format", "json"].map(str::to_owned).to_vec();
        arguments.push(format!("--sub={}", self.sub));
        let optional = [
            ("--name", self.name.clone()),
            ("--description", self.description.clone()),
            ("--ttl", self.ttl_seconds.map(|ttl| ttl.to_string())),
            ("--email", self.email.clone()),
            ("--full-name", self.full_name.clone()),
            ("--reason", self.reason.clone()),
            ("--teams", self.teams.as_ref().map(|teams| self.teams_argument(teams))),
            ("--aud", (!self.aud.is_empty()).then(|| self.list(&self.aud))),
            ("--namespaces", (!self.namespaces.is_empty()).then(|| self.list(&self.namespaces))),
        ];
        let given = optional.into_iter().filter_map(|(flag, value)| value.map(|value| format!("{flag}={value}")));
        arguments.extend(given.chain(self.scopes_argument()));
        if self.is_admin {
            arguments.push("--admin".to_owned());
        }
        arguments
    }

    fn teams_argument(&self, teams: &Teams) -> String {
        match teams {
            Teams::Every => "null".to_owned(),
            Teams::These(teams) => self.list(teams),
        }
    }

    /// Permissions alone have a flag of their own.
    fn scopes_argument(&self) -> Option<String> {
        let scopes = self.scopes.as_ref()?;
        let permissions: Option<Vec<String>> =
            scopes.get("permissions").map(|permissions| serde_json::from_value(permissions.clone()).unwrap());
        match permissions {
            Some(permissions) if scopes.len() == 1 && !permissions.is_empty() && self.prefers_commas => {
                Some(format!("--permissions={}", permissions.join(",")))
            }
            _ => Some(format!("--scopes={}", json!(scopes))),
        }
    }

    fn list(&self, members: &[String]) -> String {
        let has_commas = members.iter().any(|member| member.contains(','));
        let looks_otherwise = members.is_empty() || members[0].starts_with('[') || members == ["null"];
        if self.prefers_commas && !has_commas && !looks_otherwise {
            members.join(",")
        } else {
            json!(members).to_string()
        }
    }

    /// By the API, and from a shell.
    fn lifetimes(&self) -> (i64, i64) {
        self.ttl_seconds.map_or((3_600, 1_200), |ttl| (ttl.into(), ttl.into()))
    }
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let whose = (subject(), maybe(line::<Name>()), maybe(line::<Description>()), words::<Audience>());
    let who = (maybe("[a-z]{1,8}@example\\.(com|org)"), maybe(line::<FullName>()), any::<bool>(), words::<Namespace>());
    let what = (maybe(1..=WEEK), option::of(scopes()), maybe(line::<Note>()), any::<bool>());
    (whose, who, what, option::of(words::<TeamId>()), any::<bool>()).prop_map(
        |(whose, who, what, teams, says_teams)| {
            let (sub, name, description, aud) = whose;
            let (email, full_name, is_admin, namespaces) = who;
            // A subject that is an address is its own.
            let email = email.filter(|_| !sub.contains('@'));
            let (ttl_seconds, scopes, reason, prefers_commas) = what;
            // null is for administrators; for others it is not said.
            let teams = match teams {
                Some(teams) => Some(Teams::These(teams)),
                None => (is_admin && says_teams).then_some(Teams::Every),
            };
            Parameters {
                sub,
                name,
                description,
                aud,
                ttl_seconds,
                is_admin,
                email,
                full_name,
                teams,
                namespaces,
                scopes,
                reason,
                prefers_commas,
            }
        },
    )
}

fn scopes() -> impl Strategy<Value = Map<String, Value>> {
    let permission = prop_oneof![Just("*".to_owned()), "[a-z][a-z0-9_-]{0,6}(\\.[a-z]{1,5}){0,2}(\\.\\*)?"];
    let members = (
        maybe(vec(permission, 0..4)).prop_map(|list| ("permissions", json!(list))),
        maybe(word::<ServerId>()).prop_map(|id| ("server_id", json!(id))),
        maybe(vec(network(), 0..4)).prop_map(|list| ("ip_restrictions", json!(list))),
        maybe(times()).prop_map(|times| ("time_restrictions", json!(times))),
        maybe(limits()).prop_map(|limits| ("usage_limits", json!(limits))),
    );
    members.prop_map(|(a, b, c, d, e)| object([a, b, c, d, e]))
}

/// Addresses and networks, canonical or not.
fn network() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        any::<std::net::IpAddr>().prop_map(|address| address.to_string()),
        (any::<std::net::Ipv4Addr>(), 0..=32_u8).prop_map(|(address, length)| format!("{address}/{length}")),
        (any::<std::net::Ipv6Addr>(), 0..=128_u8)
            .prop_map(|(address, length)| format!("{address}/{length}").to_uppercase()),
    ];
    text.prop_filter("a network", |text| text.parse::<IpRestriction>().is_ok())
}

fn times() -> impl Strategy<Value = Map<String, Value>> {
    let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"].to_vec();
    let time = || "([01][0-9]|2[0-3]):[0-5][0-9]";
    let zone = select(vec!["UTC", "Europe/Zurich", "Asia/Kathmandu", "America/Argentina/Ushuaia"]);
    let window = (time(), time(), option::of(zone));
    let members = (maybe(any::<bool>()), maybe(any::<bool>()), maybe(window), maybe(subsequence(days, 0..7)));
    members.prop_map(|(business_hours_only, weekdays_only, window, days)| {
        let (start, end, zone) = window.map_or((None, None, None), |(start, end, zone)| (Some(start), Some(end), zone));
        object([
            ("business_hours_only", json!(business_hours_only)),
            ("weekdays_only", json!(weekdays_only)),
            ("start_time", json!(start)),
            ("end_time", json!(end)),
            ("timezone", json!(zone)),
            ("days", json!(days)),
        ])
    })
}

fn limits() -> impl Strategy<Value = Map<String, Value>> {
    (maybe(1..=u32::MAX), maybe(1..=u32::MAX)).prop_map(|(per_hour, per_day)| {
        object([("requests_per_hour", json!(per_hour)), ("requests_per_day", json!(per_day))])
    })
}

/// An object of those members that are not null.
fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    let said = members.into_iter().filter(|(_, value)| !value.is_null());
    said.map(|(member, value)| (member.to_owned(), value)).collect()
}

/// There more often than not, so that few cases cover every parameter.
fn maybe<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    weighted(0.7, strategy)
}

fn subject() -> impl Strategy<Value = String> {
    prop_oneof![valid::<Subject>("[a-z0-9._%+-]{1,20}@[a-z]{1,10}\\.example"), word::<Subject>()]
}

fn words<T: FromStr>() -> impl Strategy<Value = Vec<String>> {
    vec(word::<T>(), 0..4)
}

/// Letters, digits, punctuation and symbols of any script.
fn word<T: FromStr>() -> impl Strategy<Value = String> {
    valid::<T>("[\\p{L}\\p{N}\\p{P}\\p{S}]{1,12}")
}

fn line<T: FromStr>() -> impl Strategy<Value = String> {
    valid::<T>("[\\p{L}\\p{N}\\p{P}\\p{S} ]{1,24}")
}

fn valid<T: FromStr>(regex: &'static str) -> impl Strategy<Value = String> {
    regex.prop_filter("keeps the rules of its type", |text| text.parse::<T>().is_ok())
}
