//! What is served can be made anew from the log: it is the same, and what was not is mended, while others go on.

use std::collections::BTreeSet;

use catalog::store::{
    Database, StoreError,
    rebuild::{Projection, RebuildError, rebuild},
    schema,
    tokens::{self, Filter},
};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use crate::{
    feed::keep_house,
    seed::seeded,
    support::{Office, TestDatabase, World, process::until, world::plain},
};

/// Every row of the projections, as text.
async fn rows(world: &World) -> Vec<String> {
    let mut connection = world.database.superuser().connect().await.unwrap();
    let mut rows: Vec<String> = Vec::new();
    for table in Projection::ALL.into_iter().flat_map(Projection::tables) {
        let sql = format!("select '{table} ' || to_jsonb(line)::text from {table} as line order by 1");
        rows.extend(sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap());
    }
    rows
}

async fn told() -> World {
    let world = World::new().await;
    seeded(&world, 2_500, 7).await.unwrap();
    world.catalog.fill_rules().await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_anew_is_what_was_there_row_by_row_and_everything_goes_on_with_it() {
    let world = told().await;
    let admin = world.admin().await;
    let held = world.issue_dev(plain("alice@example.com")).await;
    let before = rows(&world).await;

    let rebuilt = rebuild(world.catalog.database(), &Projection::ALL, &mut |_, _| ()).await.unwrap();

    assert_eq!(rebuilt.differed, []);
    assert_eq!(rows(&world).await, before);
    assert_eq!(world.introspect(held.signed.expose(), &admin).await.json()["active"], true);
    assert_eq!(world.delete(&format!("/tokens/{}", held.token.jti), &admin, json!({})).await.status, 204);
    assert_eq!(world.introspect(held.signed.expose(), &admin).await.json()["active"], false);
    world.issue_dev(plain("bob@example.com")).await;
    world.verify().await;
    let mut connection = world.database.superuser().connect().await.unwrap();
    let left = "select count(*) from pg_namespace where nspname like '%rebuild'";
    assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(&mut connection).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_had_read_what_somebody_changed_reads_what_was_made_anew() {
    let world = World::new().await;
    let admin = world.admin().await;
    let revoked = world.issue_dev(plain("alice@example.com")).await;
    assert_eq!(world.delete(&format!("/tokens/{}", revoked.token.jti), &admin, json!({})).await.status, 204);
    world.database.tamper("delete from token_revocations").await;
    let server = world.another_process().await;
    let house = keep_house(&server).await;
    let is_active = async || server.introspect(revoked.signed.expose(), &admin).await.json()["active"] == true;
    assert!(is_active().await, "nobody looks at the log for it");

    let rebuilt = rebuild(world.catalog.database(), &[Projection::Tokens], &mut |_, _| ()).await.unwrap();

    assert_eq!(rebuilt.rows_differed, 1);
    until("it has read the new ones", async || (!is_active().await).then_some(())).await;
    house.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_removed_or_added_is_told_and_mended() {
    for (projection, damage) in [
        (Projection::Tokens, "delete from token_revocations"),
        (Projection::Tokens, "update issued_tokens set exp = exp + interval '1 year'"),
        (Projection::Tokens, "truncate issued_tokens, token_names, token_teams, token_spans"),
        (Projection::Rules, "update revocation_rules set reason = 'superseded'"),
        (Projection::Rules, "update revocation_rules set reason = 'zzz'"),
        (Projection::Rules, "delete from revocation_rules"),
    ] {
        let world = told().await;
        let by_api = json!({"where": {"path": "api"}, "reason": "privilege_withdrawn"});
        let admin = world.admin().await;
        assert_eq!(world.post("/revocations", &admin, by_api).await.status, 200);
        world.catalog.fill_rules().await.unwrap();
        let before = rows(&world).await;
        world.database.tamper(damage).await;

        let rebuilt = rebuild(world.catalog.database(), &[projection], &mut |_, _| ()).await.unwrap();

        assert_ne!(rebuilt.differed, [], "{damage}");
        world.verify().await;
        world.catalog.fill_rules().await.unwrap();
        assert_eq!(rows(&world).await, before, "{damage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_hold_replaces_nothing() {
    let world = told().await;
    let before = rows(&world).await;
    world
        .database
        .tamper(
            "alter table events disable trigger all; update events set body = body || ' '::bytea where position = 1000",
        )
        .await;

    let refused = rebuild(world.catalog.database(), &Projection::ALL, &mut |_, _| ()).await.unwrap_err();

    assert!(matches!(&refused, RebuildError::Broken(finding) if finding.position.unwrap().0 == 1_000), "{refused:?}");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_others_append_nothing_is_lost_and_nobody_is_refused() {
    let world = told().await;
    let admin = world.admin().await;
    let other = world.another_process().await;
    let load = async |world: &World| {
        let mut ids = Vec::new();
        for number in 0..60 {
            let reply = world.post("/tokens", &admin, json!({"sub": format!("load-{number}@example.com")})).await;
            assert_eq!(reply.status, 201, "{}", reply.text);
            let jti = reply.json()["token"]["jti"].as_str().unwrap().to_owned();
            if number % 2 == 0 {
                let reply = world.delete(&format!("/tokens/{jti}"), &admin, json!({})).await;
                assert_eq!(reply.status, 204, "{}", reply.text);
            }
            for read in [format!("/tokens/{jti}"), "/tokens?limit=1".to_owned(), format!("/tokens/{jti}?as_of=@2500")] {
                let reply = world.get(&read, &admin).await;
                assert!(matches!(reply.status.as_u16(), 200 | 404), "{read}: {}", reply.text);
            }
            ids.push(jti);
        }
        ids
    };

    let mut quiet = |_, _: &_| ();
    let rebuilding = rebuild(world.catalog.database(), &Projection::ALL, &mut quiet);
    let (ids, others, rebuilt) = tokio::join!(load(&world), load(&other), rebuilding);

    assert_eq!(rebuilt.unwrap().differed, []);
    world.verify().await;
    let reads = world.catalog.database().reads();
    for jti in ids.into_iter().chain(others) {
        assert!(tokens::get(reads, jti.parse().unwrap()).await.unwrap().is_some(), "{jti}");
    }
    let now = world.catalog.ambient().clock.now();
    assert_eq!(tokens::list(reads, &Filter::default(), None, 500, now).await.unwrap().tokens.len(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_is_waited_for_and_nothing_is_lost_that_is_appended_meanwhile() {
    let world = told().await;
    let admin = world.admin().await;
    let mut somebody = world.database.superuser().connect().await.unwrap();
    somebody.execute("begin; select count(*) from issued_tokens").await.unwrap();
    let mut look = world.database.superuser().connect().await.unwrap();
    let side = format!("{}_rebuild", world.catalog.database().schema().as_str());
    let head: i64 = sqlx::query_scalar("select position from log_head").fetch_one(&mut look).await.unwrap();
    let tried = format!("select position = {head} from {side}.log_head");
    let meanwhile = async {
        until("all is made anew but the last step", async || {
            let is_there: Result<bool, _> = sqlx::query_scalar(AssertSqlSafe(&*tried)).fetch_one(&mut look).await;
            is_there.unwrap_or(false).then_some(())
        })
        .await;
        let live = "select jti::text from tokens where revoked_pos is null limit 1000";
        let ids: Vec<String> = sqlx::query_scalar(live).fetch_all(&mut look).await.unwrap();
        assert_eq!(world.post("/revocations", &admin, json!({"ids": ids})).await.status, 200);
        let last = world.issue_dev(plain("alice@example.com")).await;
        somebody.execute("commit").await.unwrap();
        (ids, last)
    };

    let mut quiet = |_, _: &_| ();
    let rebuilding = rebuild(world.catalog.database(), &Projection::ALL, &mut quiet);
    let ((ids, last), rebuilt) = tokio::join!(meanwhile, rebuilding);

    assert_eq!(rebuilt.unwrap().differed, []);
    world.verify().await;
    let reads = world.catalog.database().reads();
    assert!(tokens::get(reads, last.token.jti).await.unwrap().is_some());
    for jti in ids {
        assert!(tokens::get(reads, jti.parse().unwrap()).await.unwrap().unwrap().revocation.is_some(), "{jti}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_to_look_while_tables_are_replaced_sees_the_new_ones_whole() {
    let world = told().await;
    let mut owner = world.database.superuser().connect().await.unwrap();
    let mut look = world.database.superuser().connect().await.unwrap();
    owner.execute("begin; lock table log_head in access exclusive mode").await.unwrap();
    let replacing = async {
        let waits = "select exists (select from pg_locks where not granted and relation = 'log_head'::regclass)";
        until("the verification waits", async || {
            sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut look).await.unwrap().then_some(())
        })
        .await;
        owner
            .execute(
                "create table anew (like issued_tokens); insert into anew select * from issued_tokens;
                 truncate issued_tokens; insert into issued_tokens select * from anew; drop table anew; commit",
            )
            .await
            .unwrap();
    };

    tokio::join!(replacing, world.verify());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_no_rebuilding_made_is_left_alone() {
    let world = told().await;
    let side = format!("{}_rebuild", world.catalog.database().schema().as_str());
    let before = rows(&world).await;
    world.database.tamper(&format!("create schema {side}; create table {side}.kept (what text)")).await;

    let refused = rebuild(world.catalog.database(), &Projection::ALL, &mut |_, _| ()).await.unwrap_err();

    assert!(matches!(&refused, RebuildError::Taken(name) if *name == side), "{refused:?}");
    world.database.tamper(&format!("select what from {side}.kept")).await;
    assert_eq!(rows(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_but_those_that_no_event_makes_belongs_to_a_projection() {
    let database = TestDatabase::migrated().await;
    let mut connection = database.superuser().connect().await.unwrap();
    let tables = "select tablename::text from pg_tables where schemaname = 'catalog'";
    let mut tables: BTreeSet<String> =
        sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap().into_iter().collect();

    for table in Projection::ALL.into_iter().flat_map(Projection::tables) {
        assert!(tables.remove(*table), "{table}");
    }
    assert_eq!(tables, ["_sqlx_migrations", "events", "idempotency", "log_head"].map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_rebuilds_from_a_shell_and_a_writer_is_told_that_it_may_not() {
    let office = Office::new().await;
    office.issue(&["--sub", "alice@example.com"]);

    let said = office.home.cli(&["audit", "rebuild", "--projection", "tokens"]).good();

    assert!(said.starts_with("rebuilt   tokens from ") && said.contains("every row was what the log says"), "{said}");
    office.issue(&["--sub", "bob@example.com"]);
    office.home.cli(&["audit", "verify"]).good();
    let bad = office.home.cli(&["audit", "rebuild", "--projection", "token"]).bad(2);
    assert!(bad.contains("tokens"), "{bad}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_may_not_rebuild_and_leaves_everything_as_it_is() {
    let test = TestDatabase::migrated().await;
    let login = format!("{}_app", test.name);
    test.tamper(&format!("create role {login} login; grant catalog_writer to {login}")).await;
    let writer = Database::new(test.owner().username(&login), test.open().schema().clone());

    let refused = rebuild(&writer, &Projection::ALL, &mut |_, _| ()).await.unwrap_err();

    assert!(matches!(refused, RebuildError::Store(StoreError::Refused(_)) | RebuildError::Schema(_)), "{refused:?}");
    assert_eq!(schema::warnings(&writer).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_against_a_kept_head_shows_a_rewrite_a_truncation_and_another_log() {
    let office = Office::new().await;
    let head = || office.home.cli(&["audit", "verify", "--format", "json"]).json()["head"].clone();
    let first = head();
    office.issue(&["--sub", "alice@example.com"]);
    let last = head();
    let against = |heads: &[&serde_json::Value]| {
        let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
        let flags: Vec<&str> = heads.iter().flat_map(|head| ["--against", head]).collect();
        office.home.cli(&[&["audit", "verify"], flags.as_slice()].concat())
    };

    let good = against(&[&first, &last]).good();
    let mut rewritten = first.clone();
    rewritten["digest"] = json!("00".repeat(32));
    let mut ahead = last.clone();
    ahead["position"] = json!(last["position"].as_i64().unwrap() + 1);
    let mut foreign = last.clone();
    foreign["log_id"] = json!("00000000-0000-4000-8000-000000000000");

    assert!(good.contains(&format!("nothing up to position {} was rewritten", last["position"])), "{good}");
    for (head, says) in [
        (&rewritten, "something up to here was rewritten"),
        (&ahead, "before the head that was kept"),
        (&foreign, "is of the log 00000000"),
    ] {
        let done = against(&[head]);
        assert!(done.code == 1 && done.stdout.contains(says), "{done:?}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{first}\n{last}\n")).unwrap();
    let several = ["audit", "verify", "--against", &format!("@{}", file.path().display())];
    assert!(office.home.cli(&several).good().contains("was rewritten"));
    assert!(against(&[&json!({"position": 1})]).bad(2).contains("not a head line"));
}
