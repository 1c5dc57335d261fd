//! Listings of many tokens: what is shown is what the filter says, and nothing is read to its end for it.

use catalog::{
    domain::{
        Act, ChangeSuspension, Command, Path, Position, Status, Token,
        authority::Sight,
        claims::Teams,
        suspend::{Change, Which},
        text::{Kid, Name, Permission, Subject, TeamId},
    },
    store::tokens::{self, Filter},
};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    seed::seeded,
    support::{
        World,
        appending::{as_one_batch, command},
    },
};

/// Enough for the planner to have a choice.
const TOKENS: u64 = 3_000;
/// No divisor of any count of tokens here.
const PAGE: u16 = 401;

/// A catalog with a history, some of whose tokens are suspended, and some to be revoked later.
async fn crowded() -> World {
    let world = World::new().await;
    seeded(&world, TOKENS, 1).await.unwrap();
    world
        .database
        .tamper(
            "insert into token_revocations (issued_pos, revoked_pos, revoked_at, revocation_reason, effective_from)
             select issued_pos, issued_pos + 1, iat, 'superseded', exp
               from issued_tokens
              where issued_pos % 30 = 4
                 on conflict (issued_pos) do update
                set revoked_at = excluded.revoked_at, effective_from = excluded.effective_from",
        )
        .await;
    suspend_some(&world).await;
    world
}

/// Suspends some of those that are not over.
async fn suspend_some(world: &World) {
    let active = Filter { status: Some(Status::Active), ..Filter::default() };
    let some = listed(world, &active).await.into_iter().filter(|token| token.issued.0 % 10 == 3);
    let commands: Vec<Command> = some
        .map(|token| {
            let which = Which::Token(token.jti);
            command(world, Act::ChangeSuspension(ChangeSuspension { change: Change::Suspend, which, note: None }))
        })
        .collect();
    assert!(commands.len() > 30, "{} are suspended", commands.len());

    let outcomes = as_one_batch(world, commands).await;

    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

fn now(world: &World) -> DateTime<Utc> {
    world.catalog.ambient().clock.now()
}

/// Every token that a listing shows, page by page.
async fn listed(world: &World, filter: &Filter) -> Vec<Token> {
    let mut shown = Vec::new();
    let mut before: Option<Position> = None;
    loop {
        let page = tokens::list(world.catalog.database().reads(), filter, before, PAGE, now(world)).await.unwrap();
        shown.extend(page.tokens);
        before = page.next;
        if before.is_none() {
            return shown;
        }
    }
}

/// Whether a token is what the filter says, by the token itself.
fn meets(token: &Token, filter: &Filter, now: DateTime<Utc>) -> bool {
    let reaches = |team: &TeamId| match &token.teams {
        Teams::Every => true,
        Teams::These(teams) => teams.contains(team),
    };
    let allows = |permission: &Permission| {
        let named = &token.scopes.permissions;
        named.is_empty() || named.iter().any(|held| held.covers(permission))
    };
    filter.sight.includes(token)
        && filter.sub.as_ref().is_none_or(|sub| token.sub.as_ref() == Some(sub))
        && filter.status.is_none_or(|status| token.status(now) == status)
        && filter.path.is_none_or(|path| token.path == path)
        && filter.name.as_ref().is_none_or(|name| token.name.as_ref() == Some(name))
        && filter.team.as_ref().is_none_or(reaches)
        && filter.permission.as_ref().is_none_or(allows)
        && filter.kid.as_ref().is_none_or(|kid| token.kid == *kid)
        && filter.issued_after.is_none_or(|bound| token.issued_at >= bound)
        && filter.issued_before.is_none_or(|bound| token.issued_at < bound)
        && filter.expires_before.is_none_or(|bound| token.expires_at < bound)
}

/// One filter each: of frequent and of rare values, of none at all, and of times in the past, between and to come.
fn single(kid: &str, now: DateTime<Utc>) -> Vec<Filter> {
    let none = Filter::default;
    let sub = |text: &str| Filter { sub: Some(Subject::parse(text).unwrap()), ..none() };
    let name = |text: &str| Filter { name: Some(Name::parse(text).unwrap()), ..none() };
    let team = |text: &str| Filter { team: Some(TeamId::parse(text).unwrap()), ..none() };
    let permission = |text: &str| Filter { permission: Some(Permission::parse(text).unwrap()), ..none() };
    let times = [-400, -89, -45, -1, 0, 10, 400].map(|days| now + TimeDelta::days(days));
    let sight = |sub: &str, teams: &[&str]| {
        let teams = teams.iter().map(|team| TeamId::parse(*team).unwrap()).collect();
        Filter { sight: Sight::Of { subject: Subject::parse(sub).unwrap(), teams }, ..none() }
    };
    let mut filters = vec![none()];
    filters.extend([
        sight("nobody", &["team-30"]),
        sight("user-00000@example.com", &[]),
        sight("nobody", &["nothing"]),
    ]);
    filters.extend([sight("user-00001@example.com", &["team-00", "team-39", "nothing"])]);
    filters.extend(["user-00000@example.com", "service-00059", "nobody"].map(sub));
    filters.extend(["ci", "nothing"].map(name));
    filters.extend([kid, "nothing"].map(|kid| Filter { kid: Some(Kid::parse(kid).unwrap()), ..none() }));
    filters.extend(["team-00", "team-30", "team-39", "nothing"].map(team));
    filters.extend(["tools.read", "tools.*", "*", "servers.delete", "nothing.at.all"].map(permission));
    filters.extend(Status::ALL.map(|status| Filter { status: Some(status), ..none() }));
    filters.extend(Path::ALL.map(|path| Filter { path: Some(path), ..none() }));
    filters.extend(times.map(|bound| Filter { issued_after: Some(bound), ..none() }));
    filters.extend(times.map(|bound| Filter { issued_before: Some(bound), ..none() }));
    filters.extend(times.map(|bound| Filter { expires_before: Some(bound), ..none() }));
    filters
}

/// Both filters together; of a condition that both have, the first one's.
fn both(one: &Filter, other: &Filter) -> Filter {
    let Filter { sight, sub, status, path, name, team, permission, kid, .. } = one.clone();
    let Filter { issued_after, issued_before, expires_before, .. } = one.clone();
    let other = other.clone();
    Filter {
        sight: if sight == Sight::All { other.sight } else { sight },
        sub: sub.or(other.sub),
        status: status.or(other.status),
        path: path.or(other.path),
        name: name.or(other.name),
        team: team.or(other.team),
        permission: permission.or(other.permission),
        kid: kid.or(other.kid),
        issued_after: issued_after.or(other.issued_after),
        issued_before: issued_before.or(other.issued_before),
        expires_before: expires_before.or(other.expires_before),
        ..Filter::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_alone_and_by_twos_show_exactly_the_tokens_that_meet_them_newest_first() {
    let world = crowded().await;
    let all = listed(&world, &Filter::default()).await;
    assert_eq!(all.len() as u64, TOKENS);
    let single = single(all[0].kid.as_str(), now(&world));
    // Every fourth is of another kind, or of another frequency.
    let some: Vec<&Filter> = single.iter().step_by(4).collect();
    let pairs = some.iter().enumerate().flat_map(|(n, one)| some[n + 1..].iter().map(move |other| both(one, other)));

    let mut found = 0;
    for filter in single.iter().cloned().chain(pairs) {
        let shown = listed(&world, &filter).await;

        let expected: Vec<&Token> = all.iter().filter(|token| meets(token, &filter, now(&world))).collect();
        assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        found += usize::from(!expected.is_empty());
    }
    assert!(found > 40, "{found} filters have shown something");
    assert!(all.iter().map(|token| token.issued).is_sorted_by(|a, b| a > b), "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_single_filter_has_a_table_read_to_its_end() {
    let world = crowded().await;
    let reads = world.catalog.database().reads();

    let newest = tokens::list(reads, &Filter::default(), None, 1, now(&world)).await.unwrap();
    for filter in single(newest.tokens[0].kid.as_str(), now(&world)) {
        let plan = tokens::explain(reads, &filter, 50, now(&world)).await.unwrap();

        // Few rows are no matter.
        let few = ["on token_spans", "on revocation_rules"];
        let reads_all = |line: &&String| line.contains("Seq Scan") && !few.iter().any(|table| line.contains(table));
        assert_eq!(plan.iter().find(reads_all), None, "{filter:?}\n{}", plan.join("\n"));
        assert!(plan.iter().any(|line| line.contains("Limit")), "{filter:?}");
        // An index of all tokens could be walked to its end, too.
        if filter.kid.as_ref().is_some_and(|kid| kid.as_str() == "nothing") {
            assert!(plan.iter().any(|line| line.contains("tokens_kid_idx")), "{}", plan.join("\n"));
        }
    }
}
