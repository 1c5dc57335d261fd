//! What somebody whom no fence holds back can do to the log, and what `verify` says of it.

use catalog::{
    app::Requester,
    domain::{
        Authority, Path, Position, RevokeToken,
        revoke::RevocationReason,
        text::{Name, Note},
    },
    store::verify::{
        Rule::{self, Columns, Commitment, Density, DigestChain, Form, Order, Projection},
        Verification, verify, verify_by,
    },
};
use sqlx::{ConnectOptions, Connection, Row};

use crate::support::{
    Site, TestDatabase, World,
    world::{plain, shell},
};

/// Positions 1 to 4 are the settings of a first start, then come:
const ALICE: i64 = 5;
const BOB: i64 = 6;
const ALICE_REVOKED: i64 = 7;
const CAROL: i64 = 8;
const LAST: i64 = 8;

/// A log of eight events, its last two tokens live, its first revoked.
async fn told() -> World {
    let world = World::new().await;
    let named = |sub: &str| {
        let mut command = plain(sub);
        command.name = Some(Name::parse("ci").unwrap());
        command.reason = Some(Note::parse("on call").unwrap());
        command
    };
    let alice = world.issue_dev(named("alice@example.com")).await.token;
    world.issue_dev(named("bob@example.com")).await;
    let note = Some(Note::parse("left").unwrap());
    let command = RevokeToken { jti: alice.jti, reason: RevocationReason::KeyCompromise, note };
    world.catalog.revoke(command, Requester::new(Authority::of_shell(), shell(Path::CliAdmin))).await.unwrap();
    world.issue_dev(named("carol@example.com")).await;
    world
}

async fn verified(world: &World) -> Verification {
    verify(world.catalog.database(), &[], &mut |_, _| ()).await.unwrap()
}

/// Changes what no privilege and no trigger protects any more.
async fn tamper(world: &World, sql: &str) {
    let fences_down = "set session_replication_role to replica; alter table events disable trigger all;";
    world.database.tamper(&format!("{fences_down} {sql}")).await;
}

/// Position and rule of every finding, in order; 0 for a row that no event explains.
fn found(verification: &Verification) -> Vec<(i64, Rule)> {
    verification.findings.iter().map(|f| (f.position.map_or(0, |position| position.0), f.rule)).collect()
}

/// Asserts for each tampering, on a log of its own, exactly what is found and where, however few events are in memory.
async fn each_is_found(cases: &[(&str, &[(i64, Rule)])]) {
    for (sql, expected) in cases {
        let world = told().await;

        tamper(&world, sql).await;

        let verification = verified(&world).await;
        assert_eq!(found(&verification), *expected, "{sql}\n{:#?}", verification.findings);
        for events_at_once in [1, 3] {
            let by_few = verify_by(world.catalog.database(), &[], events_at_once, &mut |_, _| ()).await.unwrap();
            assert_eq!(by_few.findings, verification.findings, "{sql}, {events_at_once} events at once");
            assert_eq!(by_few.tokens, verification.tokens, "{sql}, {events_at_once} events at once");
        }
        world.catalog.database().close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untouched_log_gives_no_finding() {
    let world = told().await;

    let verification = verified(&world).await;

    assert_eq!(verification.findings, []);
    assert_eq!((verification.events, verification.tokens), (8, 3));
    assert_eq!(verification.head.position, Position(LAST));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_event_is_found_at_its_position() {
    each_is_found(&[
        // A body, and with it what the projection should say.
        (
            "update events set body = convert_to(replace(convert_from(body, 'utf8'), '\"is_admin\":false', '\"is_admin\":true'), 'utf8')
              where position = 6",
            &[(BOB, DigestChain), (BOB, Form), (BOB, Projection)],
        ),
        // What ended a token, whose row is of an earlier event: that is told first which is not as it was.
        (
            "update events set body = convert_to(replace(convert_from(body, 'utf8'), 'key_compromise', 'superseded'), 'utf8')
              where position = 7",
            &[(ALICE_REVOKED, DigestChain), (ALICE_REVOKED, Projection)],
        ),
        // The same value in other bytes.
        (
            "update events set body = convert_to(convert_from(body, 'utf8') || ' ', 'utf8') where position = 6",
            &[(BOB, DigestChain), (BOB, Form)],
        ),
        // Not an event at all, or one that nobody knows: its token has no event any more.
        ("update events set body = '[]' where position = 8", &[(CAROL, DigestChain), (CAROL, Form), (0, Projection)]),
        (
            "update events set body = convert_to(replace(convert_from(body, 'utf8'), 'token.issued.v1', 'token.minted.v9'), 'utf8')
              where position = 6",
            &[(BOB, DigestChain), (BOB, Form), (0, Projection)],
        ),
        // A revocation that speaks of another token.
        (
            "update events
                set body = convert_to(replace(convert_from(body, 'utf8'), jti::text, (select jti::text from tokens where issued_pos = 6)), 'utf8')
              where position = 7",
            &[(ALICE_REVOKED, DigestChain), (ALICE_REVOKED, Columns), (ALICE, Projection), (ALICE_REVOKED, Projection)],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_personal_part_is_found_at_its_position() {
    each_is_found(&[
        (
            "update events set personal = convert_to(replace(convert_from(personal, 'utf8'), 'on call', 'for fun'), 'utf8')
              where position = 6",
            &[(BOB, Commitment), (BOB, Projection)],
        ),
        ("update events set salt = substr(sha256(''), 1, 16) where position = 3", &[(3, Commitment)]),
        (
            "update events set personal = '{}', salt = substr(sha256(''), 1, 16), personal_commitment = sha256(substr(sha256(''), 1, 16) || '{}')
              where position = 3",
            &[(3, DigestChain)],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_erasure_is_found_and_so_is_one_that_the_projection_did_not_follow() {
    let no_check = "alter table events drop constraint events_personal_and_salt_together;";
    each_is_found(&[
        (&format!("{no_check} update events set salt = null where position = 6"), &[(BOB, Commitment)]),
        (
            &format!("{no_check} update events set personal = null where position = 6"),
            &[(BOB, Commitment), (BOB, Projection)],
        ),
        ("update events set personal = null, salt = null where position = 6", &[(BOB, Projection)]),
        ("update events set personal = null, salt = null where position = 7", &[(ALICE_REVOKED, Projection)]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_column_that_copies_the_body_is_found_at_its_position() {
    each_is_found(&[
        ("update events set kind = 'token.revoked.v1' where position = 6", &[(BOB, Columns)]),
        ("update events set jti = gen_random_uuid() where position = 6", &[(BOB, Columns)]),
        ("update events set jti = null where position = 7", &[(ALICE_REVOKED, Columns)]),
        ("update events set path = 'api' where position = 6", &[(BOB, Columns)]),
        ("update events set request_id = 'other' where position = 1", &[(1, Columns)]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_time_or_digest_is_found_where_the_chain_first_breaks() {
    each_is_found(&[
        (
            "update events set recorded_at = recorded_at + interval '1 hour' where position = 6",
            &[(BOB, DigestChain), (ALICE_REVOKED, Order)],
        ),
        (
            "update events set recorded_at = recorded_at - interval '1 hour' where position = 6",
            &[(BOB, Order), (BOB, DigestChain)],
        ),
        (
            "update events set recorded_at = recorded_at + interval '1 microsecond' where position = 8",
            &[(LAST, DigestChain), (LAST, Order)],
        ),
        (
            "update events set digest = sha256('') where position = 6",
            &[(BOB, DigestChain), (ALICE_REVOKED, DigestChain)],
        ),
        ("update events set digest = sha256('') where position = 8", &[(LAST, DigestChain), (LAST, DigestChain)]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_head_is_found_at_the_end_of_the_log() {
    each_is_found(&[
        ("update log_head set digest = sha256('')", &[(LAST, DigestChain)]),
        ("update log_head set position = 9", &[(9, Density)]),
        ("update log_head set position = 7", &[(LAST, Density)]),
        ("update log_head set recorded_at = recorded_at + interval '1 year'", &[(LAST, Order)]),
        ("update log_head set recorded_at = recorded_at - interval '1 year'", &[(LAST, Order)]),
    ])
    .await;
}

const LOWER_HEAD: &str = "update log_head set (position, digest, recorded_at) =
    (select position, digest, recorded_at from events order by position desc limit 1);";

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_event_is_found_at_the_position_that_is_missing() {
    each_is_found(&[
        ("delete from events where position = 1", &[(1, Density), (2, DigestChain)]),
        ("delete from events where position = 6", &[(BOB, Density), (ALICE_REVOKED, DigestChain), (0, Projection)]),
        (
            "delete from events where position = 7",
            &[(ALICE_REVOKED, Density), (CAROL, DigestChain), (ALICE, Projection)],
        ),
        (
            "delete from events where position between 5 and 7",
            &[(ALICE, Density), (CAROL, DigestChain), (0, Projection), (0, Projection)],
        ),
        // The last one: missed by the head, or by the projection if the head is lowered.
        ("delete from events where position = 8", &[(LAST, Density), (0, Projection)]),
        (&format!("delete from events where position = 8; {LOWER_HEAD}"), &[(0, Projection)]),
        (
            &format!(
                "delete from events where position >= 7; {LOWER_HEAD} delete from issued_tokens where issued_pos = 8"
            ),
            // What the last one was listed by is still there: its name, and that it names no permission.
            &[(ALICE, Projection), (CAROL, Projection), (CAROL, Projection)],
        ),
        ("delete from events", &[(1, Density), (0, Projection), (0, Projection), (0, Projection)]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_events_that_changed_places_are_found() {
    let swap = "update events set position = 100 where position = 6;
                update events set position = 6 where position = 8;
                update events set position = 8 where position = 100;";
    let swap_but_for_digests = "update events as one
                set (kind, jti, path, request_id, body, personal, salt, personal_commitment) =
                    (select kind, jti, path, request_id, body, personal, salt, personal_commitment
                       from events as other where other.position = 14 - one.position)
              where position in (6, 8);";
    each_is_found(&[
        (
            swap,
            &[
                (BOB, DigestChain),
                (ALICE_REVOKED, Order),
                (ALICE_REVOKED, DigestChain),
                (LAST, Order),
                (LAST, DigestChain),
                (LAST, DigestChain),
                (LAST, Order),
                (BOB, Projection),
                (LAST, Projection),
            ],
        ),
        (swap_but_for_digests, &[(BOB, DigestChain), (LAST, DigestChain), (BOB, Projection), (LAST, Projection)]),
    ])
    .await;
}

/// Appends a copy of Bob's issuance, an hour back-dated and well chained, as somebody who read the source would.
const BACK_DATED: &str = "
    insert into events
    select 9, kind, jti, at, path, request_id, body, personal, salt, personal_commitment,
           sha256(last || int8send(9) || int8send((extract(epoch from at) * 1000000)::bigint) || sha256(body) || personal_commitment)
      from events,
           lateral (select recorded_at - interval '1 hour') as time (at),
           lateral (select digest from events where position = 8) as tail (last)
     where position = 6;";

#[tokio::test(flavor = "multi_thread")]
async fn a_back_dated_event_is_found() {
    each_is_found(&[
        // Past the head; with the head, so that only the times tell; in place of another, with all after it moved on.
        (BACK_DATED, &[(9, Order), (9, Density), (9, Projection)]),
        (&format!("{BACK_DATED} {LOWER_HEAD}"), &[(9, Order), (9, Projection)]),
        (
            &format!(
                "{BACK_DATED} update events set position = position + 100 where position >= 6;
                 update events set position = 6 where position = 109;
                 update events set position = position - 99 where position > 100; {LOWER_HEAD}"
            ),
            &[
                (BOB, Order),
                (BOB, DigestChain),
                (7, DigestChain),
                (8, DigestChain),
                (9, DigestChain),
                (7, Projection),
                (8, Projection),
                (9, Projection),
            ],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_missing_or_invented_row_of_a_projection_is_found() {
    each_is_found(&[
        // Undoing a revocation, or moving an expiry.
        (
            "delete from token_revocations",
            &[(ALICE_REVOKED, Projection)],
        ),
        (
            "insert into token_revocations select 6, revoked_pos, revoked_at, null, revocation_reason from token_revocations",
            &[(BOB, Projection)],
        ),
        (
            "insert into token_revocations select 9, 10, revoked_at, null, revocation_reason from token_revocations",
            &[(9, Projection)],
        ),
        ("update issued_tokens set exp = exp + interval '1 year' where issued_pos = 6", &[(BOB, Projection)]),
        ("update token_revocations set effective_from = '2100-01-01' where issued_pos = 5", &[(ALICE_REVOKED, Projection)]),
        ("delete from issued_tokens where issued_pos = 6", &[(BOB, Projection)]),
        // A row that lies where another token's would, or none.
        ("update issued_tokens set issued_pos = 7 where issued_pos = 6", &[(BOB, Projection)]),
        ("update issued_tokens set issued_pos = 900 where issued_pos = 6", &[(BOB, Projection)]),
        (
            "create temporary table stolen as select * from issued_tokens where issued_pos = 6;
             update stolen set jti = gen_random_uuid(), issued_pos = 9;
             insert into issued_tokens select * from stolen",
            &[(0, Projection)],
        ),
        (
            "insert into revocation_rules (position, revoked_at, reason, filled_to) values (7, now(), 'unspecified', 0)",
            &[(7, Projection)],
        ),
        // One that reads would go by.
        (
            "insert into revocation_rules (position, revoked_at, reason, filled_to) values (7, now(), 'unspecified', 7)",
            &[(7, Projection)],
        ),
        // Rows that do not even read.
        ("update issued_tokens set path = 'window' where issued_pos = 6", &[(BOB, Projection)]),
        ("update issued_tokens set restrictions = '[]' where issued_pos = 6", &[(BOB, Projection)]),
        ("update issued_tokens set claims_digest = '' where issued_pos = 6", &[(BOB, Projection)]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_a_tokens_row_is_compared_with_the_log() {
    let world = told().await;
    let mut connection = world.database.superuser().connect().await.unwrap();
    let columns = sqlx::query(
        "select column_name::text, table_name::text, udt_name::text from information_schema.columns
          where table_schema = 'catalog'
            and (table_name = 'issued_tokens' or table_name = 'token_revocations' and column_name <> 'issued_pos')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();

    // No constraint shall help; what is compared is what counts.
    tamper(&world, "alter table issued_tokens drop constraint tokens_suspension_whole").await;
    tamper(&world, "alter table issued_tokens drop constraint tokens_lineage_whole").await;
    tamper(&world, "alter table issued_tokens drop constraint tokens_first_whole").await;
    tamper(&world, "alter table issued_tokens drop constraint tokens_suspender_has_suspended").await;
    tamper(&world, "alter table token_revocations drop constraint token_revocations_after_issuance").await;
    for table in ["issued_tokens", "token_revocations"] {
        tamper(&world, &format!("create table untouched_{table} as select * from {table}")).await;
    }
    assert_eq!(columns.len(), 40);
    for column in &columns {
        let (name, table): (String, String) = (column.get(0), column.get(1));
        let other = match column.get::<&str, _>(2) {
            "uuid" => "gen_random_uuid()".to_owned(),
            "bool" => format!("not {name}"),
            "_text" => format!("coalesce({name}, '{{}}') || 'x'::text"),
            "int4" | "int8" => format!("coalesce({name}, 0) + 1000"),
            "timestamptz" => format!("coalesce({name}, '2030-01-01') + interval '1 second'"),
            "jsonb" => format!("{name} || '{{\"other\": 1}}'"),
            "bytea" => "sha256('x')".to_owned(),
            "text" => format!("coalesce({name}, '') || 'x'"),
            other => panic!("no way to change a {other}"),
        };
        for position in if table == "issued_tokens" { [ALICE, BOB].as_slice() } else { &[ALICE] } {
            tamper(&world, &format!("update {table} set {name} = {other} where issued_pos = {position}")).await;
            let verification = verified(&world).await;
            assert!(found(&verification).iter().any(|(_, rule)| *rule == Projection), "{name} at {position}");
            tamper(&world, &format!("delete from {table}; insert into {table} select * from untouched_{table}")).await;
        }
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_listings_find_tokens_by_is_compared_with_the_log() {
    // The shell's tokens reach no team and name no permission; all lie in the first span.
    each_is_found(&[
        ("insert into past_suspensions values (6, 7, now(), 8)", &[(BOB, Projection)]),
        ("insert into past_revocations values (6, 7, now(), null, 'superseded', null, null, 8)", &[(BOB, Projection)]),
        ("delete from token_names where issued_pos = 6", &[(BOB, Projection)]),
        ("update token_names set name = 'other' where issued_pos = 6", &[(BOB, Projection)]),
        ("update token_names set exp = exp - interval '1 second' where issued_pos = 6", &[(BOB, Projection)]),
        ("insert into token_names select sub, name, exp, 7 from token_names where issued_pos = 6", &[(ALICE_REVOKED, Projection)]),
        ("insert into token_teams values ('red', 6)", &[(BOB, Projection)]),
        ("insert into token_teams values ('red', 7)", &[(ALICE_REVOKED, Projection)]),
        ("delete from token_permissions where issued_pos = 6", &[(BOB, Projection)]),
        ("update token_permissions set permission = '*' where issued_pos = 6", &[(BOB, Projection)]),
        ("insert into token_permissions values ('*', 6)", &[(BOB, Projection)]),
        ("delete from token_spans", &[(0, Projection)]),
        ("insert into token_spans select 7, iat_min, iat_max, exp_min, exp_max from token_spans", &[(7 * 1024, Projection)]),
        ("update token_spans set iat_min = iat_min + interval '1 second'", &[(0, Projection)]),
        ("update token_spans set iat_max = iat_max - interval '1 second'", &[(0, Projection)]),
        ("update token_spans set exp_min = exp_min - interval '1 second'", &[(0, Projection)]),
        ("update token_spans set exp_max = exp_max - interval '1 second'", &[(0, Projection)]),
        (
            "alter table token_spans drop constraint token_spans_times_are_finite; update token_spans set exp_max = 'infinity'",
            &[(0, Order)],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consistent_truncation_or_rewrite_shows_only_against_a_head_that_was_kept_outside() {
    let truncated = told().await;
    let rewritten = told().await;
    let (kept_truncated, kept_rewritten) = (verified(&truncated).await.head, verified(&rewritten).await.head);

    tamper(
        &truncated,
        &format!(
            "delete from events where position = 8; delete from issued_tokens where issued_pos = 8;
             delete from token_permissions where issued_pos = 8; delete from token_names where issued_pos = 8; {LOWER_HEAD}"
        ),
    )
    .await;
    tamper(
        &rewritten,
        &format!(
            "update events
                set body = convert_to(replace(convert_from(body, 'utf8'), '\"policy_version\":1', '\"policy_version\":2'), 'utf8')
              where position = 6;
             update issued_tokens set policy_version = 2 where issued_pos = 6;
             do $$
             declare
                 event record;
                 previous bytea := decode(repeat('00', 32), 'hex');
             begin
                 for event in select * from events order by position loop
                     previous := sha256(
                         previous || int8send(event.position)
                         || int8send((extract(epoch from event.recorded_at) * 1000000)::bigint)
                         || sha256(event.body) || event.personal_commitment);
                     update events set digest = previous where position = event.position;
                 end loop;
             end
             $$;
             {LOWER_HEAD}"
        ),
    )
    .await;

    let head = truncated.verify().await.head;
    assert_eq!((head.log_id, head.position), (kept_truncated.log_id, Position(LAST - 1)));
    let head = rewritten.verify().await.head;
    assert_eq!((head.log_id, head.position), (kept_rewritten.log_id, kept_rewritten.position));
    assert_ne!(head.digest, kept_rewritten.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_beginning_is_not_gone_on_with() {
    let database = TestDatabase::migrated().await;
    let site = Site::on(&database.url());
    site.admin();
    database.tamper("alter table events disable trigger all; delete from events").await;

    let refused = site.cli(&["issue", "--dev", "--sub", "a"]).bad(2);

    assert!(refused.contains("those that configured the catalog are gone") && refused.contains("hint: "), "{refused}");
    assert_eq!(site.cli(&["audit", "verify"]).code, 1);
}
