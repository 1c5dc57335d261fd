//! The made-up year is whole, as long as was asked for, varied, and the same for the same seed.

use std::collections::BTreeMap;

use super::*;
use crate::{
    domain::{
        Actor,
        configure::KeyChoice,
        key::Algorithm,
        origin::{OsUser, Path},
    },
    store::codec,
};

fn year(events: u64, seed: u64) -> Vec<Recorded> {
    let plan = LogPlan { events, seed, until: "2026-03-01T12:00:00Z".parse().unwrap() };
    let key = |name: &str| KeyAdded { kid: name.parse().unwrap(), alg: Algorithm::EdDsa, jwk: None, dev: false };
    let keys: Vec<KeyAdded> = ["k0", "k1", "k2", "k3"].into_iter().map(key).collect();
    let configure = Configure {
        issuer: None,
        issuer_default: "https://catalog.example.com".parse().unwrap(),
        audience: None,
        audience_default: "gateway".parse().unwrap(),
        env: None,
        key: KeyChoice::Offered(keys[0].clone()),
    };
    let cast = Cast::of(Actor::OsUser(OsUser::default()), events).unwrap();
    let mut year = Year::new(plan, configure, keys, cast);
    let mut events = Vec::new();
    while let Some(batch) = year.next().unwrap() {
        events.extend(batch.events);
    }
    events
}

#[test]
fn a_year_has_exactly_as_many_events_as_were_asked_for_at_times_that_never_go_back() {
    for events in [100, 1_001, 6_000] {
        let log = year(events, 3);

        assert_eq!(log.len() as u64, events);
        assert!(log.iter().zip(1..).all(|(event, position)| event.position == Position(position)));
        assert!(log.is_sorted_by_key(|event| event.recorded_at));
        assert!(log.iter().all(|event| event.occurrence.occurred_at <= event.recorded_at));
        let span = log[log.len() - 1].recorded_at - log[0].recorded_at;
        assert!(span > TimeDelta::days(350) && span < TimeDelta::days(366), "{span}");
    }
}

#[test]
fn a_year_has_nearly_every_kind_of_event_by_every_door() {
    let log = year(8_000, 1);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &log {
        *kinds.entry(codec::kind(&event.occurrence.event)).or_default() += 1;
    }

    for kind in [
        "catalog.configured.v1",
        "client.added.v1",
        "client.revoked.v1",
        "client.rotated.v1",
        "courier.issued.v1",
        "issuance.refused.v1",
        "key.activated.v1",
        "key.added.v1",
        "key.compromised.v1",
        "key.retired.v1",
        "login.refused.v1",
        "person.seen.v1",
        "policy.applied.v1",
        "revocation.refused.v1",
        "revocation_by_rule.refused.v1",
        "rotated_token.reused.v1",
        "rotation.refused.v1",
        "shadow_token.seen.v1",
        "suspension.refused.v1",
        "token.resumed.v1",
        "token.revoked.v1",
        "token.suspended.v1",
        "tokens.revoked_by_rule.v1",
    ] {
        assert!(kinds.contains_key(kind), "{kind}: {kinds:?}");
    }
    assert!(
        kinds["token.issued.v1"] > 3_500 && kinds["issuance.refused.v1"] > 300 && kinds["issuance.refused.v1"] < 1_500,
        "{kinds:?}"
    );
    for path in Path::ALL {
        assert!(log.iter().any(|event| event.occurrence.origin.path == path), "{path}");
    }
}

#[test]
fn a_seed_tells_the_same_year_and_another_seed_another() {
    assert_eq!(year(2_000, 1), year(2_000, 1));
    assert_ne!(year(2_000, 1), year(2_000, 2));
}
