//! The walk along the log: that it is whole in itself.

use std::{cmp::Ordering, collections::BTreeMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Head, StoreError,
    chain::{self, Sha256Digest},
    codec,
    log::EventRow,
    stretch::is_filed,
    verify::{Finding, Kept, Rule, Verification},
};
use crate::domain::{Event, Position, Recorded, Settings, State, person::PersonSeen};

/// So many findings are kept. The others are counted.
const FINDINGS_MAX: usize = 20;

/// How far a verification has come.
pub(super) struct Walk {
    /// How many events were read.
    pub(super) events: u64,
    erased: u64,
    /// Who was seen, as far as it is not erased.
    pub(super) people: State,
    /// What is left where it is.
    pub(super) people_erased: BTreeMap<Position, PersonSeen>,
    /// Events of which a column does not say what the body says.
    pub(super) misfiled: Vec<Recorded>,
    position: Position,
    digest: Sha256Digest,
    recorded_at: Option<DateTime<Utc>>,
    /// What does not hold.
    pub(super) findings: Vec<Finding>,
    /// How many more there are.
    pub(super) more: u64,
    kept: BTreeMap<Position, Vec<Sha256Digest>>,
}

impl Walk {
    /// Before the first event.
    pub(super) fn new() -> Self {
        Self::against(&[])
    }

    /// Held against heads that were kept outside, besides.
    pub(super) fn against(heads: &[Kept]) -> Self {
        let mut kept: BTreeMap<Position, Vec<Sha256Digest>> = BTreeMap::new();
        for head in heads {
            kept.entry(head.position).or_default().push(head.digest);
        }
        Self {
            kept,
            events: 0,
            erased: 0,
            people: State::new(Settings::default()),
            people_erased: BTreeMap::new(),
            misfiled: Vec::new(),
            position: Position(0),
            digest: chain::GENESIS,
            recorded_at: None,
            findings: Vec::new(),
            more: 0,
        }
    }

    /// A time that is none, such as infinity, cannot be read at all: it is looked for before anything else is.
    pub(super) async fn check_times(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let places: Vec<(String, i64)> = sqlx::query_as(include_str!("times.sql")).fetch_all(connection).await?;
        for (table, position) in places {
            self.find(Position(position), Rule::Order, format!("a time in {table} is infinite"));
        }
        Ok(())
    }

    /// Adds a finding, or counts it if there are many.
    pub(super) fn find(&mut self, position: impl Into<Option<Position>>, rule: Rule, detail: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { position: position.into(), rule, detail: detail.into() });
        } else {
            self.more += 1;
        }
    }

    /// Goes on to the next event, and returns it if it can be read.
    pub(super) fn step(&mut self, row: &EventRow) -> Option<Recorded> {
        let position = Position(row.position);
        self.events += 1;
        if position != self.position.next() {
            let missing = self.position.next();
            self.find(missing, Rule::Density, format!("the event is missing; the next one there is {position}"));
        }
        if self.recorded_at.is_some_and(|before| row.recorded_at < before) {
            self.find(position, Rule::Order, "recorded_at is earlier than that of the event before");
        }
        self.check_digests(position, row);
        if self.kept.get(&position).is_some_and(|kept| kept.iter().any(|kept| row.digest != kept)) {
            self.find(
                position,
                Rule::Kept,
                "the digest is not the one that was kept: something up to here was rewritten",
            );
        }
        let recorded = match row.decode() {
            Ok(recorded) => {
                self.check_columns(row, &recorded);
                if let Event::PersonSeen(seen) = &recorded.occurrence.event {
                    self.people.apply(&recorded);
                    self.people_erased.extend(seen.sub.is_none().then(|| (position, PersonSeen::clone(seen))));
                }
                // Of more than these nothing is told that would need them.
                if !is_filed(row, &recorded) && self.misfiled.len() < FINDINGS_MAX {
                    self.misfiled.push(recorded.clone());
                }
                Some(recorded)
            }
            Err(error) => {
                let detail = match error {
                    StoreError::UnreadableEvent { source, .. } => source.to_string(),
                    error => error.to_string(),
                };
                self.find(position, Rule::Form, detail);
                None
            }
        };
        // From here on the chain goes by what is stored, so that one break is one finding.
        self.digest = row.digest.as_slice().try_into().unwrap_or(chain::GENESIS);
        self.position = position;
        self.recorded_at = Some(row.recorded_at);
        recorded
    }

    fn check_digests(&mut self, position: Position, row: &EventRow) {
        let expected = chain::link(&self.digest, position, row.recorded_at, &row.body, &row.personal_commitment);
        if row.digest != expected {
            self.find(position, Rule::DigestChain, "the digest does not follow from the event and the digest before");
        }
        match (&row.personal, &row.salt) {
            (Some(personal), Some(salt)) if chain::commitment(salt, personal)[..] != row.personal_commitment[..] => {
                self.find(position, Rule::Commitment, "the personal part is not the one that was committed to");
            }
            (Some(_), Some(_)) => {}
            (None, None) => self.erased += 1,
            _ => self.find(position, Rule::Commitment, "only one of personal and salt is erased"),
        }
    }

    fn check_columns(&mut self, row: &EventRow, recorded: &Recorded) {
        let event = &recorded.occurrence.event;
        let origin = &recorded.occurrence.origin;
        let differing = [
            ("kind", row.kind != codec::kind(event)),
            ("jti", row.jti != event.jti()),
            ("path", row.path != origin.path.as_str()),
            ("request_id", row.request_id != origin.request_id.as_str()),
        ];
        for (column, _) in differing.into_iter().filter(|(_, differs)| *differs) {
            self.find(recorded.position, Rule::Columns, format!("the column {column} is not what the body says"));
        }
        let again = codec::encode(&recorded.occurrence);
        let canonical = again.is_ok_and(|again| again.body == row.body && Some(again.personal) == row.personal);
        if row.personal.is_some() && !canonical {
            self.find(recorded.position, Rule::Form, "the event is not in canonical form");
        }
        if let Event::TokenIssued(issued) = event
            && row.personal.is_some()
            && !issued.says_what_was_signed()
        {
            self.find(recorded.position, Rule::Form, "the event is not what the signed claims say");
        }
    }

    /// The log has to end at its head.
    pub(super) fn compare_head(&mut self, head: &Head) {
        match self.position.cmp(&head.position) {
            Ordering::Less => {
                let detail = format!("the log ends before its head, which is at {}", head.position);
                self.find(self.position.next(), Rule::Density, detail);
            }
            Ordering::Greater => {
                let detail = format!("the log goes on past its head, which is at {}", head.position);
                self.find(head.position.next(), Rule::Density, detail);
            }
            Ordering::Equal => {
                if self.digest != head.digest {
                    self.find(head.position, Rule::DigestChain, "the last digest is not the head's");
                }
                if self.recorded_at.is_some_and(|at| at != head.recorded_at) {
                    self.find(head.position, Rule::Order, "the head's time is not the last event's");
                }
            }
        }
    }

    /// The heads that were kept have to be of this log, and not past its end.
    pub(super) fn compare_kept(&mut self, kept: &[Kept], head: &Head) {
        for kept in kept {
            if kept.log_id != head.log_id {
                self.find(None, Rule::Kept, format!("the head that was kept is of the log {}", kept.log_id));
            } else if kept.position > head.position {
                let detail = format!("the log ends at {}, before the head that was kept", head.position);
                self.find(kept.position, Rule::Kept, detail);
            } else if kept.position < Position(0) || kept.position == Position(0) && kept.digest != chain::GENESIS {
                self.find(None, Rule::Kept, "the head that was kept of the empty log is none");
            }
        }
    }

    /// What was seen, in the order of the log.
    pub(super) fn finish(mut self, head: Head, tokens: u64) -> Verification {
        // Where a row differs is told by the event that made it, which may lie before the one that is not as it was.
        let is_of_row = |finding: &Finding| finding.rule == Rule::Projection;
        self.findings
            .sort_by_key(|finding| (is_of_row(finding), finding.position.map_or(i64::MAX, |position| position.0)));
        let Self { events, erased, findings, more, .. } = self;
        Verification { head, events, tokens, erased, erased_rules: Vec::new(), findings, more }
    }
}
