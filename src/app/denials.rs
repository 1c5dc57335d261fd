//! Refusals on their way into the log: the first of a kind at once, then one event per actor, rule and minute.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{
    Origin,
    denial::Denial,
    origin::{Actor, OsUser},
    text::{ClientName, Issuer},
};

/// How many kinds are counted at once; past it each refusal is an event of its own.
const KINDS_MAX: usize = 10_000;

/// The refusals that were counted and not yet recorded. A process that is killed loses the counts of at most a minute,
/// and never the first of a kind.
#[derive(Default)]
pub(super) struct Denials(Mutex<HashMap<Kind, Window>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    actor: Who,
    rule: String,
    what: Discriminant<Denial>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Subject(Option<String>),
    Client(ClientName),
    Person(Issuer, Option<String>),
    User(Option<String>, Option<u32>, Option<String>),
    Anonymous,
}

struct Window {
    until: DateTime<Utc>,
    counted: Option<Counted>,
}

struct Counted {
    times: u32,
    from: DateTime<Utc>,
    last: (Denial, Origin),
}

fn window() -> TimeDelta {
    TimeDelta::minutes(1)
}

impl Denials {
    /// Takes a refusal: `Some` when it is to be recorded now, `None` when it was counted.
    pub(super) fn note(&self, denial: Denial, origin: Origin, now: DateTime<Utc>) -> Option<(Denial, Origin)> {
        let kind = Kind::of(&denial, &origin);
        let mut windows = self.lock();
        if let Some(window) = windows.get_mut(&kind) {
            let (times, from) = window.counted.as_ref().map_or((0, now), |counted| (counted.times, counted.from));
            window.counted = Some(Counted { times: times.saturating_add(1), from, last: (denial, origin) });
            return None;
        }
        if windows.len() < KINDS_MAX {
            windows.insert(kind, Window { until: now + window(), counted: None });
        }
        Some((denial, origin))
    }

    /// What is to be recorded now: the counts of the minutes that are over.
    pub(super) fn due(&self, now: DateTime<Utc>) -> Vec<(Denial, Origin)> {
        self.take(now, |window| now >= window.until)
    }

    /// Every count, for a process that ends.
    pub(super) fn all(&self, now: DateTime<Utc>) -> Vec<(Denial, Origin)> {
        self.take(now, |_| true)
    }

    /// The first of a kind could not be recorded: the next one is the first again, unless others were counted meanwhile.
    pub(super) fn forget(&self, denial: &Denial, origin: &Origin) {
        let kind = Kind::of(denial, origin);
        let mut windows = self.lock();
        if windows.get(&kind).is_some_and(|window| window.counted.is_none()) {
            windows.remove(&kind);
        }
    }

    /// What could not be recorded is counted again.
    pub(super) fn put_back(&self, denial: Denial, origin: Origin) {
        let kind = Kind::of(&denial, &origin);
        let (times, from) = denial.count();
        if let Some(window) = self.lock().get_mut(&kind) {
            let newer = window.counted.take();
            let more = newer.as_ref().map_or(0, |counted| counted.times);
            let last = newer.map_or((denial, origin), |counted| counted.last);
            window.counted = Some(Counted { times: times.saturating_add(more), from, last });
        }
    }

    /// A kind that goes on gets its next window; one that was quiet for a window is forgotten.
    fn take(&self, now: DateTime<Utc>, is_due: impl Fn(&Window) -> bool) -> Vec<(Denial, Origin)> {
        let mut taken = Vec::new();
        self.lock().retain(|_, open| {
            if !is_due(open) {
                return true;
            }
            let Some(Counted { times, from, last: (denial, origin) }) = open.counted.take() else { return false };
            taken.push((denial.repeated(times, from), origin));
            open.until = now + window();
            true
        });
        taken
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    fn of(denial: &Denial, origin: &Origin) -> Self {
        let actor = match &origin.actor {
            Actor::Token { sub, .. } => Who::Subject(sub.clone()),
            Actor::Client { name } => Who::Client(name.clone()),
            Actor::Person { issuer, sub } => Who::Person(issuer.clone(), sub.clone()),
            Actor::OsUser(OsUser { name, uid, host, .. }) => Who::User(name.clone(), *uid, host.clone()),
            Actor::Anonymous => Who::Anonymous,
        };
        Self { actor, rule: denial.rule().to_owned(), what: discriminant(denial) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        IssueToken, Path, Refusal,
        text::{RequestId, Subject},
    };

    fn at(second: i64) -> DateTime<Utc> {
        crate::domain::token::instant(1_772_366_400 + second)
    }

    fn origin(sub: &str) -> Origin {
        Origin {
            path: Path::Api,
            actor: Actor::Token { jti: uuid::Uuid::from_u128(1), sub: Some(sub.to_owned()) },
            request_id: RequestId::parse("r").unwrap(),
            address: None,
            user_agent: None,
        }
    }

    fn denial(refusal: &Refusal, second: i64) -> Denial {
        Denial::of_issuance(&IssueToken::plain(Subject::parse("alice@example.com").unwrap()), refusal, at(second))
    }

    fn told(denials: &Denials, sub: &str, refusal: &Refusal, second: i64) -> bool {
        denials.note(denial(refusal, second), origin(sub), at(second)).is_some()
    }

    fn counts(events: &[(Denial, Origin)]) -> Vec<(u32, DateTime<Utc>)> {
        events.iter().map(|(denial, _)| denial.count()).collect()
    }

    #[test]
    fn the_first_of_a_kind_is_told_at_once_and_the_rest_of_the_minute_is_one_event() {
        let denials = Denials::default();

        assert!(told(&denials, "alice", &Refusal::AdminNotYours, 0));
        for second in [1, 30, 59] {
            assert!(!told(&denials, "alice", &Refusal::AdminNotYours, second));
        }

        assert_eq!(counts(&denials.due(at(59))), []);
        assert_eq!(counts(&denials.due(at(60))), [(3, at(1))]);
        assert_eq!(counts(&denials.due(at(60))), []);
    }

    #[test]
    fn another_actor_and_another_rule_are_other_kinds() {
        let denials = Denials::default();

        assert!(told(&denials, "alice", &Refusal::AdminNotYours, 0));
        assert!(told(&denials, "bob", &Refusal::AdminNotYours, 0));
        assert!(told(&denials, "alice", &Refusal::EmailNotYours, 0));
        assert!(!told(&denials, "alice", &Refusal::EmailNotYours, 0));
    }

    #[test]
    fn a_kind_that_goes_on_is_one_event_a_minute_and_a_quiet_one_begins_anew() {
        let denials = Denials::default();
        told(&denials, "alice", &Refusal::AdminNotYours, 0);
        told(&denials, "alice", &Refusal::AdminNotYours, 5);

        assert_eq!(counts(&denials.due(at(61))), [(1, at(5))]);
        assert!(!told(&denials, "alice", &Refusal::AdminNotYours, 62), "still the same burst");
        assert_eq!(counts(&denials.due(at(121))), [(1, at(62))]);
        assert_eq!(counts(&denials.due(at(182))), [], "a quiet minute");
        assert!(told(&denials, "alice", &Refusal::AdminNotYours, 183), "a new burst");
    }

    #[test]
    fn what_could_not_be_recorded_is_counted_again() {
        let denials = Denials::default();
        told(&denials, "alice", &Refusal::AdminNotYours, 0);
        told(&denials, "alice", &Refusal::AdminNotYours, 5);
        let due = denials.due(at(60));
        told(&denials, "alice", &Refusal::AdminNotYours, 61);

        for (denial, origin) in due {
            denials.put_back(denial, origin);
        }

        assert_eq!(counts(&denials.due(at(120))), [(2, at(5))]);
    }

    #[test]
    fn what_was_counted_stays_so_when_the_first_of_its_kind_could_not_be_recorded() {
        let denials = Denials::default();
        let first = || (denial(&Refusal::AdminNotYours, 0), origin("alice"));
        let forget = |(denial, origin): (Denial, Origin)| denials.forget(&denial, &origin);

        told(&denials, "alice", &Refusal::AdminNotYours, 0);
        forget(first());
        assert!(told(&denials, "alice", &Refusal::AdminNotYours, 1), "the first again");

        assert!(!told(&denials, "alice", &Refusal::AdminNotYours, 5));
        forget(first());
        assert_eq!(counts(&denials.due(at(61))), [(1, at(5))]);
    }

    #[test]
    fn nothing_that_was_counted_is_lost_by_a_process_that_ends() {
        let denials = Denials::default();
        told(&denials, "alice", &Refusal::AdminNotYours, 0);
        told(&denials, "alice", &Refusal::AdminNotYours, 5);

        assert_eq!(counts(&denials.all(at(6))), [(1, at(5))]);
    }
}
