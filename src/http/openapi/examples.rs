//! What a good answer looks like: an example of every success body of the document, and of the OAuth errors.

use serde_json::{Value, json};
use utoipa::openapi::{
    RefOr,
    example::{Example, ExampleBuilder},
    path::Operation,
};

use super::report;
use crate::{
    app::report::Format,
    http::{
        oauth,
        problem::{Code, PROBLEM_JSON, pages::ProblemKind},
    },
};

pub(super) const JTI: &str = "01990000-0000-7000-8000-000000000000";
const SUCCESSOR: &str = "01990000-0000-7000-8000-000000000001";
const CREDENTIAL: &str = "01990000-0000-7000-8000-000000000002";
pub(super) const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
pub(super) const DIGEST: &str = "6d5f807e23db210bc254a28be2d6759a0f5f5d99be0bbe8fd9e6e0f4cb1d3ea2";
pub(super) const LOG: &str = "0198f0a0-0000-7000-8000-000000000000";
const EVENT_STREAM: &str = "text/event-stream";
const NDJSON: &str = "application/x-ndjson";
const HTML: &str = "text/html";

/// Gives each body that an operation answers, and that is no problem document, its examples.
pub(super) fn add(operation: &mut Operation) {
    let name = operation.operation_id.clone().unwrap_or_default();
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        for (media_type, content) in &mut response.content {
            if let (RefOr::T(content), true) = (content, media_type != PROBLEM_JSON) {
                let examples = of(&name, status, media_type).into_iter();
                content.examples = examples.map(|(name, example)| (name.to_owned(), RefOr::T(example))).collect();
            }
        }
    }
}

fn of(operation: &str, status: &str, media_type: &str) -> Vec<(&'static str, Example)> {
    match status {
        "400" => return vec![named("no_token", "The form has no token", json!(oauth::missing_token()))],
        "401" => return vec![named("no_credential", "The caller may not ask", json!(oauth::unknown_client()))],
        _ => {}
    }
    match (operation, media_type) {
        ("introspect", _) => vec![
            named("active", "An active token", active()),
            named("inactive", "Any other token", json!({ "active": false })),
        ],
        ("revokeTokens", _) => vec![
            named("tokens", "Of tokens that were named", verdicts()),
            named("rule", "Of a rule", json!({ "rule": 1043 })),
            named("preview", "Of a rule that was only tried", preview()),
        ],
        ("followRevocations", EVENT_STREAM) => {
            let (page, mark) = (changes(), format!("{LOG}.1043.{DIGEST}"));
            vec![named("events", "An event", json!(format!("event: revocations\nid: {mark}\ndata: {page}\n\n")))]
        }
        ("reportLog", media_type) => {
            let format = Format::ALL.into_iter().find(|format| format.media_type().starts_with(media_type));
            vec![named("report", "Of one event", report::example(format.unwrap_or_default()))]
        }
        ("readLog", NDJSON) => vec![named("lines", "An event a line", json!(format!("{}\n", issuance())))],
        ("listProblems" | "explainProblem", HTML) => {
            vec![named("page", "A page for people", json!("<!doctype html>\n<title>There is too much to do</title>…"))]
        }
        _ => one(operation).map(|value| named("answer", "An answer", value)).into_iter().collect(),
    }
}

/// The example of an operation whose answers look alike.
fn one(operation: &str) -> Option<Value> {
    Some(match operation {
        "issueToken" => issued(&token(), 1042),
        "issueCourier" => courier(),
        "rotateToken" => issued(&successor(), 1044),
        "listTokens" => json!({ "tokens": [token()], "next_cursor": null }),
        "showToken" => token(),
        "showTokenHistory" => json!({ "events": [issuance()], "life": [beginning()] }),
        "suspendSubject" => json!({ "changed": 2, "left": 0, "position": 1044 }),
        "resumeSubject" => json!({ "changed": 1, "left": 1, "position": 1045 }),
        "checkRevocation" => json!({ "jti": JTI, "status": "active" }),
        "checkRevocations" => json!({ "results": [
            { "jti": JTI, "status": "active" },
            { "jti": SUCCESSOR, "status": "unknown" },
        ] }),
        "statusList" => {
            json!("eyJ0eXAiOiJzdGF0dXNsaXN0K2p3dCIsImFsZyI6IkVkRFNBIn0.eyJzdWIiOiJodHRwczovL3Rva2Vucy5leG…")
        }
        "followRevocations" => changes(),
        "loadRevocations" => snapshot(),
        "whoami" => whoami(),
        "readLog" => json!({
            "events": [issuance()],
            "next_after": null,
            "head": { "log_id": LOG, "position": 1042, "digest": DIGEST },
        }),
        "jwks" => json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "use": "sig", "alg": "EdDSA", "kid": KID,
        }] }),
        "metadata" => json!({
            "issuer": "https://tokens.example.com",
            "jwks_uri": "https://tokens.example.com/.well-known/jwks.json",
            "scopes_supported": ["tokens.create", "tokens.check"],
            "revocation_endpoint": "https://tokens.example.com/revoke",
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            "introspection_endpoint": "https://tokens.example.com/introspect",
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "Bearer"],
        }),
        "entrance" => json!({
            "name": "catalog", "version": "1.0.0", "docs": "/docs", "openapi": "/openapi.json", "problems": "/problems",
        }),
        "ready" => json!({ "status": "ready", "checks": {
            "database": true, "schema": true, "signing_key": true, "appender": true, "live_tokens": true,
        }, "staleness_ms": 120, "max_staleness_ms": 5_000, "stale": "deny" }),
        "alive" => json!({ "status": "ok" }),
        "metrics" => json!("# TYPE catalog_tokens_issued_total counter\ncatalog_tokens_issued_total{path=\"api\"} 7\n"),
        "openapi" => json!({ "openapi": "3.1.0", "info": { "title": "catalog", "version": "1.0.0" }, "paths": {} }),
        "listProblems" => json!({ "problems": [kind()] }),
        "explainProblem" => kind(),
        _ => return None,
    })
}

fn named(name: &'static str, summary: &str, value: Value) -> (&'static str, Example) {
    (name, ExampleBuilder::new().summary(summary).value(Some(value)).build())
}

fn scopes() -> Value {
    json!({
        "server_id": null,
        "permissions": ["tools.read"],
        "ip_restrictions": [],
        "time_restrictions": {},
        "usage_limits": {},
    })
}

fn token() -> Value {
    json!({
        "jti": JTI,
        "sub": "alice@example.com",
        "name": "ci",
        "description": null,
        "status": "active",
        "inactive_because": null,
        "path": "api",
        "out_of_band": false,
        "elevated": ["teams", "permissions"],
        "issued_at": "2026-03-01T12:00:00Z",
        "expires_at": "2026-03-01T13:00:00Z",
        "issued_by": "root@example.com",
        "reason": "nightly builds",
        "aud": ["gateway"],
        "kid": KID,
        "is_admin": false,
        "email": "alice@example.com",
        "full_name": "alice@example.com",
        "teams": ["red"],
        "namespaces": [],
        "scopes": scopes(),
        "policy_version": 1,
        "position": 1042,
        "revocation": null,
        "lineage": null,
    })
}

fn successor() -> Value {
    let mut token = token();
    token["jti"] = json!(SUCCESSOR);
    token["position"] = json!(1044);
    token["lineage"] = json!({ "family": JTI, "predecessor": JTI, "successor": null });
    token
}

fn issued(token: &Value, position: u32) -> Value {
    json!({
        "token": token,
        "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.…",
        "token_type": "Bearer",
        "expires_in": 3600,
        "position": position,
    })
}

fn courier() -> Value {
    json!({
        "jti": JTI,
        "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.…",
        "token_type": "Bearer",
        "expires_in": 3600,
        "position": 1044,
    })
}

fn whoami() -> Value {
    let mut credential = token();
    for (member, value) in [
        ("jti", json!(CREDENTIAL)),
        ("name", json!("dashboard")),
        ("elevated", json!(["permissions"])),
        ("reason", json!(null)),
        ("aud", json!(["catalog"])),
        ("teams", json!([])),
        ("position", json!(1041)),
    ] {
        credential[member] = value;
    }
    json!({
        "sub": "alice@example.com",
        "is_admin": false,
        "teams": [],
        "permissions": ["tools.read"],
        "issuer": null,
        "credential": credential,
    })
}

fn claims() -> Value {
    json!({
        "iss": "https://catalog.example.com",
        "aud": ["gateway"],
        "sub": "alice@example.com",
        "client_id": "catalog",
        "jti": JTI,
        "iat": 1_772_366_400,
        "exp": 1_772_370_000,
        "scope": "tools.read",
        "token_use": "api",
        "user": {
            "email": "alice@example.com",
            "full_name": "alice@example.com",
            "is_admin": false,
            "auth_provider": "api_token",
        },
        "teams": ["red"],
        "namespaces": [],
        "scopes": scopes(),
    })
}

fn beginning() -> Value {
    let issuance = json!({
        "sub": "alice@example.com",
        "name": "ci",
        "reason": "nightly builds",
        "expires_at": "2026-03-01T13:00:00Z",
        "aud": ["gateway"],
        "kid": KID,
        "out_of_band": false,
        "is_admin": false,
        "elevated": ["teams", "permissions"],
        "teams": ["red"],
        "permissions": ["tools.read"],
        "predecessor": null,
        "policy_version": 1,
        "policy_applied": 2,
        "authority": {
            "credential": "token", "jti": CREDENTIAL, "issuer": null, "sub": "root@example.com", "is_admin": true,
        },
        "provenance": {
            "permissions": [{
                "permission": "tools.read",
                "held": { "by": "all" },
                "allowed": [{ "table": "api", "entry": "*" }],
            }],
            "teams": [{ "team": "red", "held": { "by": "all" } }],
            "every_team": null,
        },
    });
    json!({
        "at": "2026-03-01T12:00:00.315313Z",
        "position": 1042,
        "recorded_at": "2026-03-01T12:00:00.316001Z",
        "path": "api",
        "actor": { "kind": "token", "jti": CREDENTIAL, "sub": "root@example.com" },
        "what": { "kind": "issued", "issuance": issuance },
    })
}

fn active() -> Value {
    let mut active = json!({
        "active": true,
        "token_type": "Bearer",
        "username": "alice@example.com",
        "path": "api",
        "out_of_band": false,
        "position": 1042,
    });
    if let (Value::Object(active), Value::Object(claims)) = (&mut active, claims()) {
        active.extend(claims);
    }
    active
}

fn issuance() -> Value {
    json!({
        "position": 1042,
        "kind": "token.issued.v1",
        "jti": JTI,
        "occurred_at": "2026-03-01T12:00:00.315313Z",
        "recorded_at": "2026-03-01T12:00:00.316467Z",
        "path": "api",
        "actor": { "kind": "token", "jti": CREDENTIAL, "sub": "root@example.com" },
        "address": "192.0.2.7",
        "user_agent": "curl/8.5.0",
        "request_id": "build-7",
        "data": {
            "jti": JTI,
            "name": "ci",
            "iat": 1_772_366_400,
            "exp": 1_772_370_000,
            "alg": "EdDSA",
            "kid": KID,
            "aud": ["gateway"],
            "is_admin": false,
            "teams": ["red"],
            "permissions": ["tools.read"],
            "elevated": ["teams", "permissions"],
            "out_of_band": false,
            "policy_version": 1,
            "reason": "nightly builds",
            "claims": claims(),
        },
    })
}

fn verdicts() -> Value {
    json!({ "results": [
        { "jti": JTI, "outcome": "revoked", "position": 1043, "rotated": { "family": JTI, "successor": SUCCESSOR } },
        { "jti": CREDENTIAL, "outcome": "unknown", "position": null },
    ] })
}

fn preview() -> Value {
    json!({
        "position": 1042,
        "active": 2,
        "suspended": 0,
        "expired": 1,
        "by_subject": [{ "value": "alice@example.com", "tokens": 2 }],
        "by_team": [{ "value": "red", "tokens": 2 }],
        "by_path": [{ "value": "api", "tokens": 2 }],
        "sample": [{
            "jti": JTI, "sub": "alice@example.com", "name": "ci", "path": "api", "issued_at": "2026-03-01T12:00:00Z",
        }],
        "covers_credential": false,
        "successors_left": 0,
    })
}

fn changes() -> Value {
    json!({
        "log_id": LOG,
        "position": 1043,
        "digest": DIGEST,
        "after": 1042,
        "time": "2026-03-01T12:00:01Z",
        "staleness_ms": 0,
        "items": [
            { "kind": "revoked", "jti": JTI, "exp": 1_772_370_000, "effective_from": "2026-03-01T12:30:00Z" },
        ],
    })
}

fn snapshot() -> Value {
    let mut snapshot = changes();
    snapshot["after"] = json!(null);
    snapshot["next"] = json!(format!("{LOG}.1043.{DIGEST}"));
    snapshot
}

/// The explanation of one kind of problem. Which operations answer it is the whole document's to say.
fn kind() -> Value {
    let mut kind = ProblemKind::explained(Code::Busy);
    kind.operations.push("POST /tokens".to_owned());
    json!(kind)
}
