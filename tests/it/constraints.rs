//! Every constraint of the schema from both sides: the last value it allows, and the first it refuses.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};

use crate::support::TestDatabase;

/// Two rows in each table, so that a case need only change what it is about.
const ROWS: &str = "
    alter table events disable trigger all;
    insert into events (position, kind, path, request_id, body, personal, salt, personal_commitment, digest, recorded_at)
    select position, 'k', 'api', 'r', '{}', '{}', decode(repeat('00', 16), 'hex'), sha256(''), sha256(''), now()
      from generate_series(1, 2) as position;
    insert into issued_tokens (jti, aud, kid, is_admin, teams, namespaces, permissions, restrictions, elevated, path,
                               out_of_band, policy_version, issued_pos, iat, exp)
    select gen_random_uuid(), '{}', 'k', false, '{}', '{}', '{}', '{}', '{}', 'api',
           false, 1, position, '2026-01-01', '2026-01-02'
      from generate_series(1, 2) as position;
    insert into token_revocations (issued_pos, revoked_pos, revoked_at, revocation_reason)
    select position, position + 1, now(), 'unspecified'
      from generate_series(1, 2) as position;
    insert into past_revocations (issued_pos, revoked_pos, revoked_at, revocation_reason, until_pos)
    select 1, position + 1, now(), 'unspecified', position + 2
      from generate_series(1, 2) as position;
    insert into past_suspensions (issued_pos, suspended_pos, suspended_at, until_pos)
    select 1, position + 1, now(), position + 2
      from generate_series(1, 2) as position;
    insert into token_names (sub, name, exp, issued_pos)
    select 's', 'n', '2026-01-02', position
      from generate_series(1, 2) as position;
    insert into token_teams (team, issued_pos)
    select 'red', position
      from generate_series(1, 2) as position;
    insert into token_permissions (permission, issued_pos)
    select 'tools.read', position
      from generate_series(1, 2) as position;
    insert into token_spans (span, iat_min, iat_max, exp_min, exp_max)
    select span, now(), now(), now(), now()
      from generate_series(0, 1) as span;
    insert into revocation_rules (position, revoked_at, reason, filled_to)
    select position, now(), 'unspecified', position
      from generate_series(1, 2) as position;
    insert into people (sub, issuer, is_admin, teams, permissions, logged_in, position)
    select 'p' || position, 'https://login.example.com', false, '{}', '{}', 0, position
      from generate_series(1, 2) as position;
    insert into status_list_entries (list, idx, issued_pos)
    select '00000000-0000-4000-8000-000000000001', position, position
      from generate_series(1, 2) as position;
    insert into idempotency (credential, key, request_digest, position, at)
    select 'c', 'key ' || position, sha256(''), position, now()
      from generate_series(1, 2) as position;";

/// A constraint, the statement that meets it, how it ends within the bounds, and how past them.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

const HEAD: &[Case] = &[
    (
        "log_head_pkey",
        "insert into log_head select 1, 0, digest, now(), log_id from log_head where",
        "false",
        &["true"],
    ),
    ("log_head_one_row", "update log_head set", "id = 1", &["id = 0", "id = 2"]),
    ("log_head_recorded_at_is_finite", "update log_head set recorded_at =", "now()", &["'infinity'"]),
    ("log_head_position_counts", "update log_head set", "position = 0", &["position = -1"]),
    (
        "log_head_digest_is_sha256",
        "update log_head set digest =",
        "sha256('')",
        &["substr(sha256(''), 2)", "sha256('') || '\\x00'::bytea"],
    ),
];

const EVENTS: &[Case] = &[
    ("events_pkey", "update events set position =", "position + 2", &["2"]),
    ("events_position_counts", "update events set position =", "position", &["position - 1"]),
    ("events_recorded_at_is_finite", "update events set recorded_at =", "recorded_at", &["'infinity'", "'-infinity'"]),
    (
        "events_personal_and_salt_together",
        "update events set",
        "personal = null, salt = null",
        &["personal = null", "salt = null"],
    ),
    (
        "events_salt_length",
        "update events set salt =",
        "substr(sha256(''), 1, 16)",
        &["substr(sha256(''), 1, 15)", "substr(sha256(''), 1, 17)", "''"],
    ),
    (
        "events_personal_commitment_is_sha256",
        "update events set personal_commitment =",
        "sha256('x')",
        &["substr(sha256(''), 2)", "sha256('') || '\\x00'::bytea"],
    ),
    (
        "events_digest_is_sha256",
        "update events set digest =",
        "sha256('x')",
        &["substr(sha256(''), 2)", "sha256('') || '\\x00'::bytea"],
    ),
];

const TOKENS: &[Case] = &[
    ("tokens_pkey", "update issued_tokens set jti =", "gen_random_uuid()", &["'00000000-0000-7000-8000-000000000001'"]),
    ("tokens_issued_pos_idx", "update issued_tokens set issued_pos =", "issued_pos + 2", &["2"]),
    ("tokens_every_team_needs_admin", "update issued_tokens set teams = null, is_admin =", "true", &["false"]),
    ("tokens_times_are_finite", "update issued_tokens set exp =", "exp", &["'infinity'"]),
    (
        "tokens_exp_after_iat",
        "update issued_tokens set exp = iat",
        "+ interval '1 microsecond'",
        &["", "- interval '1 second'"],
    ),
    (
        "tokens_lineage_whole",
        "update issued_tokens set",
        "family = gen_random_uuid(), predecessor = gen_random_uuid()",
        &["family = gen_random_uuid()", "predecessor = gen_random_uuid()"],
    ),
    (
        "tokens_first_whole",
        "update issued_tokens set first_path = 'api', first_iat = now(), predecessor = gen_random_uuid(), family = gen_random_uuid(),",
        "first_kid = 'k'",
        &["first_kid = null"],
    ),
    (
        "tokens_first_whole",
        "update issued_tokens set",
        "first_path = null",
        &[
            "first_path = 'api', first_iat = now(), first_kid = 'k'",
            "first_path = 'api'",
            "first_iat = now()",
            "first_kid = 'k'",
            "first_path = 'api', first_iat = now()",
            "first_path = 'api', first_kid = 'k'",
            "first_iat = now(), first_kid = 'k'",
        ],
    ),
    (
        "tokens_first_iat_is_finite",
        "update issued_tokens set family = gen_random_uuid(), predecessor = gen_random_uuid(), first_path = 'api', first_kid = 'k',",
        "first_iat = now()",
        &["first_iat = 'infinity'", "first_iat = '-infinity'"],
    ),
    (
        "tokens_suspension_whole",
        "update issued_tokens set",
        "suspended_pos = 2, suspended_at = now()",
        &["suspended_pos = 2", "suspended_at = now()"],
    ),
    (
        "tokens_suspender_has_suspended",
        "update issued_tokens set",
        "suspended_by = 'a', suspended_by_full_admin = true, suspended_pos = 2, suspended_at = now()",
        &["suspended_by = 'a'", "suspended_by_full_admin = true"],
    ),
];

const OTHERS: &[Case] = &[
    ("people_pkey", "update people set sub =", "sub || 'x'", &["'p1'"]),
    (
        "people_every_team_is_of_administrators",
        "update people set",
        "is_admin = true, teams = null",
        &["is_admin = false, teams = null"],
    ),
    ("token_revocations_pkey", "update token_revocations set issued_pos = 0 + ", "issued_pos", &["1"]),
    ("token_revocations_after_issuance", "update token_revocations set revoked_pos = issued_pos", "+ 1", &["", "- 1"]),
    (
        "token_revocations_times_are_finite",
        "update token_revocations set",
        "effective_from = revoked_at",
        &["revoked_at = 'infinity'", "effective_from = '-infinity'"],
    ),
    ("past_revocations_pkey", "update past_revocations set until_pos = 9, revoked_pos =", "revoked_pos + 2", &["2"]),
    ("past_revocations_end_later", "update past_revocations set until_pos = revoked_pos", "+ 1", &["", "- 1"]),
    (
        "past_revocations_times_are_finite",
        "update past_revocations set",
        "effective_from = revoked_at",
        &["revoked_at = 'infinity'", "effective_from = '-infinity'"],
    ),
    (
        "past_suspensions_pkey",
        "update past_suspensions set until_pos = 9, suspended_pos =",
        "suspended_pos + 2",
        &["2"],
    ),
    ("past_suspensions_end_later", "update past_suspensions set until_pos = suspended_pos", "+ 1", &["", "- 1"]),
    ("past_suspensions_times_are_finite", "update past_suspensions set suspended_at =", "now()", &["'infinity'"]),
    ("token_names_pkey", "update token_names set issued_pos =", "issued_pos + 2", &["2"]),
    ("token_names_times_are_finite", "update token_names set exp =", "exp", &["'infinity'"]),
    ("token_teams_pkey", "update token_teams set issued_pos =", "issued_pos + 2", &["2"]),
    ("token_permissions_pkey", "update token_permissions set issued_pos =", "issued_pos + 2", &["2"]),
    ("token_spans_pkey", "update token_spans set span =", "span + 2", &["1"]),
    (
        "token_spans_times_are_finite",
        "update token_spans set",
        "iat_min = now()",
        &["iat_min = 'infinity'", "iat_max = 'infinity'", "exp_min = '-infinity'", "exp_max = 'infinity'"],
    ),
    ("status_list_entries_pkey", "update status_list_entries set idx =", "idx + 2", &["2"]),
    ("status_list_entries_issued_pos_idx", "update status_list_entries set issued_pos =", "issued_pos + 2", &["2"]),
    ("status_list_entries_idx_counts", "update status_list_entries set idx =", "idx - 1", &["idx - 2"]),
    ("revocation_rules_pkey", "update revocation_rules set position =", "position + 2", &["2"]),
    (
        "revocation_rules_times_are_kept",
        "update revocation_rules set",
        "issued_after = '1970-01-01 00:00Z', issued_before = '9964-09-09 00:00Z'",
        &[
            "revoked_at = 'infinity'",
            "issued_after = '1969-12-31 23:59:59.999999Z'",
            "issued_after = '-infinity'",
            "issued_before = '9964-09-09 00:00:00.000001Z'",
            "issued_before = '0044-03-15 00:00Z BC'",
        ],
    ),
    (
        "revocation_rules_issued_from_is_before_it",
        "update revocation_rules set issued_from =",
        "position",
        &["position + 1", "-1"],
    ),
    (
        "revocation_rules_filled_to_is_before_it",
        "update revocation_rules set filled_to =",
        "case position when 1 then 0 else position end",
        &["-1", "position + 1"],
    ),
    ("idempotency_pkey", "update idempotency set key =", "key || '!'", &["'key 2'"]),
    (
        "idempotency_request_digest_is_sha256",
        "update idempotency set request_digest =",
        "sha256('x')",
        &["substr(sha256(''), 2)", "sha256('') || '\\x00'::bytea"],
    ),
];

fn cases() -> impl Iterator<Item = &'static Case> {
    [HEAD, EVENTS, TOKENS, OTHERS].into_iter().flatten()
}

/// Runs a statement and takes it back.
async fn attempt(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    let done = connection.execute(AssertSqlSafe(sql)).await;
    connection.execute("rollback to savepoint rows").await.unwrap();
    done.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_constraint_takes_the_last_value_allowed_and_refuses_the_next() {
    let mut connection = TestDatabase::migrated().await.superuser().connect().await.unwrap();
    connection.execute("begin").await.unwrap();
    connection.execute(sqlx::raw_sql(ROWS)).await.unwrap();
    connection.execute("savepoint rows").await.unwrap();

    for (constraint, statement, allowed, refused) in cases() {
        let taken = attempt(&mut connection, format!("{statement} {allowed}")).await;
        assert!(taken.is_ok(), "{constraint}: {statement} {allowed}: {taken:?}");
        for refused in *refused {
            let error = attempt(&mut connection, format!("{statement} {refused}")).await.unwrap_err();
            let broken = error.as_database_error().and_then(|error| error.constraint());
            assert_eq!(broken, Some(*constraint), "{statement} {refused}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_constraint_is_without_a_case_and_none_is_without_a_name_of_its_own() {
    let mut connection = TestDatabase::migrated().await.superuser().connect().await.unwrap();

    // Since Postgres 18 `not null` is among them; its name says enough.
    let there: Vec<String> = sqlx::query_scalar(
        "select conname::text
           from pg_constraint
          where connamespace = 'catalog'::regnamespace
            and contype not in ('n', 't')
            and conrelid <> '_sqlx_migrations'::regclass
          union
         select relname::text
           from pg_index
           join pg_class on pg_class.oid = indexrelid
          where relnamespace = 'catalog'::regnamespace
            and indisunique
            and indrelid <> '_sqlx_migrations'::regclass",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();

    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    let covered: BTreeSet<&str> = cases().map(|(name, ..)| *name).collect();
    assert_eq!(covered, there);
    let made_up_by_postgres = there.iter().find(|name| name.ends_with("_check") || name.ends_with("_key"));
    assert_eq!(made_up_by_postgres, None);
}
