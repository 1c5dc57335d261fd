//! Answers that get lost on their way, between server and database or between client and server: whoever asks again
//! under the same name gets what the first request made, and nothing is made twice.

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{
    Site, TestDatabase,
    process::{Client, answered, until},
    proxy::{Loss, Proxy},
    world::Reply,
};

/// The events of one kind that came through the API.
fn events(site: &Site, kind: &str) -> Vec<Value> {
    let events = site.cli(&["audit", "events", "--path", "api", "--format", "ndjson"]).ndjson();
    events.into_iter().filter(|event| event["kind"] == kind).collect()
}

fn path(issued: &Value) -> String {
    format!("/tokens/{}", issued["token"]["jti"].as_str().unwrap())
}

fn assert_unknown(reply: &Reply) {
    assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (503, &json!("outcome_unknown")), "{reply:?}");
    assert_eq!(reply.header("retry-after"), "1");
}

async fn revoke_named(client: &Client, jti: &str, token: &str, key: &str) -> Reply {
    let request = client.request("DELETE", &format!("/tokens/{jti}")).bearer_auth(token);
    answered(request.header("idempotency-key", key)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_whose_commit_was_not_answered_is_one_token_for_whoever_asks_again() {
    let database = TestDatabase::migrated().await;
    let (site, proxy) = (Site::on(&database.url()), Proxy::before(&database).await);
    let admin = site.admin();
    let server = site.with("CATALOG_DATABASE_URL", &proxy.url()).serve().await;
    let (client, body) = (&server.client, json!({"sub": "alice@example.com", "name": "ci"}));

    proxy.lose_next(Loss::AnswerOfCommit);
    let lost = client.issue_named(&admin, "once", &body).await;
    let recorded = events(&site, "token.issued.v1");
    let again = client.issue_named(&admin, "once", &body).await;
    let once_more = client.issue_named(&admin, "once", &body).await.json();

    assert!(proxy.has_lost());
    assert_unknown(&lost);
    assert_eq!(recorded.len(), 1, "it was committed, though nobody was told");
    assert_eq!(again.status, 201, "{again:?}");
    let again = again.json();
    assert_eq!((&again["token"]["jti"], &again["position"]), (&recorded[0]["jti"], &recorded[0]["position"]));
    assert_eq!(once_more["access_token"], again["access_token"]);
    assert!(client.is_active(again["access_token"].as_str().unwrap(), &admin).await);
    assert_eq!(events(&site, "token.issued.v1"), recorded);
    let figures = client.get("/metrics", "").await.text;
    for outcome in ["unknown\"} 1\n", "repeated\"} 2\n", "recorded\"} 0\n"] {
        assert!(figures.contains(&format!("catalog_append_outcomes_total{{outcome=\"{outcome}")), "{figures}");
    }
    site.cli(&["audit", "verify"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_whose_commit_was_lost_itself_is_made_when_it_is_asked_for_again() {
    let database = TestDatabase::migrated().await;
    let (site, proxy) = (Site::on(&database.url()), Proxy::before(&database).await);
    let admin = site.admin();
    let server = site.with("CATALOG_DATABASE_URL", &proxy.url()).serve().await;
    let (client, body) = (&server.client, json!({"sub": "alice@example.com"}));

    proxy.lose_next(Loss::Commit);
    let lost = client.issue_named(&admin, "once", &body).await;
    let recorded = events(&site, "token.issued.v1");
    let again = client.issue_named(&admin, "once", &body).await;

    assert!(proxy.has_lost());
    assert_unknown(&lost);
    assert_eq!((recorded.len(), again.status.as_u16()), (0, 201), "{again:?}");
    assert_eq!(events(&site, "token.issued.v1")[0]["jti"], again.json()["token"]["jti"]);
    site.cli(&["audit", "verify"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_whose_commit_was_not_answered_is_one_event_for_whoever_asks_again() {
    let database = TestDatabase::migrated().await;
    let (site, proxy) = (Site::on(&database.url()), Proxy::before(&database).await);
    let admin = site.admin();
    let server = site.with("CATALOG_DATABASE_URL", &proxy.url()).serve().await;
    let client = &server.client;
    let issued = client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();
    let jti = issued["token"]["jti"].as_str().unwrap();

    proxy.lose_next(Loss::AnswerOfCommit);
    let lost = revoke_named(client, jti, &admin, "end").await;
    let is_active = client.is_active(issued["access_token"].as_str().unwrap(), &admin).await;
    let again = revoke_named(client, jti, &admin, "end").await;

    assert!(proxy.has_lost() && !is_active);
    assert_unknown(&lost);
    let recorded = events(&site, "token.revoked.v1");
    assert_eq!((again.status.as_u16(), recorded.len()), (204, 1));
    assert_eq!(again.header("catalog-position"), recorded[0]["position"].to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_got_lost_before_or_after_it_was_written_is_one_event_and_is_answered_so() {
    let database = TestDatabase::migrated().await;
    let (site, proxy) = (Site::on(&database.url()), Proxy::before(&database).await);
    let admin = site.admin();
    let server = site.with("CATALOG_DATABASE_URL", &proxy.url()).serve().await;
    let client = &server.client;
    let issue = async || client.post("/tokens", &admin, json!({"sub": "alice@example.com"})).await.json();

    for loss in [Loss::Revocation, Loss::AnswerOfRevocation] {
        // Where the machine is held up for a tenth of a second it is read for first, and what is lost is not known.
        let (issued, revoked) = until("nothing is read", async || {
            let issued = issue().await;
            proxy.lose_next(loss);
            let revoked = client.delete(&path(&issued), &admin).await;
            assert!(proxy.has_lost(), "{loss:?}");
            (revoked.status == 204).then_some((issued, revoked))
        })
        .await;

        let mut recorded = events(&site, "token.revoked.v1");
        recorded.retain(|event| event["jti"] == issued["token"]["jti"]);
        assert_eq!(recorded.len(), 1, "{loss:?}");
        assert_eq!(revoked.header("catalog-position"), recorded[0]["position"].to_string());
        assert!(!client.is_active(issued["access_token"].as_str().unwrap(), &admin).await);
    }
    site.cli(&["audit", "verify"]).good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ended_itself_and_whose_answer_was_lost_is_not_told_that_it_may_not() {
    let database = TestDatabase::migrated().await;
    let (site, proxy) = (Site::on(&database.url()), Proxy::before(&database).await);
    let admin = site.admin();
    let server = site.with("CATALOG_DATABASE_URL", &proxy.url()).serve().await;
    let client = &server.client;
    let own = json!({"sub": "bob@example.com", "is_admin": true, "teams": null, "aud": ["catalog"]});
    let own = client.post("/tokens", &admin, own).await.json();
    let text = own["access_token"].as_str().unwrap();

    proxy.lose_next(Loss::AnswerOfRevocation);
    let lost = client.delete(&path(&own), text).await;

    assert!(proxy.has_lost());
    assert_unknown(&lost);
    assert!(!client.is_active(text, &admin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hung_up_before_its_answer_and_asks_again_has_one_token() {
    let site = Site::new().await;
    let admin = site.admin();
    let server = site.serve().await;
    let (client, body) = (&server.client, json!({"sub": "alice@example.com"}));

    for round in 0..5 {
        let key = format!("round-{round}");
        let mut stream = TcpStream::connect(client.address()).await.unwrap();
        let request = format!(
            "POST /tokens HTTP/1.1\r\nhost: catalog\r\nauthorization: Bearer {admin}\r\nidempotency-key: {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.to_string().len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
        let again = client.issue_named(&admin, &key, &body).await;
        assert_eq!(again.status, 201, "{again:?}");
    }

    // The end of the server is the end of everything that was still under way.
    server.stop().await;
    assert_eq!(events(&site, "token.issued.v1").len(), 5);
}
