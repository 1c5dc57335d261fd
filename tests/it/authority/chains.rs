//! However tokens are issued with tokens, none reaches further than the first, and nothing that is over comes back.

use catalog::domain::{
    Authority, IssueToken, Path, State,
    authority::Permissions,
    claims::{Claims, Teams},
    policy::{Audiences, Rules},
    text::{Audience, Permission, TeamId},
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
};
use serde_json::{Value, json};

use super::decide;
use crate::support::settings::settings;

const TEAMS: [&str; 3] = ["red", "blue", "green"];
const PERMISSIONS: [&str; 7] =
    ["*", "tokens.*", "tokens.create", "tools.*", "tools.read", "tools.read.all", "servers.use"];
const AUDIENCES: [&str; 3] = ["catalog", "gateway", "billing"];
const NETWORKS: [&str; 5] = ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/24"];

/// What may be asked for: often too much, so that much is refused, and often enough not.
fn request() -> impl Strategy<Value = Value> {
    let teams = prop_oneof![
        1 => Just(Value::Null),
        6 => subsequence(&TEAMS[..], 0..=2).prop_map(|teams| json!(teams)),
    ];
    let scopes = (
        subsequence(&PERMISSIONS[..], 0..=4),
        subsequence(&NETWORKS[..], 0..=2),
        option::of(1..4_u32),
        option::of(select(&["s1", "s2"][..])),
        option::weighted(0.3, select(&["09:00", "10:00", "11:00"][..])),
    )
        .prop_map(|(permissions, networks, limit, server, start)| {
            let times = start.map_or_else(|| json!({}), |start| json!({"start_time": start, "end_time": "17:00"}));
            let limits = limit.map_or_else(|| json!({}), |limit| json!({"requests_per_hour": limit}));
            json!({"permissions": permissions, "ip_restrictions": networks, "server_id": server,
                "time_restrictions": times, "usage_limits": limits})
        });
    let admin = prop::bool::weighted(0.3);
    let audiences = subsequence(&AUDIENCES[..], 0..=3);
    let namespaces = prop_oneof![2 => Just(Vec::new()), 1 => subsequence(vec!["dev", "prod"], 1..=2)];
    let identity = (select(&["alice", "bob"][..]), option::weighted(0.2, select(&["Alice", "Root"][..])), namespaces);
    (identity, admin, option::weighted(0.9, teams), scopes, audiences, 60..90_u32).prop_map(
        |((sub, full_name, namespaces), is_admin, teams, scopes, aud, expires_in)| {
            let mut request = json!({"sub": sub, "is_admin": is_admin, "scopes": scopes, "aud": aud,
                "expires_in": expires_in, "namespaces": namespaces, "full_name": full_name});
            if let Some(teams) = teams.filter(|teams| is_admin || !teams.is_null()) {
                request["teams"] = teams;
            }
            request
        },
    )
}

/// A request that makes a caller: for the catalog, and able to issue.
fn caller() -> impl Strategy<Value = Value> {
    request().prop_map(|mut request| {
        request["aud"] = json!(["catalog"]);
        let is_admin = request["is_admin"] == true;
        let permissions = request["scopes"]["permissions"].as_array_mut().unwrap();
        if !permissions.is_empty() || !is_admin {
            permissions.push(json!("tokens.create"));
            permissions.dedup();
        }
        request
    })
}

fn parsed(value: &Value) -> IssueToken {
    serde_json::from_value(value.clone()).unwrap()
}

/// Every way in which `child` could reach further than `parent`, each looked at by itself.
fn widenings(parent: &Claims, child: &Claims) -> Vec<&'static str> {
    let (above, below) = (Authority::of_token(parent), Authority::of_token(child));
    let is_admin = parent.user.is_admin;
    let found = [
        ("subject", !is_admin && child.sub != parent.sub),
        ("admin", child.user.is_admin && !is_admin),
        ("teams", !teams_within(&child.teams, &parent.teams)),
        ("permissions", !permissions_within(&below.permissions, &above.permissions)),
        // To a gateway an empty list is everything that the subject may do.
        ("roles", child.scopes.permissions.is_empty() && !above.permissions.are_all()),
        ("audiences", !is_admin && !child.aud.iter().all(|audience| may_name(parent, audience))),
        ("lifetime", !is_admin && child.exp > parent.exp),
        ("addresses", !addresses_within(child, parent)),
        ("server", parent.scopes.server_id.is_some() && child.scopes.server_id != parent.scopes.server_id),
        ("limits", limit(parent).is_some_and(|most| limit(child).is_none_or(|asked| asked > most))),
        ("namespaces", !namespaces_within(child, parent)),
        (
            "full name",
            !is_admin
                && ![parent.sub.as_str(), parent.user.full_name.as_str()].contains(&child.user.full_name.as_str()),
        ),
        ("hours", start(parent).is_some_and(|from| start(child).is_none_or(|asked| asked < from))),
    ];
    found.into_iter().filter_map(|(what, is_wider)| is_wider.then_some(what)).collect()
}

fn teams_within(child: &Teams, parent: &Teams) -> bool {
    let all: Vec<TeamId> = TEAMS.iter().map(|team| team.parse().unwrap()).collect();
    let reached = |teams: &Teams| match teams {
        Teams::Every => None,
        Teams::These(these) => Some(these.clone()),
    };
    match (reached(child), reached(parent)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(child), Some(parent)) => all.iter().all(|team| !child.contains(team) || parent.contains(team)),
    }
}

/// By what they let their holder use, not by how they are written.
fn permissions_within(child: &Permissions, parent: &Permissions) -> bool {
    let used = ["tokens.create", "tokens.read", "tools.read", "tools.read.all", "tools.write", "servers.use", "other"];
    let holds = |held: &Permissions, name: &str| held.cover(&Permission::parse(name).unwrap());
    used.into_iter().all(|name| !holds(child, name) || holds(parent, name))
}

/// Without a list an administrator may name any, anybody else none; with one nobody may leave it.
fn namespaces_within(child: &Claims, parent: &Claims) -> bool {
    match (parent.namespaces.is_empty(), child.namespaces.is_empty()) {
        (true, none) => none || parent.user.is_admin,
        (false, none) => !none && child.namespaces.iter().all(|namespace| parent.namespaces.contains(namespace)),
    }
}

fn may_name(parent: &Claims, audience: &Audience) -> bool {
    audience.as_str() == "gateway" || parent.aud.contains(audience)
}

/// By single addresses, a few of each network and some of none.
fn addresses_within(child: &Claims, parent: &Claims) -> bool {
    let admits = |claims: &Claims, address: &str| {
        let address: std::net::IpAddr = address.parse().unwrap();
        let restrictions = &claims.scopes.ip_restrictions;
        restrictions.is_empty()
            || restrictions.iter().any(|restriction| {
                let text = restriction.as_str();
                text.parse::<ipnet::IpNet>().map_or_else(|_| text == address.to_string(), |net| net.contains(&address))
            })
    };
    ["10.0.0.1", "10.1.0.1", "10.1.2.3", "192.0.2.9", "198.51.100.1", "2001:db8::1"]
        .into_iter()
        .all(|address| !admits(child, address) || admits(parent, address))
}

fn limit(claims: &Claims) -> Option<u32> {
    claims.scopes.usage_limits.requests_per_hour.map(Into::into)
}

fn start(claims: &Claims) -> Option<String> {
    claims.scopes.time_restrictions.start_time.clone().map(Into::into)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_chain_of_issuances_widens_authority(first in caller(), chain in vec(prop_oneof![caller(), request()], 1..8)) {
        let mut state = State::new(settings(Rules::initial()));
        let shell = Authority::of_shell();
        let first = decide(&mut state, &parsed(&first), &shell, Path::CliDev, None).unwrap();
        let mut ancestors = vec![first.claims().unwrap()];

        for request in chain {
            let parent = ancestors.last().unwrap();
            // Only a token for the catalog is a credential here.
            if !parent.aud.iter().any(|audience| audience.as_str() == "catalog") {
                break;
            }
            let authority = Authority::of_token(parent);
            let Ok(issued) = decide(&mut state, &parsed(&request), &authority, Path::Api, None) else {
                continue;
            };
            let child = issued.claims().unwrap();
            for ancestor in &ancestors {
                let widenings = widenings(ancestor, &child);
                prop_assert!(widenings.is_empty(), "{widenings:?}\nfrom {ancestor:?}\nto {child:?}");
            }
            ancestors.push(child);
        }
    }
}

#[test]
fn the_audiences_of_an_administrator_are_any() {
    let claims = |is_admin: bool| {
        let mut state = State::new(settings(Rules::initial()));
        let request = json!({"sub": "a", "is_admin": is_admin, "aud": ["catalog"]});
        let issued = decide(&mut state, &parsed(&request), &Authority::of_shell(), Path::CliDev, None);
        Authority::of_token(&issued.unwrap().claims().unwrap()).audiences
    };

    assert_eq!(claims(true), Audiences::Any);
    assert_eq!(claims(false), Audiences::These(vec!["catalog".parse().unwrap()]));
}
