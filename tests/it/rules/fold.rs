//! The fold alone: arbitrary tokens, rotations, suspensions, rules and revocations, in arbitrary order and by arbitrary clocks.

use catalog::domain::{
    Act, Authority, Command, Event, IssueToken, Occurrence, Path, Position, Predicate, Recorded, Refusal, RevokeByRule,
    RevokeToken, RotateToken, State, Status, Token, TokenRevoked, TokensRevokedByRule,
    command::Decision,
    event::First,
    index::LiveIndex,
    key::KeyRecord,
    policy::Rules,
    revoke::RevocationReason,
    rule::Rule,
    suspend::{Change, ChangeSuspension, Which},
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

/// Everything is decided within these seconds, so that things meet; the clocks that are asked about go past them.
const SECONDS: i64 = 40;

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Something that happens at a second after noon, by the clock of whoever decides it: clocks differ.
#[derive(Debug, Clone)]
struct Step {
    at: i64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// A token is issued through a door.
    Issue(Value, Path),
    /// One of those that were issued is revoked, at once or from so many seconds after noon on.
    Revoke(Index, Option<i64>),
    /// One of them is rotated through a door, and both are good for so many seconds.
    Rotate(Index, Path, i64),
    /// One of them is held back, or let go.
    Change(Index, Change),
    /// Another key signs from here on.
    Key(&'static str),
    /// A rule is added, perhaps about the family of one of them.
    Rule(Box<Predicate>, Option<Index>),
}

const SUBJECTS: [&str; 3] = ["alice", "bob", "it's"];
const TEAMS: [&str; 3] = ["red", "blue", "a b"];
const PERMISSIONS: [&str; 6] = ["*", "tools.*", "tools.read", "tools.read.all", "toolsmith.use", "servers.use"];
const NAMES: [&str; 2] = ["ci", "laptop"];
const DOORS: [Path; 2] = [Path::Api, Path::CliDev];

fn request() -> impl Strategy<Value = Value> {
    let teams =
        prop_oneof![1 => Just(Value::Null), 4 => subsequence(&TEAMS[..2], 0..=2).prop_map(|teams| json!(teams))];
    (select(&SUBJECTS[..]), teams, subsequence(&PERMISSIONS[..], 0..=3), option::of(select(&NAMES[..])), 10..60)
        .prop_map(|(sub, teams, permissions, name, ttl)| {
            json!({"sub": sub, "teams": teams, "is_admin": teams.is_null(), "name": name,
                "scopes": {"permissions": permissions}, "expires_in": ttl})
        })
}

/// Often empty in each of its fields, so that it is often met.
fn predicate() -> impl Strategy<Value = Predicate> {
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
    let times = (rarely(0..SECONDS), rarely(0..SECONDS));
    (words, closed, times, any::<bool>()).prop_map(
        |((sub, team, permission, name), (path, kid), (after, before), successors)| Predicate {
            sub: sub.map(|text| text.parse().unwrap()),
            team: team.map(|text| text.parse().unwrap()),
            path,
            kid: kid.map(|text| text.parse().unwrap()),
            permission: permission.map(|text| text.parse().unwrap()),
            name: name.map(|text| text.parse().unwrap()),
            issued_after: after.map(|seconds| noon() + TimeDelta::seconds(seconds)),
            issued_before: before.map(|seconds| noon() + TimeDelta::seconds(seconds)),
            family: None,
            successors,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let revocation = (any::<Index>(), option::of(0..2 * SECONDS)).prop_map(|(which, from)| What::Revoke(which, from));
    let what = prop_oneof![
        4 => (request(), select(&DOORS[..])).prop_map(|(asked, path)| What::Issue(asked, path)),
        1 => revocation,
        4 => (any::<Index>(), select(&DOORS[..]), 0..20_i64).prop_map(|(which, path, overlap)| What::Rotate(which, path, overlap)),
        2 => (any::<Index>(), select(&Change::ALL[..])).prop_map(|(which, change)| What::Change(which, change)),
        1 => select(&["k1", "k2"][..]).prop_map(What::Key),
        3 => (predicate(), option::weighted(0.2, any::<Index>()))
            .prop_map(|(predicate, family)| What::Rule(Box::new(predicate), family)),
    ];
    (0..SECONDS, what).prop_map(|(at, what)| Step { at, what })
}

fn at(second: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(second)
}

/// Commands are decided on a log that grows, and a server follows it.
struct Log {
    state: State,
    issued: Vec<Uuid>,
    memory: LiveIndex,
}

impl Log {
    fn new() -> Self {
        let mut rules = Rules::initial();
        rules.shell.elevated = catalog::domain::policy::Switch::Allow;
        let mut settings = settings(rules);
        settings.keys.push(KeyRecord { kid: "k2".parse().unwrap(), ..settings.keys[0].clone() });
        Self { state: State::new(settings), issued: Vec::new(), memory: LiveIndex::default() }
    }

    fn apply(&mut self, position: i64, event: Event, path: Path, second: i64) {
        self.issued.extend(match &event {
            Event::TokenIssued(issued) => Some(issued.jti),
            _ => None,
        });
        let occurrence = Occurrence { event, occurred_at: at(second), origin: shell(path) };
        let recorded = Recorded { position: Position(position), recorded_at: noon(), occurrence };
        self.state.apply(&recorded);
        // Its positions have no gaps, and are in the same order.
        assert!(self.memory.follow([&Recorded { position: self.memory.position().next(), ..recorded }]));
    }

    /// Decides a command and records what it comes to from a position on; returns how many events that was, if any.
    fn decide(&mut self, position: i64, act: Act, path: Path, second: i64) -> Result<usize, Refusal> {
        let (authority, origin, now) = (Authority::of_shell(), shell(path), at(second));
        // A name that is in use is refused in one history and may be free in the other: neither is looked at for it.
        let state = match act {
            Act::Issue { .. } => &State::new(self.state.settings.clone()),
            _ => &self.state,
        };
        let events = match (Command { act, authority, origin, now, idempotency: None }).decide(state)? {
            Decision::Events(events) => events,
            Decision::Repeat(event) => panic!("nothing was asked for twice: {event:?}"),
        };
        let count = events.len();
        events.into_iter().zip(position..).for_each(|(event, position)| self.apply(position, event, path, second));
        Ok(count)
    }

    fn which(&self, index: Index) -> Uuid {
        if self.issued.is_empty() { Uuid::nil() } else { *index.get(&self.issued) }
    }

    /// What happens alike whether or not rules do. Two positions are enough for each.
    fn step(&mut self, position: i64, Step { at: second, what }: &Step) -> Result<usize, Refusal> {
        let jti = Uuid::from_u128(u128::try_from(position).unwrap());
        let signer = self.state.settings.active.clone().unwrap();
        let act = match what {
            What::Issue(asked, path) => {
                let command = Box::new(serde_json::from_value::<IssueToken>(asked.clone()).unwrap());
                return self.decide(
                    position,
                    Act::Issue { command, jti, signer, membership: None, draw: Box::default() },
                    *path,
                    *second,
                );
            }
            What::Rotate(which, path, overlap) => {
                let overlap = format!("{overlap}s").parse().unwrap();
                let command = RotateToken { jti: self.which(*which), overlap, ttl_seconds: Some(30) };
                let act = Act::Rotate { command, successor: jti, signer, membership: None, draw: Box::default() };
                return self.decide(position, act, *path, *second);
            }
            What::Revoke(which, from) => {
                let (jti, reason, effective_from) = (self.which(*which), RevocationReason::Unspecified, from.map(at));
                let revoked = TokenRevoked { jti, reason, effective_from, note: None, successor: None };
                self.apply(position, Event::TokenRevoked(revoked), Path::Api, *second);
                return Ok(1);
            }
            What::Key(kid) => {
                self.state.settings.active = Some(kid.parse().unwrap());
                return Ok(0);
            }
            What::Change(which, change) => {
                let which = Which::Token(self.which(*which));
                Act::ChangeSuspension(ChangeSuspension { change: *change, which, note: None })
            }
            What::Rule(predicate, family) => {
                let predicate = self.predicate(predicate, *family);
                let command = RevokeByRule { predicate, reason: RevocationReason::Unspecified, note: None };
                Act::RevokeByRule { command: Box::new(command), covers_any: true }
            }
        };
        self.decide(position, act, Path::Api, *second)
    }

    fn predicate(&self, predicate: &Predicate, family: Option<Index>) -> Predicate {
        Predicate { family: family.map(|index| self.which(index)), ..predicate.clone() }
    }

    /// The same without rules: every token that one would cover is revoked by itself.
    fn step_one_by_one(&mut self, position: i64, step: &Step) -> Result<usize, Refusal> {
        let What::Rule(predicate, family) = &step.what else { return self.step(position, step) };
        let predicate = self.predicate(predicate, *family);
        for jti in self.issued.clone() {
            if meets(self.token(jti), &predicate) {
                let command = RevokeToken { jti, reason: RevocationReason::Unspecified, note: None };
                self.decide(position, Act::Revoke(command), Path::Api, step.at)?;
            }
        }
        Ok(1)
    }

    fn token(&self, jti: Uuid) -> &Token {
        self.state.token(jti).unwrap()
    }

    /// Whether the memory says of every token what the log says. Some it may not know where a rule goes by how families
    /// began. What was over when a rule came the rule leaves as it is, and the memory takes for over whatever a clock says:
    /// it is asked from that second on.
    fn is_known(&self, goes_by_families: bool, ruled: i64) -> Result<(), TestCaseError> {
        for jti in &self.issued {
            let token = self.token(*jti);
            match self.memory.get(*jti) {
                None => prop_assert!(goes_by_families && token.lineage.family.is_some(), "{:?}", token),
                Some(known) => {
                    for second in ruled..=3 * SECONDS {
                        prop_assert_eq!(
                            known.status(at(second)),
                            token.status(at(second)),
                            "{:?} at {}",
                            token,
                            second
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a token's end looks like, by whatever it came.
fn end(token: &Token) -> Option<(Position, Option<DateTime<Utc>>, RevocationReason)> {
    token.revocation.as_ref().map(|revocation| (revocation.position, revocation.effective_from, revocation.reason))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_tells_at_once_what_a_rule_covers_unless_that_depends_on_how_a_family_began(
        steps in vec(step(), 1..32),
    ) {
        let (mut log, mut goes_by_families, mut ruled) = (Log::new(), false, -1);

        for (step, position) in steps.iter().zip((10..).step_by(10)) {
            if let What::Rule(predicate, family) = &step.what {
                let (predicate, now) = (log.predicate(predicate, *family), at(step.at));
                let is_ended = |token: &Token| token.revocation.as_ref().is_some_and(|revocation| revocation.holds(now));
                let mut tokens = log.issued.iter().map(|jti| log.token(*jti));
                let ends_some = tokens.any(|token| meets(token, &predicate) && !is_ended(token));
                let is_known = log.memory.is_met_by_some(&predicate, now);
                let may_not_know = goes_by_families || predicate.successors || predicate.is_narrow() || step.at < ruled;
                prop_assert!(is_known == ends_some || (ends_some && may_not_know));
            }
            let is_done = log.step(position, step).is_ok();
            if let (true, What::Rule(predicate, _)) = (is_done, &step.what) {
                goes_by_families |= predicate.successors;
                ruled = ruled.max(step.at);
            }

            log.is_known(goes_by_families, ruled)?;
        }

        // As it is taken in, a few tokens at a time; what only the log can tell stays open.
        while let Some(rule) = log.memory.rule_to_expand() {
            let (mut below, mut is_sure) = (usize::MAX, true);
            while below > 0 {
                let held = log.memory.hold_against(rule, below, 3);
                log.memory.cover(rule, held.covered);
                (below, is_sure) = (held.below, is_sure && held.is_sure);
            }
            prop_assert!(is_sure || goes_by_families);
            if !is_sure {
                break;
            }
            log.memory.expanded(rule);
        }
        log.is_known(goes_by_families, ruled)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_does_what_revoking_the_covered_tokens_one_by_one_does(steps in vec(step(), 1..32)) {
        let (mut by_rule, mut one_by_one) = (Log::new(), Log::new());

        for (step, position) in steps.iter().zip((10..).step_by(10)) {
            // Whatever is asked, both answer the same.
            prop_assert_eq!(by_rule.step(position, step), one_by_one.step_one_by_one(position, step));
        }

        for jti in &by_rule.issued {
            let (one, other) = (by_rule.token(*jti), one_by_one.token(*jti));
            prop_assert_eq!(end(one), end(other), "{:?}", one);
            prop_assert_eq!((&one.suspension, &one.lineage), (&other.suspension, &other.lineage));
            // The last instant before each end, the first of it, and everything around.
            for second in -1..=3 * SECONDS {
                prop_assert_eq!(one.status(at(second)), other.status(at(second)), "{:?} at {}", one, second);
            }
        }
    }

    #[test]
    fn only_the_resumption_of_a_suspended_token_makes_one_active_again(
        steps in vec(step(), 1..32),
        second in 0..3 * SECONDS,
    ) {
        let mut log = Log::new();
        let mut over: Vec<(Uuid, Status)> = Vec::new();

        for (step, position) in steps.iter().zip((10..).step_by(10)) {
            _ = log.step(position, step);

            let is_resumption = matches!(step.what, What::Change(_, Change::Resume));
            for (jti, before) in over {
                let after = log.token(jti).status(at(second));
                let is_let_go = is_resumption && before == Status::Suspended;
                prop_assert!(after != Status::Active || is_let_go, "{:?}", step);
                prop_assert!(before != Status::Revoked || after == Status::Revoked, "{:?}", step);
            }
            let status = |jti: &Uuid| (*jti, log.token(*jti).status(at(second)));
            over = log.issued.iter().map(status).filter(|(_, status)| *status != Status::Active).collect();
        }
    }

    #[test]
    fn every_successor_says_how_its_family_began_and_keeps_what_it_came_past(steps in vec(step(), 1..32)) {
        let mut log = Log::new();

        for (step, position) in steps.iter().zip((10..).step_by(10)) {
            _ = log.step(position, step);
        }

        for token in log.issued.iter().map(|jti| log.token(*jti)) {
            let first = log.token(token.family());
            let began = First { path: first.path, iat: first.issued_at.timestamp(), kid: first.kid.clone() };
            prop_assert_eq!(&token.lineage.first, &(token.jti != first.jti).then_some(began));
            prop_assert_eq!(&first.lineage.first, &None);
            let predecessor = token.lineage.predecessor.map(|jti| log.token(jti));
            let is_out_of_band = token.path.is_out_of_band() || predecessor.is_some_and(|old| old.out_of_band);
            prop_assert_eq!(token.out_of_band, is_out_of_band);
        }
    }
}

fn issued_alone(asked: &Value) -> Token {
    let mut log = Log::new();
    let mut asked = asked.clone();
    asked["expires_in"] = json!(600);
    log.step(10, &Step { at: 0, what: What::Issue(asked, Path::CliDev) }).unwrap();
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
