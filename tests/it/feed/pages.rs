//! Pages and snapshots of the feed: what is in them, in how many pieces, and who gets none.

use axum::{
    body::Body,
    http::{Request, header},
};
use catalog::domain::{
    Path, Position,
    key::Algorithm,
    key_life::{ActivateKey, CompromiseKey},
    text::Kid,
};
use catalog_gateway::wire::{Digest, Item, Mark, Page, Within};
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::reader::{Known, cursor};
use crate::support::{
    World,
    world::{Reply, plain, shell},
};

async fn page(world: &World, admin: &str, path: &str) -> Page {
    let reply = world.get(path, admin).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_value(reply.json()).unwrap()
}

async fn snapshot(world: &World, admin: &str) -> Page {
    page(world, admin, "/revocations/snapshot").await
}

async fn issue(world: &World, sub: &str, ttl: u32) -> Uuid {
    let mut command = plain(sub);
    command.ttl_seconds = Some(ttl);
    world.issue_dev(command).await.token.jti
}

async fn revoke_all_of(world: &World, admin: &str, sub: &str) -> i64 {
    let body = json!({ "where": { "sub": sub }, "reason": "key_compromise" });
    world.post("/revocations", admin, body).await.json()["rule"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_what_changed_after_a_place_and_a_snapshot_what_is_in_force() {
    let world = World::new().await;
    let admin = world.admin().await;
    let begin = snapshot(&world, &admin).await;
    assert_eq!((begin.after, begin.items.len()), (None, 0));
    let (revoked, held, gone) =
        (issue(&world, "a", 600).await, issue(&world, "b", 600).await, issue(&world, "c", 5).await);
    let exp = world.catalog.ambient().clock.now().timestamp() + 600;
    for jti in [revoked, gone] {
        world.delete(&format!("/tokens/{jti}"), &admin, Value::Null).await;
    }
    for what in ["suspend", "resume", "suspend"] {
        world.post(&format!("/tokens/{held}/{what}"), &admin, json!({})).await;
    }
    world.clock.advance(TimeDelta::seconds(5));

    let after = begin.next.unwrap();
    let told = page(&world, &admin, &format!("/revocations?after={after}")).await;
    let loaded = snapshot(&world, &admin).await;

    let end = Item::Revoked { jti: revoked, exp, effective_from: None };
    let (suspended, resumed) = (Item::Suspended { jti: held, exp }, Item::Resumed { jti: held, exp });
    assert_eq!(told.items, [end.clone(), suspended.clone(), resumed, suspended.clone()], "nothing of what is expired");
    assert_eq!((told.after, told.mark, told.has_more), (Some(begin.mark.position), loaded.mark, false));
    assert_eq!((loaded.items, loaded.next), (vec![end, suspended], told.next));
    // By a position alone, and from the beginning.
    let by_number = page(&world, &admin, &format!("/revocations?after={}", begin.mark.position)).await;
    assert_eq!((by_number.items, by_number.mark), (told.items.clone(), told.mark));
    assert_eq!(page(&world, &admin, "/revocations").await.items, told.items);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_covers_comes_in_pieces_the_last_of_which_counts_and_goes_on_from_each() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut tokens = Vec::new();
    for _ in 0..10 {
        tokens.push(issue(&world, "many@example.com", 600).await);
    }
    let begin = snapshot(&world, &admin).await;
    let rule = revoke_all_of(&world, &admin, "many@example.com").await;
    let later = issue(&world, "later@example.com", 600).await;
    world.delete(&format!("/tokens/{later}"), &admin, Value::Null).await;

    let mut pages = vec![begin.clone()];
    while pages.len() == 1 || pages.last().unwrap().has_more {
        let after = pages.last().unwrap().next.clone().unwrap();
        pages.push(page(&world, &admin, &format!("/revocations?after={after}&limit=3")).await);
    }

    let shape: Vec<_> = pages[1..].iter().map(|p| (p.piece, p.is_partial, p.items.len(), p.mark.position)).collect();
    let (first, last) = (begin.mark.position, rule + 2);
    let pieces = [(0, true, 3, first), (1, true, 3, first), (2, true, 3, first), (3, false, 1, rule)];
    assert_eq!(shape, [&pieces[..], &[(0, false, 1, last)]].concat());
    let within = cursor(pages[2].next.as_ref().unwrap()).within;
    assert!(matches!(within, Some(Within { pieces: 2, .. })), "{within:?}");
    // Whoever goes on from any of them knows the same in the end.
    let mut known = Known::default();
    for page in &pages {
        known.apply(page);
    }
    assert!(tokens.iter().chain([&later]).all(|jti| known.is_revoked(*jti)));
    for cut in 1..pages.len() - 1 {
        let mut resumed = Known::default();
        pages[..=cut].iter().for_each(|page| resumed.apply(page));
        let mut next = pages[cut].next.clone().unwrap();
        // Another size of pages is no matter.
        while resumed.mark != known.mark {
            let page = page(&world, &admin, &format!("/revocations?after={next}&limit=4")).await;
            resumed.apply(&page);
            next = page.next.unwrap();
        }
        assert_eq!(resumed, known, "cut after {cut}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_compromised_key_its_name_is_told_and_what_is_spared_and_what_is_not_any_more() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    let stolen: Kid = world.catalog.live().settings.active.clone().unwrap();
    for _ in 0..6 {
        tokens.push(world.issue_dev(plain("a@example.com")).await.token);
    }
    let good = world.add_key(Algorithm::EdDsa, false).await;
    world.catalog.activate_key(ActivateKey { kid: good, early: true }, shell(Path::CliAdmin)).await.unwrap();
    let admin = world.admin().await;
    let begin = snapshot(&world, &admin).await.next.unwrap();
    let compromise = async |from: Position| {
        let command = CompromiseKey { kid: stolen.clone(), from, since: None, note: None, successor: None };
        world.catalog.compromise_key(command, shell(Path::CliAdmin)).await.unwrap();
    };

    compromise(tokens[4].issued).await;
    let first = page(&world, &admin, &format!("/revocations?after={begin}")).await;
    compromise(tokens[2].issued).await;
    let wider = page(&world, &admin, &format!("/revocations?after={}", first.next.as_ref().unwrap())).await;

    let key = Item::KeyCompromised { kid: stolen.to_string() };
    let (jti, exp) = (|n: usize| tokens[n].jti, |n: usize| tokens[n].expires_at.timestamp());
    let spared = |n| Item::Spared { jti: jti(n), exp: exp(n) };
    let revoked = |n| Item::Revoked { jti: jti(n), exp: exp(n), effective_from: None };
    assert_eq!(first.items[0], key);
    let of = |page: &Page, mut expected: Vec<Item>| {
        let mut items = page.items[1..].to_vec();
        let order = |item: &Item| format!("{item:?}");
        items.sort_by_key(order);
        expected.sort_by_key(order);
        assert_eq!(items, expected);
    };
    of(&first, (0..4).map(spared).collect());
    of(&wider, (0..2).map(spared).chain((2..4).map(revoked)).collect());
    let mut loaded = Known::default();
    loaded.apply(&snapshot(&world, &admin).await);
    let now = world.catalog.ambient().clock.now();
    for (number, token) in tokens.iter().enumerate() {
        let expected = if number < 2 { "active" } else { "revoked" };
        assert_eq!(loaded.status(token.jti, stolen.as_str(), now), expected);
    }
    assert_eq!(loaded.status(Uuid::nil(), stolen.as_str(), now), "revoked", "what nobody has heard of");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_from_a_place_that_is_none_of_this_log_is_told_to_begin_again() {
    let world = World::new().await;
    let admin = world.admin().await;
    let Page { mark, .. } = snapshot(&world, &admin).await;
    let another_log = Mark { log_id: Uuid::from_u128(7), ..mark };
    let earlier = Mark { position: mark.position - 1, ..mark };
    let ahead = Mark { position: mark.position + 1, ..mark };
    let other_digest = Mark { digest: Digest([7; 32]), ..mark };
    let places = [another_log, earlier, ahead, other_digest].map(|mark| mark.to_string());
    let others = [format!("{}", mark.position + 1), format!("{mark}.1.1")];

    for place in places.iter().chain(&others) {
        let told = world.get(&format!("/revocations?after={place}"), &admin).await;
        assert_eq!(
            (told.status.as_u16(), told.json()["code"].clone()),
            (409, json!("feed_reload")),
            "{place} {told:?}"
        );
        assert!(told.text.contains("GET /revocations/snapshot"), "{told:?}");
    }
    for malformed in ["x", "1.2", "-1", "99999999999999999999", &format!("{mark}.x.1")] {
        let told = world.get(&format!("/revocations?after={malformed}"), &admin).await;
        assert_eq!((told.status.as_u16(), told.json()["code"].clone()), (400, json!("malformed")), "{malformed}");
    }
    for limit in ["0", "5001", "x"] {
        assert_eq!(world.get(&format!("/revocations?limit={limit}"), &admin).await.status, 400);
    }
    assert_eq!(world.get("/revocations/snapshot?after=1", &admin).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_check_tokens_follows_them_and_nobody_is_streamed_to_where_nothing_is_followed() {
    let world = World::new().await;
    let reader = world.caller("reader@example.com", |command| {
        command.scopes.permissions = vec!["tokens.read".parse().unwrap()];
    });
    let checker = world.caller("checker@example.com", |command| {
        command.scopes.permissions = vec!["tokens.check".parse().unwrap()];
    });
    let (reader, checker) = (reader.await, checker.await);

    for path in ["/revocations", "/revocations/snapshot"] {
        assert_eq!(world.get(path, "").await.status, 401);
        assert_eq!(world.get(path, &reader).await.json()["code"], "permission_missing");
        assert_eq!(world.get(path, &checker).await.status, 200);
    }
    let stream = async |last: &str| -> Reply {
        let request = Request::get("/revocations").header(header::AUTHORIZATION, format!("Bearer {checker}"));
        let request = request.header(header::ACCEPT, "text/event-stream").header("last-event-id", last);
        world.raw(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(stream("x").await.status, 400);
    assert_eq!(stream("").await.json()["code"], "unavailable");
}
