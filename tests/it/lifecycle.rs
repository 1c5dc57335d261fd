//! The life of tokens as a fold: whatever happened, in whatever order and batches, equals a model of a few lines.

use std::collections::{HashMap, HashSet};

use catalog::domain::{
    Act, Authority, Command, Event, IssueToken, Occurrence, Path, Position, Predicate, Recorded, Refusal, RevokeByRule,
    RevokeToken, RotateToken, State, Status, Token, TokenRevoked,
    authority::Credential,
    claims::Teams,
    command::Decision,
    event::SuspensionChanged,
    index::LiveToken,
    issue::{Circumstances, issue},
    policy::Rules,
    revoke::{RevocationReason, revoke, revoke_known},
    status_list::Draw,
    suspend::{Change, ChangeSuspension, Which},
    text::{Name, Subject},
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::{Index, select, subsequence},
};
use uuid::Uuid;

use crate::support::{
    settings::settings,
    world::{plain, shell},
};

/// Everything happens within these seconds, so that things meet; the clocks that are asked about go past them.
const SECONDS: i64 = 60;

pub fn at(second: i64) -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(second)
}

pub fn clocks() -> impl Iterator<Item = i64> {
    0..=2 * SECONDS + 1
}

fn subject(number: u8) -> Subject {
    Subject::parse(format!("subject-{number}")).unwrap()
}

fn name(number: u8) -> Name {
    Name::parse(format!("name-{number}")).unwrap()
}

pub fn jti(number: usize) -> Uuid {
    Uuid::from_u128(u128::try_from(number).unwrap() + 1)
}

/// What a token is asked for with.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    sub: u8,
    name: Option<u8>,
    ttl: u8,
}

impl Ask {
    fn command(self) -> IssueToken {
        let mut command = plain(subject(self.sub).as_str());
        command.name = self.name.map(name);
        command.ttl_seconds = Some(self.ttl.into());
        command
    }
}

fn ask() -> impl Strategy<Value = Ask> {
    (0..2_u8, option::of(0..2_u8), 1..60_u8).prop_map(|(sub, name, ttl)| Ask { sub, name, ttl })
}

/// An event in the making.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A token is issued in this second.
    Issued(Ask, i64),
    /// One of the tokens so far, or one that never was, is suspended or resumed.
    Changed(Index, Change),
    /// One of the tokens so far, or one that never was, is revoked from this second on, or at once.
    Revoked(Index, Option<i64>),
}

pub fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        (ask(), 0..SECONDS).prop_map(|(ask, second)| Happening::Issued(ask, second)),
        (any::<Index>(), option::of(0..2 * SECONDS)).prop_map(|(which, from)| Happening::Revoked(which, from)),
        (any::<Index>(), select(&Change::ALL[..])).prop_map(|(which, change)| Happening::Changed(which, change)),
    ];
    vec(happening, 0..24)
}

/// The model: a token is its name, its end, whether it is held back, and every revocation that was ever recorded.
pub struct Told {
    sub: u8,
    name: Option<u8>,
    exp: i64,
    ttl: i64,
    /// By which door and when it was issued, and the first of its family.
    issuance: (Path, i64),
    first: (Path, i64),
    /// Of the first of its family.
    family: usize,
    successor: Option<usize>,
    suspended: bool,
    revocations: Vec<(Position, Option<i64>)>,
}

impl Told {
    fn issued(ask: Ask, number: usize, exp: i64) -> Self {
        let Ask { sub, name, ttl } = ask;
        let (family, successor, suspended, revocations) = (number, None, false, Vec::new());
        let issuance = (Path::CliDev, exp - i64::from(ttl));
        let first = issuance;
        Self { sub, name, exp, ttl: ttl.into(), issuance, first, family, successor, suspended, revocations }
    }

    /// Ends at the deadline, or now for none, and makes its successor.
    fn rotate(&mut self, number: usize, clock: i64, overlap: i64, ttl: Option<u8>) -> Self {
        self.successor = Some(number);
        self.revocations.push((Position(0), (overlap > 0).then_some(clock + overlap)));
        let ttl = ttl.map_or(self.ttl, i64::from);
        let (sub, name, family, first) = (self.sub, self.name, self.family, self.first);
        let (successor, suspended, revocations) = (None, false, Vec::new());
        let issuance = (Path::Api, clock);
        Self { sub, name, exp: clock + ttl, ttl, issuance, first, family, successor, suspended, revocations }
    }

    fn status(&self, clock: i64) -> Status {
        if self.revocations.iter().any(|(_, from)| from.is_none_or(|from| from <= clock)) {
            Status::Revoked
        } else if self.exp <= clock {
            Status::Expired
        } else if self.suspended {
            Status::Suspended
        } else {
            Status::Active
        }
    }

    fn holds(&self, sub: u8, name: u8, clock: i64) -> bool {
        self.sub == sub && self.name == Some(name) && matches!(self.status(clock), Status::Active | Status::Suspended)
    }

    /// Ends now if a rule covers it, unless it is over by a revocation.
    fn meet(&mut self, cover: &Cover, clock: i64) {
        let meets = |(path, iat): (Path, i64)| {
            cover.path.is_none_or(|wanted| wanted == path)
                && cover.after.is_none_or(|bound| bound <= iat)
                && cover.before.is_none_or(|bound| iat < bound)
        };
        let is_covered = cover.sub.is_none_or(|sub| sub == self.sub)
            && cover.name.is_none_or(|name| Some(name) == self.name)
            && cover.family.is_none_or(|family| family == self.family)
            && (meets(self.issuance) || (cover.successors && meets(self.first)));
        if is_covered && self.status(clock) != Status::Revoked {
            self.revocations.push((Position(0), None));
        }
    }

    /// The revocation that counts: the one with the earliest deadline, the first of several.
    fn revoked_at_position(&self) -> Option<Position> {
        self.revocations.iter().min_by_key(|(position, from)| (from.unwrap_or(i64::MIN), *position)).map(|(p, _)| *p)
    }
}

/// What a rule is about.
#[derive(Debug, Clone)]
struct Cover {
    sub: Option<u8>,
    name: Option<u8>,
    path: Option<Path>,
    after: Option<i64>,
    before: Option<i64>,
    family: Option<usize>,
    successors: bool,
}

impl Cover {
    fn predicate(&self) -> Predicate {
        Predicate {
            sub: self.sub.map(subject),
            name: self.name.map(name),
            path: self.path,
            issued_after: self.after.map(at),
            issued_before: self.before.map(at),
            family: self.family.map(jti),
            successors: self.successors,
            ..Predicate::default()
        }
    }
}

fn cover() -> impl Strategy<Value = Cover> {
    let path = option::weighted(0.3, select(&[Path::CliDev, Path::Api][..]));
    let words = (option::weighted(0.3, 0..2_u8), option::weighted(0.3, 0..2_u8), path);
    let times = (option::weighted(0.3, 0..SECONDS), option::weighted(0.3, 0..SECONDS));
    (words, times, option::weighted(0.2, 0..8_usize), any::<bool>()).prop_map(
        |((sub, name, path), (after, before), family, successors)| Cover {
            sub,
            name,
            path,
            after,
            before,
            family,
            successors,
        },
    )
}

fn recorded(position: usize, event: Event, second: i64) -> Recorded {
    let origin = shell(Path::CliDev);
    let occurrence = Occurrence { event, occurred_at: at(second), origin };
    Recorded { position: Position(i64::try_from(position).unwrap() + 1), recorded_at: at(second), occurrence }
}

/// A log, and what the model says of the tokens in it.
pub fn tell(happenings: &[Happening]) -> (Vec<Recorded>, Vec<Told>) {
    let (mut log, mut told) = (Vec::new(), Vec::<Told>::new());
    for happening in happenings {
        let position = log.len();
        let (event, second) = match happening {
            Happening::Issued(ask, second) => {
                let signer = "k1".parse().unwrap();
                let circumstances = Circumstances {
                    path: Path::CliDev,
                    jti: jti(told.len()),
                    signer: &signer,
                    membership: None,
                    draw: Draw::default(),
                    now: at(*second),
                };
                let state = State::new(settings(Rules::initial()));
                let issued = issue(&state, &ask.command(), &Authority::of_shell(), circumstances).unwrap().issued;
                let exp = second + i64::from(ask.ttl);
                told.push(Told::issued(*ask, told.len(), exp));
                (Event::TokenIssued(Box::new(issued)), *second)
            }
            Happening::Changed(which, change) => {
                let which = which.index(told.len() + 1);
                if let Some(told) = told.get_mut(which) {
                    told.suspended = *change == Change::Suspend;
                }
                let changed = SuspensionChanged { jti: jti(which), by_full_admin: false, note: None };
                let event = match change {
                    Change::Suspend => Event::TokenSuspended(changed),
                    Change::Resume => Event::TokenResumed(changed),
                };
                (event, 0)
            }
            Happening::Revoked(which, from) => {
                // One more than there are: a revocation of a token that the log does not know.
                let which = which.index(told.len() + 1);
                if let Some(told) = told.get_mut(which) {
                    told.revocations.push((Position(i64::try_from(position).unwrap() + 1), *from));
                }
                let effective_from = from.map(at);
                let reason = RevocationReason::Superseded;
                let revoked = TokenRevoked { jti: jti(which), reason, effective_from, successor: None, note: None };
                (Event::TokenRevoked(revoked), 0)
            }
        };
        log.push(recorded(position, event, second));
    }
    (log, told)
}

pub fn fold(log: &[Recorded]) -> State {
    let mut state = State::new(settings(Rules::initial()));
    for recorded in log {
        state.apply(recorded);
    }
    state
}

fn by_jti(tokens: impl Iterator<Item = Token>) -> HashMap<Uuid, Token> {
    tokens.map(|token| (token.jti, token)).collect()
}

proptest! {
    #[test]
    fn a_fold_tells_the_status_of_every_token_at_every_instant(happenings in happenings()) {
        let (log, told) = tell(&happenings);

        let state = fold(&log);

        for (number, told) in told.iter().enumerate() {
            let token = state.token(jti(number)).unwrap();
            prop_assert_eq!(token.revocation.as_ref().map(|r| r.position), told.revoked_at_position());
            for clock in clocks() {
                prop_assert_eq!(token.status(at(clock)), told.status(clock), "token {} at {}", number, clock);
            }
        }
        prop_assert_eq!(state.into_tokens().count(), told.len());
    }

    #[test]
    fn what_checks_go_by_is_enough_to_revoke_a_token_as_all_that_is_known_of_it_would_or_says_that_it_is_not(
        happenings in happenings(), own in any::<Index>()
    ) {
        let (log, told) = tell(&happenings);
        let state = fold(&log);
        let own = Some(Credential::Token(jti(own.index(told.len() + 1))));
        let narrower = Authority { teams: Teams::These(Vec::new()), ..Authority::of_shell() };
        let elsewhere = Authority { credential: Some(Credential::Login { issuer: "https://login.example.com".parse().unwrap() }), ..Authority::of_shell() };
        let bearers = [Authority::of_shell(), narrower.clone(), Authority::of_nobody()]
            .map(|authority| Authority { credential: own.clone(), ..authority });

        for authority in bearers.into_iter().chain([Authority::of_shell(), narrower, Authority::of_nobody(), elsewhere]) {
            for number in 0..=told.len() {
                let command = RevokeToken { jti: jti(number), reason: RevocationReason::Superseded, note: None };
                for clock in clocks() {
                    let known = |jti| state.token(jti).map(LiveToken::from);
                    if let Some(revoked) = revoke_known(known, &command, &authority, at(clock)) {
                        prop_assert_eq!(revoke(&state, &command, &authority, at(clock)), Ok(Some(revoked)));
                    }
                }
            }
        }
    }

    #[test]
    fn a_revocation_is_never_undone_and_only_a_resumption_makes_a_token_active(happenings in happenings()) {
        let (log, _) = tell(&happenings);

        let mut state = fold(&[]);
        for recorded in &log {
            let jti = recorded.occurrence.event.jti().unwrap();
            let before = state.token(jti).cloned();
            state.apply(recorded);

            let Some((before, after)) = before.as_ref().zip(state.token(jti)) else { continue };
            for clock in clocks() {
                match (before.status(at(clock)), after.status(at(clock))) {
                    (Status::Revoked, after) => prop_assert_eq!(after, Status::Revoked),
                    (Status::Expired, after) => prop_assert!(after != Status::Active),
                    (Status::Suspended, after) => {
                        let is_resumption = matches!(recorded.occurrence.event, Event::TokenResumed(_));
                        prop_assert!(after != Status::Active || is_resumption);
                    }
                    (Status::Active, _) => {}
                }
            }
        }
    }

    #[test]
    fn a_name_is_held_by_tokens_of_its_subject_that_are_not_over_and_by_no_other(happenings in happenings()) {
        let (log, told) = tell(&happenings);

        let state = fold(&log);

        for (sub, named) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            for clock in clocks() {
                let holder = state.holder_of_name(&subject(sub), &name(named), at(clock));
                let holders: Vec<Uuid> =
                    (0..told.len()).filter(|n| told[*n].holds(sub, named, clock)).map(jti).collect();
                match holder {
                    Some(holder) => prop_assert!(holders.contains(&holder)),
                    None => prop_assert!(holders.is_empty(), "{holders:?}"),
                }
            }
        }
    }

    #[test]
    fn the_same_events_in_any_batches_make_the_same_tokens(
        (happenings, cuts) in happenings().prop_flat_map(|happenings| {
            let cuts = subsequence((0..=happenings.len()).collect::<Vec<_>>(), 0..=happenings.len() + 1);
            (proptest::strategy::Just(happenings), cuts)
        }),
    ) {
        let (log, _) = tell(&happenings);

        let mut rows: HashMap<Uuid, Token> = HashMap::new();
        let ends = cuts.iter().copied().chain([log.len()]);
        let mut begin = 0;
        for end in ends {
            // As the appender does: a fresh state with the rows as they are, and back what the batch touched.
            let mut state = State::new(settings(Rules::initial()));
            rows.values().cloned().for_each(|token| state.insert(token));
            log[begin..end].iter().for_each(|recorded| state.apply(recorded));
            rows.extend(state.touched().map(|token| (token.jti, token.clone())));
            begin = end;
        }

        prop_assert_eq!(rows, by_jti(fold(&log).into_tokens()));
    }
}

/// Something asked of the catalog, or time going by.
#[derive(Debug, Clone)]
enum Step {
    Issue(Ask),
    Revoke(Index),
    Change(Change, Index),
    ChangeAll(Change, u8),
    Rotate(Index, u8, Option<u8>),
    Rule(Cover),
    /// Also back: the next one may be decided by another's clock.
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => ask().prop_map(Step::Issue),
        1 => any::<Index>().prop_map(Step::Revoke),
        2 => (select(&Change::ALL[..]), any::<Index>()).prop_map(|(change, which)| Step::Change(change, which)),
        2 => (any::<Index>(), 0..40_u8, option::of(1..60_u8))
            .prop_map(|(which, overlap, ttl)| Step::Rotate(which, overlap, ttl)),
        1 => (select(&Change::ALL[..]), 0..2_u8).prop_map(|(change, sub)| Step::ChangeAll(change, sub)),
        2 => cover().prop_map(Step::Rule),
        2 => (-5..30_i64).prop_map(Step::Wait),
    ];
    vec(step, 0..32)
}

/// From a shell; but holders rotate by the API.
fn command(act: Act, clock: i64) -> Command {
    let path = if matches!(act, Act::Rotate { .. }) { Path::Api } else { Path::CliDev };
    Command { act, authority: Authority::of_shell(), origin: shell(path), now: at(clock), idempotency: None }
}

proptest! {
    #[test]
    fn commands_are_decided_as_the_model_says_and_only_a_family_shares_a_name(steps in steps()) {
        let mut state = State::new(settings(Rules::initial()));
        let (mut told, mut position, mut clock, mut latest) = (Vec::<Told>::new(), 0, 0, 0);

        for step in steps {
            let (act, expected) = match step {
                Step::Wait(seconds) => {
                    clock += seconds;
                    latest = latest.max(clock);
                    continue;
                }
                Step::Issue(ask) => {
                    let number = told.len();
                    let signer = "k1".parse().unwrap();
                    let command = Box::new(ask.command());
                    let act = Act::Issue { command, jti: jti(number), signer, membership: None, draw: Box::default() };
                    let holder = ask.name.and_then(|name| told.iter().position(|t| t.holds(ask.sub, name, clock)));
                    let refusal = holder.map(|holder| {
                        Refusal::NameInUse { name: name(ask.name.unwrap()), jti: Some(jti(holder)) }
                    });
                    if refusal.is_none() {
                        let exp = clock + i64::from(ask.ttl);
                        told.push(Told::issued(ask, number, exp));
                    }
                    (act, refusal.map_or(Ok(1), Err))
                }
                Step::Revoke(which) => {
                    let which = which.index(told.len() + 1);
                    let reason = RevocationReason::Unspecified;
                    let act = Act::Revoke(RevokeToken { jti: jti(which), reason, note: None });
                    let expected = match told.get_mut(which) {
                        None => Err(Refusal::TokenUnknown { jti: jti(which) }),
                        Some(told) if told.status(clock) == Status::Revoked => Ok(0),
                        Some(told) => {
                            told.revocations.push((Position(0), None));
                            Ok(1)
                        }
                    };
                    (act, expected)
                }
                Step::Change(change, which) => {
                    let number = which.index(told.len() + 1);
                    let which = Which::Token(jti(number));
                    let act = Act::ChangeSuspension(ChangeSuspension { change, which, note: None });
                    (act, told.get_mut(number).map_or(Err(Refusal::TokenUnknown { jti: jti(number) }), |told| {
                        let status = told.status(clock);
                        if matches!(status, Status::Revoked | Status::Expired) {
                            return Err(Refusal::WrongStatus { jti: jti(number), status, wish: change.done() });
                        }
                        Ok(usize::from(std::mem::replace(&mut told.suspended, change == Change::Suspend) != (change == Change::Suspend)))
                    }))
                }
                Step::Rotate(which, overlap, ttl) => {
                    let (number, seconds) = (which.index(told.len() + 1), i64::from(overlap));
                    let overlap = format!("{overlap}s").parse().unwrap();
                    let (successor, asked) = (told.len(), overlap);
                    let command = RotateToken { jti: jti(number), overlap, ttl_seconds: ttl.map(u32::from) };
                    let signer = "k1".parse().unwrap();
                    let act = Act::Rotate { command, successor: jti(successor), signer, membership: None, draw: Box::default() };
                    let expected = match told.get_mut(number) {
                        None => Err(Refusal::TokenUnknown { jti: jti(number) }),
                        Some(Told { successor: Some(successor), .. }) => {
                            Err(Refusal::AlreadyRotated { jti: jti(number), successor: jti(*successor) })
                        }
                        Some(told) if told.status(clock) != Status::Active => {
                            let status = told.status(clock);
                            Err(Refusal::WrongStatus { jti: jti(number), status, wish: "rotated" })
                        }
                        Some(told) if clock + seconds > told.exp => {
                            Err(Refusal::OverlapTooLong { asked, left: told.exp - clock })
                        }
                        Some(old) => Ok(old.rotate(successor, clock, seconds, ttl)),
                    };
                    (act, expected.map(|successor| {
                        told.push(successor);
                        2
                    }))
                }
                Step::Rule(cover) => {
                    for told in &mut told {
                        told.meet(&cover, clock);
                    }
                    let (predicate, reason) = (cover.predicate(), RevocationReason::Unspecified);
                    let command = Box::new(RevokeByRule { predicate, reason, note: None });
                    (Act::RevokeByRule { command, covers_any: true }, Ok(1))
                }
                Step::ChangeAll(change, sub) => {
                    let which = Which::Subject(subject(sub));
                    let act = Act::ChangeSuspension(ChangeSuspension { change, which, note: None });
                    let from = if change == Change::Suspend { Status::Active } else { Status::Suspended };
                    let changed = told.iter_mut().filter(|told| told.sub == sub && told.status(clock) == from);
                    (act, Ok(changed.map(|told| told.suspended = change == Change::Suspend).count()))
                }
            };

            let command = command(act, clock);
            let path = command.origin.path;
            let decided = command.decide(&state).map(|decision| match decision {
                Decision::Events(events) => events,
                Decision::Repeat(event) => panic!("nothing was asked for twice: {event:?}"),
            });

            prop_assert_eq!(decided.as_ref().map(Vec::len), expected.as_ref().copied());
            for event in decided.unwrap_or_default() {
                let mut recorded = recorded(position, event, clock);
                recorded.occurrence.origin = shell(path);
                state.apply(&recorded);
                position += 1;
            }
            // Under a clock that went back, what had ended by it, and so had left its name to another, has not ended yet.
            for (sub, named) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let holders = (0..told.len()).filter_map(|number| state.token(jti(number))).filter(|token| {
                    token.sub == Some(subject(sub)) && token.name == Some(name(named)) && token.status(at(latest)) == Status::Active
                });
                let families: HashSet<Uuid> = holders.map(Token::family).collect();
                prop_assert!(families.len() <= 1, "{families:?}");
            }
            for (number, told) in told.iter().enumerate() {
                let token = state.token(jti(number)).unwrap();
                prop_assert_eq!(token.family(), jti(told.family));
                prop_assert_eq!(token.lineage.successor, told.successor.map(jti));
                // The last instant before each end, the first of it, and everything around.
                for clock in clocks() {
                    prop_assert_eq!(token.status(at(clock)), told.status(clock), "token {} at {}", number, clock);
                }
            }
        }
    }
}

#[test]
fn a_suspended_token_keeps_its_name_and_gives_way_to_every_other_end() {
    let ask = Ask { sub: 0, name: Some(0), ttl: 10 };
    let (log, _) = tell(&[Happening::Issued(ask, 0)]);
    let mut token = fold(&log).into_tokens().next().unwrap();
    let held = SuspensionChanged { jti: jti(0), by_full_admin: true, note: None };
    token.suspend(&held, &recorded(1, Event::TokenSuspended(held.clone()), 1));
    let mut state = State::new(settings(Rules::initial()));
    state.insert(token.clone());

    let during = (token.status(at(9)), state.holder_of_name(&subject(0), &name(0), at(9)));
    let after = (token.status(at(10)), state.holder_of_name(&subject(0), &name(0), at(10)));
    let reason = RevocationReason::Unspecified;
    let event = TokenRevoked { jti: jti(0), reason, effective_from: None, successor: None, note: None };
    token.revoke(&event, &recorded(2, Event::TokenRevoked(event.clone()), 2));

    assert_eq!(during, (Status::Suspended, Some(jti(0))));
    assert_eq!(after, (Status::Expired, None));
    assert_eq!((token.status(at(9)), token.status(at(10))), (Status::Revoked, Status::Revoked));
}
