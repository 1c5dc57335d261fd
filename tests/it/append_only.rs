//! The fences around the log: privileges for the writer, triggers for the owner and a superuser, warnings for people.

use catalog::{
    app::{IssuedToken, Requester},
    domain::{
        Authority, Path, RevokeToken,
        revoke::RevocationReason,
        text::{Name, Note},
    },
    store::{
        Database,
        postgres::Schema,
        schema::{self, Warning},
    },
};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};

use crate::support::{
    TestDatabase, World,
    world::{plain, shell},
};

/// A log with one event of each sort that has a personal part of its own.
async fn told() -> (World, IssuedToken) {
    let world = World::new().await;
    let mut command = plain("alice@example.com");
    command.name = Some(Name::parse("ci").unwrap());
    command.reason = Some(Note::parse("on call").unwrap());
    command.scopes.server_id = Some("gateway-1".parse().unwrap());
    let issued = world.issue_dev(command).await;
    let note = Some(Note::parse("left the company").unwrap());
    let command = RevokeToken { jti: issued.token.jti, reason: RevocationReason::Superseded, note };
    world.catalog.revoke(command, Requester::new(Authority::of_shell(), shell(Path::CliAdmin))).await.unwrap();
    (world, issued)
}

/// The SQLSTATE that a statement is refused with, `00000` when it is not.
async fn sqlstate(connection: &mut PgConnection, sql: &str) -> String {
    match connection.execute(AssertSqlSafe(sql.to_owned())).await {
        Ok(_) => "00000".to_owned(),
        Err(error) => error.as_database_error().unwrap().code().unwrap().into_owned(),
    }
}

async fn as_owner(world: &World) -> PgConnection {
    let mut connection = world.database.owner().connect().await.unwrap();
    connection.execute("set search_path to catalog").await.unwrap();
    connection
}

/// What nobody may do to an event.
const CHANGES: [&str; 12] = [
    "update events set kind = 'x' where position = 1",
    "update events set body = '{}' where position = 1",
    "update events set recorded_at = now() where position = 1",
    "update events set personal = '{}', salt = decode(repeat('00', 16), 'hex') where position = 1",
    "update events set digest = digest where position = 1",
    "delete from events where position = 1",
    "delete from events where false",
    "truncate events",
    "truncate events, issued_tokens, log_head cascade",
    "merge into events using (values (1)) as v (p) on position = p when matched then update set kind = 'x'",
    "merge into events using (values (1)) as v (p) on position = p when matched then delete",
    "insert into events select * from events where position = 1 on conflict (position) do update set kind = 'x'",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_may_neither_change_nor_remove_an_event() {
    let (world, _) = told().await;
    let mut writer = world.database.open().connect_as_writer().await.unwrap();

    for sql in CHANGES {
        assert_eq!(sqlstate(&mut writer, sql).await, "42501", "{sql}");
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_may_remove_nothing_that_the_log_rests_on_nor_lift_its_fences() {
    let (world, _) = told().await;
    let mut writer = world.database.open().connect_as_writer().await.unwrap();
    let role: String = sqlx::query_scalar("select current_user::text").fetch_one(&mut writer).await.unwrap();

    for sql in [
        "update events set personal = null, salt = null where position = 1",
        "delete from log_head",
        "truncate log_head",
        "insert into log_head (id, position, digest, recorded_at, log_id) select 1, 0, digest, now(), log_id from log_head",
        "delete from issued_tokens",
        "truncate issued_tokens",
        "delete from token_revocations",
        "truncate token_revocations",
        "truncate token_names",
        "update revocation_rules set reason = 'x'",
        "delete from revocation_rules",
        "truncate revocation_rules",
        "truncate idempotency",
        "update _sqlx_migrations set version = 0",
        "delete from _sqlx_migrations",
        "alter table events disable trigger all",
        "drop trigger events_refuse_update on events",
        "drop table events",
        "drop function refuse_change_of_events() cascade",
        "create table catalog.mine (id int)",
        "set session_replication_role to replica",
    ] {
        assert_eq!(sqlstate(&mut writer, sql).await, "42501", "{sql}");
    }
    assert_eq!(role, "catalog_writer");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_stopped_by_a_trigger() {
    let (world, _) = told().await;
    let mut owner = as_owner(&world).await;

    for sql in CHANGES {
        assert_eq!(sqlstate(&mut owner, sql).await, "23001", "{sql}");
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_is_stopped_by_a_trigger_even_in_a_replicas_session() {
    let (world, _) = told().await;
    let mut superuser = world.database.superuser().connect().await.unwrap();
    superuser.execute("set session_replication_role to replica").await.unwrap();

    for sql in CHANGES {
        assert_eq!(sqlstate(&mut superuser, sql).await, "23001", "{sql}");
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_takes_personal_and_salt_together_and_nothing_else() {
    let (world, issued) = told().await;
    let mut owner = as_owner(&world).await;
    let position = issued.token.issued;

    for set in [
        "personal = null",
        "salt = null",
        "personal = '{}', salt = null",
        "personal = null, salt = decode(repeat('00', 16), 'hex')",
        "personal = null, salt = null, kind = 'x'",
        "personal = null, salt = null, jti = null",
        "personal = null, salt = null, recorded_at = now()",
        "personal = null, salt = null, path = 'x'",
        "personal = null, salt = null, request_id = 'x'",
        "personal = null, salt = null, body = '{}'",
        "personal = null, salt = null, personal_commitment = sha256('')",
        "personal = null, salt = null, digest = sha256('')",
        "personal = null, salt = null, position = 1000",
    ] {
        let sql = format!("update events set {set} where position = {position}");
        assert_eq!(sqlstate(&mut owner, &sql).await, "23001", "{sql}");
    }
    world.verify().await;
}

/// Erases the personal part of one event, as the owner.
async fn erase(owner: &mut PgConnection, position: i64) -> String {
    sqlstate(owner, &format!("update events set personal = null, salt = null where position = {position}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_personal_part_of_a_setting_can_be_erased_once_and_the_log_still_verifies() {
    let (world, _) = told().await;
    let mut owner = as_owner(&world).await;

    let first = erase(&mut owner, 1).await;
    let again = erase(&mut owner, 1).await;

    assert_eq!((first.as_str(), again.as_str()), ("00000", "23001"));
    world.verify().await;
    assert_eq!(
        catalog::store::log::settings(world.catalog.database().reads()).await.unwrap(),
        world.catalog.live().settings
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_personal_part_of_a_revocation_can_be_erased_and_the_revocation_stays() {
    let (world, issued) = told().await;
    let mut owner = as_owner(&world).await;
    let before = world.verify().await;

    assert_eq!(erase(&mut owner, issued.token.issued.0 + 1).await, "00000");
    let row = "update token_revocations set revocation_note = null, revoked_by = null";
    assert_eq!(sqlstate(&mut owner, row).await, "00000");

    assert_eq!(world.verify().await.head, before.head);
    let jti = issued.token.jti;
    let token = catalog::store::tokens::get(world.catalog.database().reads(), jti).await.unwrap().unwrap();
    let revocation = token.revocation.unwrap();
    assert_eq!((revocation.reason, revocation.note, revocation.by), (RevocationReason::Superseded, None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_personal_part_of_an_issuance_can_be_erased_and_its_token_is_never_confirmed_again() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut command = plain("alice@example.com");
    command.name = Some(Name::parse("ci").unwrap());
    command.namespaces = vec!["eu".parse().unwrap()];
    let issued = world.issue_dev(command).await;
    assert_eq!(world.introspect(issued.signed.expose(), &admin).await.json()["active"], true);
    let mut owner = as_owner(&world).await;

    assert_eq!(erase(&mut owner, issued.token.issued.0).await, "00000");
    let row = "update issued_tokens
                  set sub = null, name = null, description = null, reason = null, email = null, full_name = null,
                      namespaces = '{}', server_id = null, issued_by = null, claims_digest = null,
                      restrictions = '{\"ip_restrictions\": [], \"time_restrictions\": {}, \"usage_limits\": {}}'
                where sub = 'alice@example.com'";
    assert_eq!(sqlstate(&mut owner, row).await, "00000");
    assert_eq!(sqlstate(&mut owner, "delete from token_names where sub = 'alice@example.com'").await, "00000");

    world.verify().await;
    assert_eq!(world.introspect(issued.signed.expose(), &admin).await.text, r#"{"active":false}"#);
    let jti = issued.token.jti;
    assert_eq!(world.delete(&format!("/tokens/{jti}"), &admin, serde_json::Value::Null).await.status, 204);
    assert_eq!(world.get(&format!("/revocations/{jti}"), &admin).await.json()["status"], "revoked");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_warning_is_given_while_every_fence_stands() {
    let test = TestDatabase::migrated().await;
    let login = format!("{}_app", test.name);
    test.tamper(&format!("create role {login} login; grant catalog_writer to {login}")).await;
    let database = Database::new(test.owner().username(&login), test.open().schema().clone());

    let warnings = schema::warnings(&database).await.unwrap();

    assert_eq!(warnings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_is_off_weakened_or_gone_is_warned_of_by_name() {
    let test = TestDatabase::migrated().await;
    let database = test.open();
    let cases = [
        ("disable trigger events_refuse_update", "events_refuse_update"),
        ("enable trigger events_refuse_delete", "events_refuse_update, events_refuse_delete"),
        (
            "enable replica trigger events_refuse_truncate",
            "events_refuse_update, events_refuse_delete, events_refuse_truncate",
        ),
    ];

    for (alter, named) in cases {
        test.tamper(&format!("alter table events {alter}")).await;
        let warnings = schema::warnings(&database).await.unwrap();
        let off = Warning::TriggersOff(named.split(", ").map(str::to_owned).collect());
        assert_eq!(warnings, [Warning::Owner, off], "{alter}");
    }
    test.tamper("drop trigger events_refuse_delete_statement on events").await;
    let warnings = schema::warnings(&database).await.unwrap();
    assert!(warnings[1].to_string().contains("events_refuse_delete_statement"));
}

#[tokio::test(flavor = "multi_thread")]
async fn running_as_the_owner_or_as_a_superuser_for_want_of_a_writer_is_warned_of() {
    let test = TestDatabase::empty().await;
    let role = format!("{}_lone", test.name);
    test.tamper(&format!("create role {role} login; grant create on database {} to {role}", test.name)).await;
    let schema: Schema = role.parse().unwrap();
    let as_owner = Database::new(test.owner().username(&role), schema.clone());
    let as_superuser = Database::new(test.superuser(), schema);

    schema::migrate(&as_owner).await.unwrap();
    let owner = schema::warnings(&as_owner).await.unwrap();
    let superuser = schema::warnings(&as_superuser).await.unwrap();

    assert_eq!(owner, [Warning::Owner]);
    assert_eq!(superuser, [Warning::Superuser]);
}
