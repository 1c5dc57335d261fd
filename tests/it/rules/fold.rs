//! The fold alone: arbitrary tokens, rules and revocations, in arbitrary order.

use catalog::domain::{
    Authority, Event, IssueToken, Occurrence, Path, Position, Predicate, Recorded, Settings, State, Status, Token,
    TokenRevoked, TokensRevokedByRule,
    issue::{Circumstances, issue},
    policy::Rules,
    revoke::RevocationReason,
    rule::Rule,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select, subsequence},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::meets;
use crate::support::{settings::settings, world::shell};

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A token is issued so many seconds after noon.
    Issue(Value, Path, i64),
    /// One of those that were issued is revoked, at once or from so many seconds after noon on.
    Revoke(Index, Option<i64>),
    /// A rule is added.
    Rule(Box<Predicate>),
}

const SUBJECTS: [&str; 3] = ["alice", "bob", "it's"];
const TEAMS: [&str; 3] = ["red", "blue", "a b"];
const PERMISSIONS: [&str; 6] = ["*", "tools.*", "tools.read", "tools.read.all", "toolsmith.use", "servers.use"];
const NAMES: [&str; 2] = ["ci", "laptop"];
const DOORS: [Path; 2] = [Path::Api, Path::CliDev];

fn request() -> impl Strategy<Value = Value> {
    let teams =
        prop_oneof![1 => Just(Value::Null), 4 => subsequence(&TEAMS[..2], 0..=2).prop_map(|teams| json!(teams))];
    (select(&SUBJECTS[..]), teams, subsequence(&PERMISSIONS[..], 0..=3), option::of(select(&NAMES[..]))).prop_map(
        |(sub, teams, permissions, name)| {
            json!({"sub": sub, "teams": teams, "is_admin": teams.is_null(), "name": name,
                "scopes": {"permissions": permissions}, "expires_in": 600})
        },
    )
}

/// Often empty in each of its fields, so that it is often met.
pub fn predicate() -> impl Strategy<Value = Predicate> {
    fn rarely<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        option::weighted(0.25, value)
    }
    let words = (
        rarely(select(&SUBJECTS[..])),
        rarely(select(&TEAMS[..2])),
        rarely(select(&PERMISSIONS[..])),
        rarely(select(&NAMES[..])),
    );
    let closed = (rarely(select(&DOORS[..])), rarely(select(&["k1", "k2"][..])));
    let times = (rarely(0..20_i64), rarely(0..20_i64));
    (words, closed, times).prop_map(|((sub, team, permission, name), (path, kid), (after, before))| Predicate {
        sub: sub.map(|text| text.parse().unwrap()),
        team: team.map(|text| text.parse().unwrap()),
        path,
        kid: kid.map(|text| text.parse().unwrap()),
        permission: permission.map(|text| text.parse().unwrap()),
        name: name.map(|text| text.parse().unwrap()),
        issued_after: after.map(|seconds| noon() + TimeDelta::seconds(seconds)),
        issued_before: before.map(|seconds| noon() + TimeDelta::seconds(seconds)),
        family: None,
        successors: false,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let revocation = (any::<Index>(), option::of(0..700_i64)).prop_map(|(which, from)| Step::Revoke(which, from));
    prop_oneof![
        4 => (request(), select(&DOORS[..]), 0..20_i64).prop_map(|(asked, path, at)| Step::Issue(asked, path, at)),
        1 => revocation,
        2 => predicate().prop_map(|predicate| Step::Rule(Box::new(predicate))),
    ]
}

/// A log that grows, folded.
struct Log {
    state: State,
    issued: Vec<Uuid>,
}

impl Log {
    fn new() -> Self {
        let mut rules = Rules::initial();
        rules.shell.elevated = catalog::domain::policy::Switch::Allow;
        Self { state: State::new(settings(rules)), issued: Vec::new() }
    }

    fn settings(&self) -> Settings {
        self.state.settings.clone()
    }

    fn apply(&mut self, position: Position, event: Event) {
        let occurrence = Occurrence { event, occurred_at: noon(), origin: shell(Path::CliDev) };
        self.state.apply(&Recorded { position, recorded_at: noon(), occurrence });
    }

    fn issue(&mut self, position: Position, asked: &Value, path: Path, at: i64) {
        let command: IssueToken = serde_json::from_value(asked.clone()).unwrap();
        let jti = Uuid::from_u128(u128::try_from(position.0).unwrap());
        let (signer, now) = ("k1".parse().unwrap(), noon() + TimeDelta::seconds(at));
        let circumstances = Circumstances { path, jti, signer: &signer, membership: None, now };
        // A name that is in use is refused in one history and may be free in the other: neither is looked at for it.
        let fresh = State::new(self.settings());
        let event = issue(&fresh, &command, &Authority::of_shell(), circumstances).unwrap();
        let occurrence =
            Occurrence { event: Event::TokenIssued(Box::new(event)), occurred_at: now, origin: shell(path) };
        self.state.apply(&Recorded { position, recorded_at: noon(), occurrence });
        self.issued.push(jti);
    }

    fn revoke(&mut self, position: Position, jti: Uuid, from: Option<i64>) {
        let effective_from = from.map(|seconds| noon() + TimeDelta::seconds(seconds));
        let reason = RevocationReason::Unspecified;
        self.apply(
            position,
            Event::TokenRevoked(TokenRevoked { jti, reason, effective_from, note: None, successor: None }),
        );
    }

    fn token(&self, jti: Uuid) -> &Token {
        self.state.token(jti).unwrap()
    }
}

/// What a token's end looks like, by whatever it came.
fn end(token: &Token) -> Option<(Position, Option<DateTime<Utc>>, RevocationReason)> {
    token.revocation.as_ref().map(|revocation| (revocation.position, revocation.effective_from, revocation.reason))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_does_what_revoking_the_covered_tokens_one_by_one_does(steps in vec(step(), 1..24)) {
        let (mut by_rule, mut one_by_one) = (Log::new(), Log::new());

        for (step, position) in steps.iter().zip(10..) {
            let position = Position(position);
            match step {
                Step::Issue(asked, path, at) => {
                    by_rule.issue(position, asked, *path, *at);
                    one_by_one.issue(position, asked, *path, *at);
                }
                Step::Revoke(which, from) if !by_rule.issued.is_empty() => {
                    let jti = *which.get(&by_rule.issued);
                    by_rule.revoke(position, jti, *from);
                    one_by_one.revoke(position, jti, *from);
                }
                Step::Revoke(..) => {}
                Step::Rule(predicate) => {
                    let (reason, fields) = (RevocationReason::Unspecified, predicate.fields());
                    let predicate = Predicate::clone(predicate);
                    let event = TokensRevokedByRule { fields, predicate: predicate.clone(), reason, note: None };
                    by_rule.apply(position, Event::TokensRevokedByRule(Box::new(event)));
                    for jti in one_by_one.issued.clone() {
                        if meets(one_by_one.token(jti), &predicate) {
                            one_by_one.revoke(position, jti, None);
                        }
                    }
                }
            }
        }

        for jti in &by_rule.issued {
            let (one, other) = (by_rule.token(*jti), one_by_one.token(*jti));
            prop_assert_eq!(end(one), end(other), "{:?}", one);
            for seconds in [0, 1, 350, 599, 600, 700] {
                let now = noon() + TimeDelta::seconds(seconds);
                prop_assert_eq!(one.status(now), other.status(now));
            }
        }
    }

    #[test]
    fn no_rule_and_no_revocation_makes_a_token_active_again(steps in vec(step(), 1..24), seconds in 0..700_i64) {
        let mut log = Log::new();
        let now = noon() + TimeDelta::seconds(seconds);
        let mut over: Vec<Uuid> = Vec::new();

        for (step, position) in steps.iter().zip(10..) {
            let position = Position(position);
            match step {
                Step::Issue(asked, path, at) => log.issue(position, asked, *path, *at),
                Step::Revoke(which, from) if !log.issued.is_empty() => {
                    let jti = *which.get(&log.issued);
                    log.revoke(position, jti, *from);
                }
                Step::Revoke(..) => {}
                Step::Rule(predicate) => {
                    let (reason, fields) = (RevocationReason::Unspecified, predicate.fields());
                    let event = TokensRevokedByRule { fields, predicate: Predicate::clone(predicate), reason, note: None };
                    log.apply(position, Event::TokensRevokedByRule(Box::new(event)));
                }
            }
            let is_over = |jti: &Uuid| log.token(*jti).status(now) != Status::Active;
            prop_assert!(over.iter().all(is_over));
            over = log.issued.iter().copied().filter(is_over).collect();
        }
    }
}

fn issued_alone(asked: &Value) -> Token {
    let mut log = Log::new();
    log.issue(Position(10), asked, Path::CliDev, 0);
    log.token(log.issued[0]).clone()
}

fn added(fields: &Predicate, predicate: Predicate, position: i64) -> Rule {
    let event =
        TokensRevokedByRule { fields: fields.fields(), predicate, reason: RevocationReason::Unspecified, note: None };
    let occurrence = Occurrence {
        event: Event::TokensRevokedByRule(Box::new(event.clone())),
        occurred_at: noon(),
        origin: shell(Path::Api),
    };
    Rule::added(&event, &Recorded { position: Position(position), recorded_at: noon(), occurrence })
}

#[test]
fn a_rule_covers_what_was_issued_before_its_own_position_and_nothing_else() {
    let token = issued_alone(&json!({"sub": "alice"}));
    let everything = Predicate::default();
    let covers = |position: i64| added(&everything, everything.clone(), position).covers(&token);

    assert!(covers(11) && !covers(10) && !covers(9));
}

#[test]
fn a_rule_of_which_a_condition_was_erased_covers_nothing_more_and_may_have_covered_what_is_left_to_tell() {
    let (alices, bobs) = (issued_alone(&json!({"sub": "alice"})), issued_alone(&json!({"sub": "bob"})));
    let erased_token = Token { sub: None, name: None, ..alices.clone() };
    let of_alice = Predicate { sub: Some("alice".parse().unwrap()), path: Some(Path::CliDev), ..Predicate::default() };
    let left = Predicate { sub: None, ..of_alice.clone() };
    let by_api = Predicate { path: Some(Path::Api), ..left.clone() };

    let whole = added(&of_alice, of_alice.clone(), 11);
    let erased = added(&of_alice, left, 11);
    let erased_by_api = added(&of_alice, by_api, 11);

    assert!(whole.covers(&alices) && !whole.covers(&bobs) && !whole.may_have_covered(&bobs));
    assert!(!whole.covers(&erased_token) && whole.may_have_covered(&erased_token));
    assert!(!erased.covers(&alices) && !erased.covers(&bobs) && erased.may_have_covered(&bobs));
    assert!(!erased_by_api.may_have_covered(&alices));
}

#[test]
fn instants_between_microseconds_are_kept_so_that_the_same_tokens_meet_them() {
    let at = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
    let kept =
        |text: &str| Predicate { issued_before: at(text), issued_after: at(text), ..Predicate::default() }.kept();

    for (given, expected) in [
        ("2026-03-01T12:00:00.000000001Z", "2026-03-01T12:00:00.000001Z"),
        ("2026-03-01T11:59:59.999999999Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("1970-01-01T00:00:00.0000005Z", "1970-01-01T00:00:00.000001Z"),
        // No token is issued at these, and not every reader of a time can read them.
        ("1600-01-01T00:00:00.0000005Z", "1970-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.9999999Z", "9964-09-09T00:00:00Z"),
    ] {
        let predicate = kept(given);
        assert_eq!((predicate.issued_before, predicate.issued_after), (at(expected), at(expected)), "{given}");
    }
}
