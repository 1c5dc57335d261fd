//! The schema as migrations make it: explained, constrained, agreeing with every statement, safe to make at once.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use catalog::{
    domain::{
        Act, Authority, Command, Position,
        configure::{Configure, KeyChoice},
        event::KeyAdded,
        key::Algorithm,
    },
    store::{
        Appender, Database, log,
        postgres::Schema,
        schema::{self, SchemaError},
        verify::verify,
    },
};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, SqlSafeStr};

use crate::support::{TestDatabase, World, world::shell};

#[tokio::test(flavor = "multi_thread")]
async fn every_table_column_and_function_says_what_it_is_for() {
    let mut connection = TestDatabase::migrated().await.superuser().connect().await.unwrap();

    let silent: Vec<String> = sqlx::query_scalar(
        "select relname || coalesce('.' || attname, '')
           from pg_class
           left join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
          where relnamespace = 'catalog'::regnamespace
            and relkind in ('r', 'p', 'v', 'm')
            and relname <> '_sqlx_migrations'
            and (col_description(pg_class.oid, attnum) is null or obj_description(pg_class.oid, 'pg_class') is null)
          union all
         select proname::text
           from pg_proc
          where pronamespace = 'catalog'::regnamespace
            and obj_description(oid, 'pg_proc') is null",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();

    assert_eq!(silent, [""; 0], "without a comment");
}

/// The SQL files under a directory of the repository, by name.
fn sql_files(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files: Vec<(String, String)> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no SQL in {directory}");
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_the_store_agrees_with_the_schema_and_is_the_writers_to_run() {
    let database = TestDatabase::migrated().await.open();
    let mut writer = database.connect_as_writer().await.unwrap();

    let files = sql_files("src/store");
    // The statements of a batch are made of parts.
    let part = |name: &str| files.iter().find(|(file, _)| file == name).unwrap().1.clone();
    let (events, revoked, changed) =
        (part("append_events.sql"), part("append_revoked.sql"), part("append_changed.sql"));
    for (file, sql) in files {
        let sql = match file.as_str() {
            // Templates of several statements, which every migration or rebuilding runs.
            "privileges.sql" | "append_events.sql" => continue,
            name if name.starts_with("rebuild_") => continue,
            "append_revoked.sql" | "append_rule.sql" => format!("{events}{sql} select from head"),
            "append_changed.sql" => format!("{events}{revoked}{sql} select from head"),
            "append_issued.sql" => format!("{events}{revoked}{changed}{sql} select from head"),
            _ => sql,
        };
        let statement = writer.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await;
        assert!(statement.is_ok(), "{file}: {:?}", statement.err());
        let parameters: BTreeSet<u32> = (1..=99).filter(|n| sql.contains(&format!("${n}"))).collect();
        let nulls = parameters.iter().map(|_| "null").collect::<Vec<_>>().join(", ");
        writer.execute(AssertSqlSafe(format!("prepare checked as {sql}"))).await.unwrap();
        // Planning is where privileges and casts are seen; nothing is executed.
        let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
        let planned = writer.execute(AssertSqlSafe(format!("explain execute checked{arguments}"))).await;
        assert!(planned.is_ok(), "{file}: {:?}", planned.err());
        writer.execute("deallocate checked").await.unwrap();
    }
}

/// What is left of SQL without comments and literals.
fn code_of(sql: &str) -> String {
    let lines: String =
        sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    lines.split('\'').step_by(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn no_sql_file_names_a_schema() {
    let files = sql_files("src/store").into_iter().chain(sql_files("migrations"));

    for (file, sql) in files {
        let code =
            ["{schema}.", "{live}.", "{side}."].iter().fold(code_of(&sql), |code, named| code.replace(named, ""));
        let words: Vec<&str> = code.split(|c: char| c.is_whitespace() || "(),;".contains(c)).collect();
        for pair in words.windows(2) {
            let names_a_relation =
                ["from", "join", "into", "update", "table", "on", "index", "function", "references", "column"];
            let dots_allowed = usize::from(pair[0] == "column");
            if names_a_relation.contains(&pair[0]) && pair[0] != "on" {
                assert!(pair[1].matches('.').count() <= dots_allowed, "{file}: {} {}", pair[0], pair[1]);
            }
        }
        for schema in ["catalog.", "public.", "pg_catalog.", "information_schema.", "pg_temp."] {
            assert!(!words.iter().any(|word| word.starts_with(schema)), "{file} names {schema}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_changes_nothing_and_keeps_the_log() {
    let world = World::new().await;
    let head = world.verify().await.head;
    let database = world.database.open();

    let first = schema::migrate(&database).await.unwrap();
    let second = schema::migrate(&database).await.unwrap();

    assert_eq!((first, second), (schema::version_needed(), schema::version_needed()));
    assert_eq!(world.verify().await.head, head);
    assert_eq!(schema::warnings(&database).await.unwrap(), [schema::Warning::Owner]);
}

#[tokio::test(flavor = "multi_thread")]
async fn first_migrations_of_an_empty_database_at_once_all_succeed() {
    let test = TestDatabase::empty().await;
    let databases = [test.open(), test.open(), test.open(), test.open()];

    let [a, b, c, d] = &databases;
    let found = tokio::join!(schema::migrate(a), schema::migrate(b), schema::migrate(c), schema::migrate(d));

    let mut found = [found.0.unwrap(), found.1.unwrap(), found.2.unwrap(), found.3.unwrap()];
    found.sort_unstable();
    let needed = schema::version_needed();
    assert_eq!(found, [0, needed, needed, needed]);
    schema::check(a).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn first_migrations_of_two_databases_of_one_server_at_once_both_succeed() {
    let (one, other) = (TestDatabase::empty().await, TestDatabase::empty().await);
    // They share the writer, which is a role of the whole server and is not there yet.
    let schema: Schema = format!("{}_twin", one.name).parse().unwrap();
    let databases = [&one, &other].map(|test| Database::new(test.owner(), schema.clone()));

    let [a, b] = &databases;
    let (first, second) = tokio::join!(schema::migrate(a), schema::migrate(b));

    assert_eq!((first.unwrap(), second.unwrap()), (0, 0));
    for database in &databases {
        assert_eq!(schema::warnings(database).await.unwrap(), [schema::Warning::Owner]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_catalogs_in_one_database_know_nothing_of_each_other() {
    let world = World::new().await;
    let before = world.verify().await.head;
    let other = Database::new(world.database.owner(), format!("{}_other", world.database.name).parse().unwrap());
    schema::migrate(&other).await.unwrap();
    let ambient = world.catalog.ambient().clone();
    let (appender, _task) = Appender::start(other.clone(), ambient.entropy, Arc::default());
    let key = KeyAdded { kid: "another".parse().unwrap(), alg: Algorithm::Hs256, jwk: None, dev: false };
    let configure = Configure {
        issuer: None,
        issuer_default: "https://other.example.com".parse().unwrap(),
        audience: None,
        audience_default: "other".parse().unwrap(),
        env: None,
        key: KeyChoice::Offered(key),
    };
    let act = Act::Configure(Box::new(configure));
    let origin = shell(catalog::domain::Path::System);
    let command =
        Command { act, authority: Authority::of_shell(), origin, now: ambient.clock.now(), idempotency: None };

    let configured = appender.append(command).await.unwrap();

    assert_eq!(configured.position, Position(4));
    let verification = verify(&other, &[], &mut |_, _| ()).await.unwrap();
    assert_eq!((verification.events, verification.findings), (4, vec![]));
    assert_ne!(verification.head.log_id, before.log_id);
    assert_eq!(log::settings(other.reads()).await.unwrap().active.unwrap().as_str(), "another");
    assert_eq!(world.verify().await.head, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outdated_schema_is_refused_with_both_versions_and_what_to_do() {
    let test = TestDatabase::migrated().await;
    let database = test.open();
    test.tamper("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)").await;

    let checked = schema::check(&database).await.unwrap_err();
    let ensured = schema::ensure(&database, false).await.unwrap_err();

    let needed = schema::version_needed();
    let mut connection = test.superuser().connect().await.unwrap();
    let found: i64 =
        sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&mut connection).await.unwrap();
    assert!(found < needed);
    let expected = format!("the schema 'catalog' is at version {found}, this program needs {needed}");
    assert_eq!((checked.to_string(), ensured.to_string()), (expected.clone(), expected));
    assert_eq!(checked.hint(), Some("run 'catalog migrate' as the owner of the schema"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_outdated_until_a_start_may_migrate_it() {
    let database = TestDatabase::empty().await.open();

    let refused = schema::ensure(&database, false).await.unwrap_err();
    let migrated = schema::ensure(&database, true).await;

    let needed = schema::version_needed();
    assert!(matches!(refused, SchemaError::Outdated { found: 0, .. }), "{refused}");
    assert_eq!(refused.to_string(), format!("the schema 'catalog' is at version 0, this program needs {needed}"));
    assert!(migrated.is_ok(), "{migrated:?}");
    schema::check(&database).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_a_newer_program_is_left_alone() {
    let test = TestDatabase::migrated().await;
    let database = test.open();
    test.tamper(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         select max(version) + 1, 'from the future', true, '', 0 from _sqlx_migrations",
    )
    .await;

    let checked = schema::check(&database).await.unwrap_err();
    let ensured = schema::ensure(&database, true).await.unwrap_err();
    let migrated = schema::migrate(&database).await.unwrap_err();

    let needed = schema::version_needed();
    let expected = format!("the schema 'catalog' is at version {}, newer than this program's {needed}", needed + 1);
    for refused in [checked, ensured, migrated] {
        assert_eq!(refused.to_string(), expected);
        assert_eq!(refused.hint(), Some("run a program at least as new as the one that migrated the schema"));
    }
}
