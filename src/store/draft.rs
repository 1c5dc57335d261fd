//! A batch as it grows: what its commands come to, and how that is written.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Head, StoreError,
    appender::Appended,
    batch::{Clock, Known},
    chain::{self, Sha256Digest},
    codec, idempotency, past, people,
    reach::Reach,
    row::{self, TokenRow},
    rules, status_lists,
};
use crate::domain::{
    Command, Event, Occurrence, Position, Recorded, Refusal, Rule, Settings, State, Token,
    ambient::Entropy,
    command::Decision as Decided,
    idempotency::{Answered, Scope},
    token::Revocation,
};

/// Writes a batch that issues tokens: the head, the events, the tokens, and what listings find them by.
static ISSUED: &str = concat!(include_str!("append_events.sql"), include_str!("append_issued.sql"), "select from head");
/// Writes a batch that issues no token, and changes none but by revoking it: the head, the events, and revocations.
static REVOKED: &str =
    concat!(include_str!("append_events.sql"), include_str!("append_revoked.sql"), "select from head");
/// Writes a batch that adds one rule, and says nothing of tokens.
static RULED: &str = concat!(include_str!("append_events.sql"), include_str!("append_rule.sql"), "select from head");
/// Writes a batch that changes more of tokens.
static CHANGED: &str = concat!(
    include_str!("append_events.sql"),
    include_str!("append_revoked.sql"),
    include_str!("append_changed.sql"),
    "select from head"
);
/// Writes a batch that does all of it. None of the others opens an index that it does not need.
static BOTH: &str = concat!(
    include_str!("append_events.sql"),
    include_str!("append_revoked.sql"),
    include_str!("append_changed.sql"),
    include_str!("append_issued.sql"),
    "select from head"
);

/// A command's decision, waiting for the commit.
pub(super) type Decision = Result<Appended, Refusal>;

/// The batch as it grows: each command sees what those before it did.
pub(super) struct Draft {
    begun: Head,
    position: Position,
    digest: Sha256Digest,
    now: DateTime<Utc>,
    clock: Clock,
    state: State,
    rows: Vec<EventRow>,
    named: Vec<(Scope, Answered)>,
    /// Whether more becomes different of tokens than that they are revoked.
    changes_tokens: bool,
}

/// An event's columns, but for the time, which the batch shares.
struct EventRow {
    position: Position,
    kind: &'static str,
    jti: Option<Uuid>,
    path: &'static str,
    request_id: String,
    body: Vec<u8>,
    personal: Vec<u8>,
    salt: [u8; 16],
    commitment: Sha256Digest,
    digest: Sha256Digest,
}

impl Draft {
    pub(super) fn new(head: Head, clock: Clock, state: State) -> Self {
        Self {
            position: head.position,
            digest: head.digest,
            begun: head,
            now: clock.said,
            clock,
            state,
            rows: Vec::new(),
            named: Vec::new(),
            changes_tokens: false,
        }
    }

    /// Events that are in the log already, applied to what they need to know.
    pub(super) fn replayed(begun: Head, end: &Head, state: State) -> Self {
        let begun = Self::new(begun, Clock { said: end.recorded_at, heard: Instant::now() }, state);
        Self { position: end.position, digest: end.digest, changes_tokens: true, ..begun }
    }

    pub(super) fn decide(&mut self, command: &Command, entropy: &dyn Entropy) -> Result<Decision, StoreError> {
        // Both would be one row, and only the row's key tells of an identifier from before the batch.
        if command.jti_issued().is_some_and(|jti| self.state.token(jti).is_some()) {
            return Err(issued_before());
        }
        match command.decide(&self.state) {
            Ok(Decided::Events(events)) => self.carry_out(command, events, entropy).map(Ok),
            Ok(Decided::Repeat(event)) => {
                let token = event.occurrence.event.jti().and_then(|jti| self.state.token(jti)).cloned();
                let (several, left) = (self.several(command), command.left(&self.state));
                let position = event.position;
                Ok(Ok(Appended { position, events: vec![*event], token, several, left, is_repeat: true }))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Has the events happen that a command came to.
    pub(super) fn carry_out(
        &mut self,
        command: &Command,
        events: Vec<Event>,
        entropy: &dyn Entropy,
    ) -> Result<Appended, StoreError> {
        let mut recorded = Vec::with_capacity(events.len());
        for event in events {
            let occurrence = Occurrence { event, occurred_at: command.now, origin: command.origin.clone() };
            recorded.push(self.chain(occurrence, entropy)?);
        }
        // A status list may have begun first.
        let answer = recorded.iter().find(|recorded| recorded.occurrence.event.jti().is_some()).or(recorded.first());
        if let (Some(named), Some(event)) = (&command.idempotency, answer) {
            let answered = Answered { request_digest: named.request_digest, at: command.now, event: event.clone() };
            self.state.remember(named.scope.clone(), answered.clone());
            self.named.push((named.scope.clone(), answered));
        }
        let token = command.jti().and_then(|jti| self.state.token(jti)).cloned();
        let (several, left) = (self.several(command), command.left(&self.state));
        Ok(Appended { events: recorded, token, several, left, position: self.position, is_repeat: false })
    }

    fn several(&self, command: &Command) -> Vec<Token> {
        command.several().iter().filter_map(|jti| self.state.token(*jti)).cloned().collect()
    }

    fn chain(&mut self, occurrence: Occurrence, entropy: &dyn Entropy) -> Result<Recorded, StoreError> {
        let position = self.position.next();
        let encoded = codec::encode(&occurrence)
            .map_err(|source| StoreError::UnreadableEvent { position: position.0, source })?;
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let commitment = chain::commitment(&salt, &encoded.personal);
        let digest = chain::link(&self.digest, position, self.now, &encoded.body, &commitment);
        self.rows.push(EventRow {
            position,
            kind: codec::kind(&occurrence.event),
            jti: occurrence.event.jti(),
            path: occurrence.origin.path.as_str(),
            request_id: occurrence.origin.request_id.to_string(),
            body: encoded.body,
            personal: encoded.personal,
            salt,
            commitment,
            digest,
        });
        self.changes_tokens |= changes_tokens(&occurrence.event);
        let recorded = Recorded { position, recorded_at: self.now, occurrence };
        self.state.apply(&recorded);
        (self.position, self.digest) = (position, digest);
        Ok(recorded)
    }

    /// Whether nothing is to be recorded.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a head is the one that the batch was decided on.
    pub(super) fn is_at(&self, head: &Head) -> bool {
        *head == self.begun
    }

    /// Whether [`write`](Self::write) records all of it.
    pub(super) fn is_one_statement(&self) -> bool {
        self.named.is_empty()
            && self.state.past().is_empty()
            && (self.state.rules().is_empty() || self.only_rule().is_some())
            && !people::are_new(&self.state)
    }

    /// The rule of a batch in which nothing else is said of tokens.
    fn only_rule(&self) -> Option<&Rule> {
        let [rule] = self.state.rules() else { return None };
        self.state.touched().next().is_none().then_some(rule)
    }

    /// Records what [`write`](Self::write) does not.
    pub(super) async fn write_rest(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if self.only_rule().is_none() {
            rules::insert(connection, self.state.rules()).await?;
        }
        people::insert(connection, &self.state).await?;
        past::insert(connection, self.state.past()).await?;
        idempotency::insert(connection, &self.named).await
    }

    /// Records the head, the events, each touched token once, and what listings find new tokens by, in one statement.
    /// Tells whether the head was the one that the batch was decided on; if not, nothing is recorded.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<bool, StoreError> {
        if let Some(rule) = self.only_rule() {
            let query = rules::bind(self.bind(sqlx::query(RULED)), rule);
            return Ok(query.execute(connection).await?.rows_affected() == 1);
        }
        let mut touched: Vec<&Token> = self.state.touched().collect();
        // Neighbours in the log are neighbours in the tables, too: a listing finds them on the same pages.
        touched.sort_unstable_by_key(|token| token.issued);
        let rows: Vec<TokenRow> = touched.iter().copied().map(TokenRow::from).collect();
        let first_issued = touched.partition_point(|token| token.issued <= self.begun.position);
        let (changed, issued) = rows.split_at(first_issued);
        let is_changed = !changed.is_empty() || rows.iter().any(TokenRow::is_revoked);
        let sql = match (issued.is_empty(), is_changed) {
            (true, _) if !self.changes_tokens => REVOKED,
            (true, _) => CHANGED,
            (false, true) => BOTH,
            (false, false) => ISSUED,
        };
        let mut query = row::bind_revoked(self.bind(sqlx::query(sql)), &rows);
        if self.changes_tokens || !issued.is_empty() {
            query = row::bind_changed(query, changed);
        }
        if !issued.is_empty() {
            let reach = Reach::of(touched[first_issued..].iter().copied());
            query = status_lists::bind(row::bind_issued(reach.bind(query), issued), self.state.entries());
        }
        Ok(query.execute(connection).await?.rows_affected() == 1)
    }

    /// The same for a batch that is one revocation, from now on, of a token issued there, of which nothing else was read.
    /// Tells the database's clock if it is recorded.
    pub(super) async fn write_revocation(
        &self,
        connection: &mut PgConnection,
        issued: Position,
        revocation: &Revocation,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let ([row], None) = (&self.rows[..], revocation.effective_from) else { return Ok(None) };
        let query = sqlx::query_scalar(include_str!("revoke_at_once.sql"))
            .bind(self.position.0)
            .bind(&self.digest[..])
            .bind(self.now)
            .bind(self.begun.position.0)
            .bind(&self.begun.digest[..])
            .bind(row.kind)
            .bind(row.jti)
            .bind(row.path)
            .bind(&row.request_id)
            .bind(&row.body[..])
            .bind(&row.personal[..])
            .bind(&row.salt[..])
            .bind(&row.commitment[..])
            .bind(issued.0)
            .bind(revocation.at)
            .bind(revocation.reason.as_str())
            .bind(revocation.note.as_ref().map(ToString::to_string))
            .bind(&revocation.by)
            .bind(self.begun.log_id);
        Ok(query.fetch_optional(connection).await?)
    }

    /// Binds the head and the events, column by column.
    fn bind<'q>(&'q self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        let rows = &self.rows;
        query
            .bind(self.position.0)
            .bind(&self.digest[..])
            .bind(self.now)
            .bind(rows.iter().map(|row| row.position.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.jti).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.path).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.request_id.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.body[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.personal[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.salt[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.commitment[..]).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| &row.digest[..]).collect::<Vec<_>>())
            .bind(self.begun.position.0)
            .bind(&self.begun.digest[..])
    }

    pub(super) fn known(self) -> Known {
        let recorded_at = if self.is_empty() { self.begun.recorded_at } else { self.now };
        let Self { begun, position, digest, clock, state, .. } = self;
        let head = Head { log_id: begun.log_id, position, digest, recorded_at };
        Known { head, settings: state.settings, clock }
    }

    /// The settings that it was decided by, where it came to nothing.
    pub(super) fn into_settings(self) -> Settings {
        self.state.settings
    }
}

/// Whether an event makes a token different in another way than that it is revoked.
fn changes_tokens(event: &Event) -> bool {
    match event {
        Event::TokenSuspended(_) | Event::TokenResumed(_) => true,
        Event::TokenRevoked(revoked) => revoked.successor.is_some(),
        _ => false,
    }
}

fn issued_before() -> StoreError {
    StoreError::Refused(sqlx::Error::Protocol("a token identifier was issued before".to_owned()))
}
