//! Every total of a report, counted again by SQL that knows nothing of reports.

use std::collections::BTreeMap;

use catalog::{
    domain::{
        AsOf, Position, Status,
        audit::tally::Count,
        event::Elevation,
        text::{Subject, TeamId},
    },
    store::fill,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use super::{Asked, Report, history::Chance, projected, reported};

/// The counted events, with their parts as JSON, what a token says of itself, and who acted.
const EVENTS: &str = r"
with parts as (
    select position, kind, jti, path, convert_from(body, 'utf8')::jsonb as body, convert_from(personal, 'utf8')::jsonb as personal
      from events),
read as (
    select *,
           body -> 'data' as data,
           (body ->> 'occurred_at')::timestamptz at time zone 'UTC' as occurred,
           case body -> 'actor' ->> 'kind'
               when 'token' then personal -> 'actor' ->> 'sub'
               when 'person' then personal -> 'actor' ->> 'sub'
               when 'client' then 'client ' || (body -> 'actor' ->> 'name')
               when 'os-user' then (personal -> 'actor' ->> 'name') || '@' || (personal -> 'actor' ->> 'host')
               else '(anonymous)' end as actor,
           case when kind = 'token.issued.v1' then
               convert_from(decode(rpad(translate(split_part(personal -> 'data' ->> 'signing_input', '.', 2), '-_', '+/'),
                   (length(split_part(personal -> 'data' ->> 'signing_input', '.', 2)) + 3) / 4 * 4, '='), 'base64'), 'utf8')::jsonb end as claims
      from parts),
chosen as (
    select jti from read
     where kind = 'token.issued.v1'
       and ($SUB is null or claims ->> 'sub' = $SUB)
       and ($TEAM is null or data -> 'teams' = 'null' or data -> 'teams' ? $TEAM)),
counted as (
    select * from read
     where position between $FIRST and $LAST
       and (($SUB is null and $TEAM is null)
            or jti in (select jti from chosen)
            or (jti is null and kind not like '%.refused.v1' and kind <> 'shadow_token.seen.v1')
            or (jti is null and kind like '%.refused.v1'
                and ($SUB is null or personal -> 'data' ->> 'sub' = $SUB)
                and ($TEAM is null or data ->> 'team' = $TEAM or (jsonb_typeof(data -> 'teams') = 'array' and data -> 'teams' ? $TEAM)))))
";

struct Sql<'a> {
    connection: &'a mut PgConnection,
    with: String,
}

impl Sql<'_> {
    /// What a statement over the counted events says, one value.
    async fn one(&mut self, select: &str) -> u64 {
        let sql = format!("{} {select}", self.with);
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *self.connection).await.unwrap();
        count.unsigned_abs()
    }

    /// A name and a count in each row.
    async fn counts(&mut self, select: &str) -> BTreeMap<String, u64> {
        let sql = format!("{} {select} group by 1", self.with);
        let rows: Vec<(String, i64)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *self.connection).await.unwrap();
        rows.into_iter().map(|(name, count)| (name, count.unsigned_abs())).collect()
    }
}

fn quoted(text: Option<&str>) -> String {
    text.map_or_else(|| "null::text".to_owned(), |text| format!("'{}'::text", text.replace('\'', "''")))
}

fn told(counts: &[Count]) -> BTreeMap<String, u64> {
    assert!(counts.is_sorted_by(|one, other| (other.count, &one.name) <= (one.count, &other.name)), "{counts:?}");
    counts.iter().map(|count| (count.name.clone(), count.count)).collect()
}

/// Names without a sense of their own order, as versions and ages have one.
fn told_in_order(counts: &[Count]) -> BTreeMap<String, u64> {
    counts.iter().filter(|count| count.count > 0).map(|count| (count.name.clone(), count.count)).collect()
}

async fn compare(report: &Report, connection: &mut PgConnection) {
    let scope = &report.scope;
    let with = EVENTS
        .replace("$SUB", &quoted(scope.sub.as_ref().map(Subject::as_str)))
        .replace("$TEAM", &quoted(scope.team.as_ref().map(TeamId::as_str)))
        .replace("$FIRST", &scope.first.to_string())
        .replace("$LAST", &scope.last.to_string());
    let mut sql = Sql { connection, with };
    let what = format!("{scope:?}");

    assert_eq!(report.events, sql.one("select count(*) from counted").await, "{what}");
    assert_eq!(told(&report.by_kind), sql.counts("select kind, count(*) from counted").await, "{what}");

    let issuance = &report.issuance;
    let issued = "from counted where kind = 'token.issued.v1'";
    assert_eq!(issuance.total, sql.one(&format!("select count(*) {issued}")).await, "{what}");
    for (told, condition) in [
        (issuance.out_of_band, "path <> 'api'"),
        (report.out_of_band.total, "path <> 'api'"),
        (issuance.admins, "data ->> 'is_admin' = 'true'"),
        (issuance.successors, "data ? 'predecessor'"),
    ] {
        assert_eq!(told, sql.one(&format!("select count(*) {issued} and {condition}")).await, "{condition} of {what}");
    }
    for (counts, name) in [
        (&issuance.by_path, "path"),
        (&issuance.by_actor, "actor"),
        (&issuance.by_subject, "claims ->> 'sub'"),
        (&issuance.by_key, "data ->> 'kid'"),
    ] {
        assert_eq!(told(counts), sql.counts(&format!("select {name}, count(*) {issued}")).await, "{name} of {what}");
    }
    let versions = sql.counts(&format!("select data ->> 'policy_version', count(*) {issued}")).await;
    assert_eq!(told_in_order(&issuance.by_policy_version), versions, "{what}");
    for (counts, member, none, every) in [
        (&issuance.by_team, "teams", "(public only)", "(every team)"),
        (&issuance.by_permission, "permissions", "(all its subject may do)", ""),
        (&issuance.by_elevation, "elevated", "", ""),
    ] {
        let each = format!(
            "select name, count(*)
               from counted,
                    jsonb_array_elements_text(case when data -> '{member}' = 'null' then '[\"{every}\"]'
                                                   when data -> '{member}' = '[]' then '[\"{none}\"]'
                                                   else data -> '{member}' end) as name
              where kind = 'token.issued.v1'
                and name <> ''"
        );
        assert_eq!(told(counts), sql.counts(&each).await, "{member} of {what}");
    }

    ended(report, &mut sql).await;
    by_day(report, &mut sql).await;
    live(report, sql).await;
}

/// What was revoked, refused, presented and changed.
async fn ended(report: &Report, sql: &mut Sql<'_>) {
    let what = format!("{:?}", report.scope);
    let revoked = "from counted where kind = 'token.revoked.v1'";
    let revocations = &report.revocations;
    assert_eq!(revocations.total, sql.one(&format!("select count(*) {revoked}")).await, "{what}");
    assert_eq!(revocations.tokens.total, revocations.total);
    let rotations = sql.one(&format!("select count(*) {revoked} and data ? 'successor'")).await;
    assert_eq!(revocations.rotations, rotations, "{what}");
    for (counts, name) in [(&revocations.by_reason, "data ->> 'reason'"), (&revocations.by_actor, "actor")] {
        assert_eq!(told(counts), sql.counts(&format!("select {name}, count(*) {revoked}")).await, "{name} of {what}");
    }
    assert_eq!(revocations.by_age.iter().map(|age| age.count).sum::<u64>(), revocations.total, "{what}");
    let rules = "select count(*) from counted where kind in ('tokens.revoked_by_rule.v1', 'key.compromised.v1')";
    assert_eq!(revocations.rules.total, sql.one(rules).await, "{what}");

    let denied = "from counted where kind like '%.refused.v1'";
    let times = "coalesce(sum((data ->> 'count')::bigint), 0)::bigint";
    assert_eq!(report.denials.events, sql.one(&format!("select count(*) {denied}")).await, "{what}");
    assert_eq!(report.denials.total, sql.one(&format!("select {times} {denied}")).await, "{what}");
    for (counts, name) in [
        (&report.denials.by_rule, "data ->> 'rule'"),
        (&report.denials.by_actor, "actor"),
        (&report.denials.by_kind, "kind"),
    ] {
        assert_eq!(told(counts), sql.counts(&format!("select {name}, {times} {denied}")).await, "{name} of {what}");
    }
    let pairs = report.denials.by_rule_and_actor.iter();
    let pairs: BTreeMap<String, u64> = pairs.map(|row| (format!("{} {}", row.rule, row.actor), row.count)).collect();
    let expected = sql.counts(&format!("select (data ->> 'rule') || ' ' || actor, {times} {denied}")).await;
    assert_eq!(pairs, expected, "{what}");

    for (total, kinds) in [
        (report.shadow_tokens.total, "'shadow_token.seen.v1'"),
        (report.reused_tokens.total, "'rotated_token.reused.v1'"),
        (report.reads.total, "'audit.read.v1'"),
        (report.suspensions, "'token.suspended.v1'"),
        (report.resumptions, "'token.resumed.v1'"),
        (report.policies.total, "'policy.applied.v1'"),
        (report.keys.total, "'key.added.v1', 'key.activated.v1', 'key.retired.v1', 'key.compromised.v1'"),
    ] {
        assert_eq!(total, sql.one(&format!("select count(*) from counted where kind in ({kinds})")).await, "{kinds}");
    }
}

async fn by_day(report: &Report, sql: &mut Sql<'_>) {
    let by_day = report.by_day.iter();
    let days: BTreeMap<String, Value> = by_day
        .map(|day| {
            let counted = &day.counted;
            (day.day.to_string(), json!([counted.events, counted.issued, counted.out_of_band, counted.refused]))
        })
        .collect();
    let each = format!(
        "{} select occurred::date::text,
                   jsonb_build_array(
                       count(*),
                       count(*) filter (where kind = 'token.issued.v1'),
                       count(*) filter (where kind = 'token.issued.v1' and path <> 'api'),
                       coalesce(sum((data ->> 'count')::bigint) filter (where kind like '%.refused.v1'), 0))
              from counted group by 1",
        sql.with
    );
    let rows: Vec<(String, Value)> = sqlx::query_as(AssertSqlSafe(each)).fetch_all(&mut *sql.connection).await.unwrap();
    assert_eq!(days, rows.into_iter().collect(), "{:?}", report.scope);
    let ended: u64 = report.by_day.iter().map(|day| day.counted.revoked).sum();
    assert_eq!(ended, report.revocations.total + report.revocations.ended_by_rules, "{:?}", report.scope);
}

/// What is live, by the projection as it was at the end.
async fn live(report: &Report, mut sql: Sql<'_>) {
    let scope = &report.scope;
    let at = format!("'{}'::timestamptz", scope.judged_at.to_rfc3339());
    let rows = format!(
        "from tokens_as_of({}) as token
          where exp > {at}
            and (revoked_pos is null or effective_from > {at})
            and jti in (select jti from chosen)",
        scope.end
    );
    for (told, condition) in [
        (report.live.total, "true"),
        (report.live.active, "suspended_pos is null"),
        (report.live.suspended, "suspended_pos is not null"),
        (notable(report, "elevated"), "elevated <> '{}'"),
        (notable(report, "long_lived"), "exp - iat >= interval '30 days'"),
        (
            notable(report, "expiring_soon"),
            &format!("exp - {at} <= interval '7 days' and exp - iat > interval '7 days'"),
        ),
        (notable(report, "out_of_band"), "out_of_band"),
    ] {
        assert_eq!(told, sql.one(&format!("select count(*) {rows} and {condition}")).await, "{condition} of {scope:?}");
    }
    let outlives = report.findings.iter().find(|of_rule| of_rule.rule.as_str() == "dev_token_outlives_policy");
    let policy = format!(
        "(select (convert_from(body, 'utf8')::jsonb -> 'data') as data from events
           where kind = 'policy.applied.v1' and position <= {} order by position desc limit 1)",
        scope.end
    );
    let expected = format!(
        "select count(*) {rows} and path = 'cli-dev'
            and ({policy} -> 'shell' ->> 'out_of_band' = 'deny'
                 or extract(epoch from exp - iat) > ({policy} -> 'cli_dev' ->> 'ttl_seconds_max')::bigint)"
    );
    assert_eq!(outlives.map_or(0, |of_rule| of_rule.findings.total), sql.one(&expected).await, "{scope:?}");

    let of_shell =
        report.out_of_band.rows.iter().filter(|row| matches!(row.status, Status::Active | Status::Suspended));
    let expected =
        format!("select count(*) {rows} and out_of_band and issued_pos between {} and {}", scope.first, scope.last);
    assert_eq!(of_shell.count() as u64, sql.one(&expected).await, "each row says whether its token is live: {scope:?}");
    let row = report.live.tokens.rows.iter().find(|row| row.elevated.contains(&Elevation::Admin));
    assert!(row.is_none_or(|row| row.notable.iter().any(|notable| notable.as_str() == "elevated")));
}

fn notable(report: &Report, name: &str) -> u64 {
    report.live.notable.iter().find(|count| count.name == name).unwrap().count
}

#[tokio::test(flavor = "multi_thread")]
async fn every_total_of_a_report_is_what_sql_counts() {
    const COUNT: usize = 900;
    let mut compared = 0;
    for seed in [1, 77, 2_026] {
        let database = projected(seed, COUNT).await;
        let (open, mut connection) = (database.open(), database.superuser().connect().await.unwrap());
        while fill::fill(&open, 1_000).await.unwrap() != fill::Step::Done {}
        let mut chance = Chance(seed);
        for round in 0..12 {
            let mut place = |least: usize| least + chance.below(COUNT - least);
            let first = place(0) + 1;
            let last = place(first - 1) + 1;
            let end = place(last - 1) + 1;
            let at = |position: usize| Some(AsOf::Position(Position(i64::try_from(position).unwrap())));
            let whole = Asked::default();
            let asked = match round % 4 {
                0 => whole,
                1 => Asked { from: at(first), to: at(last), ..whole },
                2 => Asked {
                    as_of: at(end),
                    sub: Some(["alice@example.com", "=SUM(A1)"][round / 8].parse().unwrap()),
                    ..whole
                },
                _ => {
                    Asked { from: at(first), to: at(last), as_of: at(end), team: Some("red".parse().unwrap()), ..whole }
                }
            };

            let report = reported(&open, &asked).await;

            compare(&report, &mut connection).await;
            compared += report.events;
        }
        open.close().await;
    }
    assert!(compared > 10_000, "only {compared} events were counted");
}
