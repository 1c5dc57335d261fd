//! `audit verify`: that the log is whole in itself, and that the projections are its fold.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use super::{
    Database, Head, StoreError,
    chain::{self, Sha256Digest},
    codec, head, idempotency,
    log::{self, EventRow, Selection},
    past, people, rules, status_lists, tokens, verify_names, verify_reach,
    verify_rows::Expected,
    verify_rules,
};
use crate::domain::{Event, Position, Recorded, Rule as RevocationRule, Settings, State, Token};

/// After this many findings the rest is not looked for: the log is broken.
const FINDINGS_MAX: usize = 20;

/// What a verification saw.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// The end of the log that was verified: keep it outside, and a later rewrite can be shown.
    pub head: Head,
    /// How many events were read.
    pub events: u64,
    /// How many tokens their fold has.
    pub tokens: u64,
    /// How many events had their personal part erased.
    pub erased: u64,
    /// What does not hold, the earliest first; empty = everything holds.
    pub findings: Vec<Finding>,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where in the log; `None` for a row that no event explains.
    pub position: Option<Position>,
    /// Which rule.
    pub rule: Rule,
    /// What was seen.
    pub detail: String,
}

/// What a verification holds the log to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Positions are 1, 2, 3 … to the head.
    Density,
    /// Each digest follows from the one before, and the last is the head's.
    DigestChain,
    /// The personal part is the one that was committed to.
    Commitment,
    /// `recorded_at` never goes backwards.
    Order,
    /// The columns say what the body says.
    Columns,
    /// The body is an event of a kind that this program knows, in canonical form.
    Form,
    /// The projection is the fold of the log.
    Projection,
    /// The log is the one of a head that was kept outside, and goes on from it.
    Kept,
}

impl Rule {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Density => "density",
            Self::DigestChain => "digest_chain",
            Self::Commitment => "commitment",
            Self::Order => "order",
            Self::Columns => "columns",
            Self::Form => "form",
            Self::Projection => "projection",
            Self::Kept => "kept",
        }
    }
}

/// The end of the log at some time, as somebody kept it: a line that an earlier verification wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Kept {
    /// The epoch.
    pub log_id: Uuid,
    /// The last position then, 0 in an empty log.
    pub position: Position,
    /// The last digest then.
    #[serde(deserialize_with = "hex::serde::deserialize")]
    pub digest: Sha256Digest,
}

/// Reads the whole log and every projection in one snapshot, and holds it against heads that were kept outside. `progress`
/// is told how many events were read.
///
/// # Errors
/// [`StoreError`], when it could not tell.
pub async fn verify(
    database: &Database,
    kept: &[Kept],
    progress: &mut (dyn FnMut(u64, &Head) + Send),
) -> Result<Verification, StoreError> {
    let mut connection = database.connect_as_writer().await?;
    // This one reads everything, and thinks between what it reads.
    connection
        .execute("set idle_in_transaction_session_timeout to 0; set enable_seqscan to on; set enable_hashjoin to on")
        .await?;
    connection.execute("begin isolation level repeatable read read only").await?;
    let mut walk = Walk::against(kept);
    walk.check_times(&mut connection).await?;
    let head = head::read(&mut connection).await?;
    if !walk.findings.is_empty() {
        return Ok(walk.finish(head));
    }
    {
        let mut query = log::select(&Selection::default());
        let mut rows = std::pin::pin!(log::rows(&mut connection, &mut query));
        while let Some(row) = rows.try_next().await? {
            walk.step(&row);
            progress(walk.events, &head);
        }
    }
    walk.compare_head(&head);
    walk.compare_kept(kept, &head);
    walk.compare_projections(&mut connection).await?;
    connection.close().await?;
    Ok(walk.finish(head))
}

/// The fold of a verification.
pub(super) struct Walk {
    events: u64,
    tokens: u64,
    erased: u64,
    people_erased: Vec<Position>,
    position: Position,
    digest: Sha256Digest,
    recorded_at: Option<DateTime<Utc>>,
    pub(super) state: State,
    pub(super) findings: Vec<Finding>,
    kept: BTreeMap<Position, Sha256Digest>,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self::against(&[])
    }

    fn against(kept: &[Kept]) -> Self {
        Self {
            kept: kept.iter().map(|kept| (kept.position, kept.digest)).collect(),
            events: 0,
            tokens: 0,
            erased: 0,
            people_erased: Vec::new(),
            position: Position(0),
            digest: chain::GENESIS,
            recorded_at: None,
            state: State::new(Settings::default()),
            findings: Vec::new(),
        }
    }

    /// A time that is none, such as infinity, cannot be read at all: it is looked for before anything else is.
    async fn check_times(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let places: Vec<(String, i64)> = sqlx::query_as(include_str!("times.sql")).fetch_all(connection).await?;
        for (table, position) in places {
            self.find(Position(position), Rule::Order, format!("a time in {table} is infinite"));
        }
        Ok(())
    }

    fn find(&mut self, position: impl Into<Option<Position>>, rule: Rule, detail: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { position: position.into(), rule, detail: detail.into() });
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
        if self.kept.get(&position).is_some_and(|kept| row.digest != kept) {
            self.find(
                position,
                Rule::Kept,
                "the digest is not the one that was kept: something up to here was rewritten",
            );
        }
        let recorded = match row.decode() {
            Ok(recorded) => {
                self.check_columns(row, &recorded);
                if matches!(&recorded.occurrence.event, Event::PersonSeen(seen) if seen.sub.is_none()) {
                    self.people_erased.push(position);
                }
                self.state.apply(&recorded);
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

    fn compare_kept(&mut self, kept: &[Kept], head: &Head) {
        for kept in kept {
            if kept.log_id != head.log_id {
                self.find(None, Rule::Kept, format!("the head that was kept is of the log {}", kept.log_id));
            } else if kept.position > head.position {
                let detail = format!("the log ends at {}, before the head that was kept", head.position);
                self.find(kept.position, Rule::Kept, detail);
            } else if kept.position == Position(0) && kept.digest != chain::GENESIS {
                self.find(None, Rule::Kept, "the head that was kept of the empty log is none");
            }
        }
    }

    async fn compare_projections(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let state = std::mem::take(&mut self.state);
        let (tokens, differences) = self.differences(connection, state).await?;
        for (position, detail) in differences {
            self.find(position, Rule::Projection, detail);
        }
        self.tokens = tokens;
        for (position, what) in idempotency::stray(connection).await? {
            self.find(position, Rule::Projection, what);
        }
        Ok(())
    }

    /// Row by row against a fold; what is left of the fold has no row. A rule that is not filled yet may be in a row
    /// already, or not: both are the fold. Tells how many tokens there are, too.
    pub(super) async fn differences(
        &self,
        connection: &mut PgConnection,
        state: State,
    ) -> Result<(u64, Vec<Difference>), StoreError> {
        let rules = rules::all(&mut *connection).await?;
        let unfilled = rules.iter().filter(|row| row.filled_to > 0).cloned().map(RevocationRule::from).collect();
        let past = state.past().to_vec();
        let mut differences = verify_rules::differences(rules, state.rules());
        differences.extend(people::differences(&mut *connection, &state, &self.people_erased).await?);
        let entered = status_lists::differences(&mut *connection, state.entries()).await?;
        let expected = Expected { unfilled, rules: state.rules().to_vec() };
        let mut folded: HashMap<Uuid, Token> = state.into_tokens().map(|token| (token.jti, token)).collect();
        let tokens = folded.len() as u64;
        let mut listed = verify_reach::differences(connection, &folded).await?;
        listed.extend(verify_names::differences(connection, &folded, &expected.rules).await?);
        listed.extend(past::differences(connection, &past, &folded, &expected.rules, &expected.unfilled).await?);
        {
            let mut rows = std::pin::pin!(tokens::all_rows(connection));
            while let Some(row) = rows.try_next().await? {
                differences.extend(expected.difference(folded.remove(&row.jti).as_ref(), row));
            }
        }
        differences
            .extend(folded.values().map(|token| (Some(token.issued), format!("token {} has no row", token.jti))));
        let stray = sqlx::query_scalar(include_str!("revocations_stray.sql")).fetch_all(connection).await?;
        differences.extend(stray.into_iter().map(|position| {
            (Some(Position(position)), "token_revocations has a row, and nothing was issued here".to_owned())
        }));
        // What listings and lists go by follows from the same: where that is wrong, one break shall be one finding.
        if differences.is_empty() && self.findings.is_empty() {
            differences.extend(entered);
            differences.extend(listed.into_iter().map(|(position, detail)| (Some(position), detail)));
        }
        differences.sort();
        Ok((tokens, differences))
    }

    fn finish(mut self, head: Head) -> Verification {
        self.findings.sort_by_key(|finding| finding.position.map_or(i64::MAX, |position| position.0));
        Verification { head, events: self.events, tokens: self.tokens, erased: self.erased, findings: self.findings }
    }
}

/// A place in the log, if there is one, and what is wrong there.
pub type Difference = (Option<Position>, String);
