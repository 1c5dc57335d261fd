//! The fold of the log, a stretch at a time: the tokens that were issued in it, as the whole log leaves them.
//!
//! What is said of a token later is looked up by its identifier, and rules are few and known beforehand. So no more than
//! one stretch is ever in memory, whatever the log is.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use sqlx::PgConnection;
use tokio::{sync::mpsc, task::JoinHandle};
use uuid::Uuid;

use super::{
    StoreError, codec,
    log::{self, EventRow, Selection},
};
use crate::domain::{Event, Position, Recorded, Rule, Settings, State, Token, state::Past, status_list::Entry};

/// The tokens that were issued after one position and up to another.
pub(super) struct Stretch {
    /// The last position. What has no token at all lies in a stretch, too: the first begins, and the last ends nowhere.
    pub(super) last: i64,
    /// By their identifiers.
    pub(super) tokens: HashMap<Uuid, Token>,
    /// What is no more of them.
    pub(super) past: Vec<Past>,
    /// Their entries in status lists.
    pub(super) entries: BTreeMap<Position, Entry>,
    others: HashMap<Uuid, Token>,
}

impl Stretch {
    /// The token of an identifier that was issued here, or elsewhere and [recalled](Stretches::recall).
    pub(super) fn token(&self, jti: Uuid) -> Option<&Token> {
        self.tokens.get(&jti).or_else(|| self.others.get(&jti))
    }
}

/// Where a stretch ends.
struct End {
    events: u64,
    after: i64,
    last: i64,
}

/// Rows on their way to a thread that decodes them, and events on their way back: while one stretch is compared, the next
/// is decoded.
pub(super) struct Decoding {
    rows: mpsc::Sender<Vec<EventRow>>,
    events: mpsc::Receiver<Vec<Recorded>>,
}

impl Decoding {
    /// Begins a thread, which hands its state back when no more rows can come.
    pub(super) fn by<S: Send + 'static>(
        mut state: S,
        decode: fn(&mut S, &EventRow) -> Option<Recorded>,
    ) -> (Self, JoinHandle<S>) {
        let (rows, mut waiting) = mpsc::channel::<Vec<EventRow>>(1);
        let (decoded, events) = mpsc::channel(1);
        let thread = tokio::task::spawn_blocking(move || {
            while let Some(rows) = waiting.blocking_recv() {
                let events = rows.iter().filter_map(|row| decode(&mut state, row)).collect();
                if decoded.blocking_send(events).is_err() {
                    break;
                }
            }
            state
        });
        (Self { rows, events }, thread)
    }

    /// The same without a state.
    pub(super) fn plain() -> Self {
        Self::by((), |(), row| row.decode().ok()).0
    }
}

/// The log as it is folded, on a connection whose transaction sees one snapshot.
pub(super) struct Stretches {
    after: i64,
    events_at_once: u16,
    is_over: bool,
    /// How many events are folded.
    pub(super) events: u64,
    ahead: Option<End>,
    decoding: Decoding,
    known: Vec<Recorded>,
}

impl Stretches {
    /// From the beginning, so many events at once. The misfiled ones are those of which a column does not say what the
    /// body says: they are not found by their columns.
    pub(super) async fn of(
        connection: &mut PgConnection,
        events_at_once: u16,
        misfiled: Vec<Recorded>,
        decoding: Decoding,
    ) -> Result<Self, StoreError> {
        let rows: Vec<EventRow> = log::select_rules().build_query_as().fetch_all(connection).await?;
        let mut known: Vec<Recorded> = rows.iter().filter_map(filed).chain(misfiled).collect();
        known.sort_by_key(|recorded| recorded.position);
        let events_at_once = events_at_once.max(1);
        Ok(Self { after: 0, events_at_once, is_over: false, events: 0, ahead: None, decoding, known })
    }

    /// The rules of the whole log.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let mut state = State::new(Settings::default());
        self.known.iter().filter(|recorded| is_of_tokens(recorded)).for_each(|recorded| state.apply(recorded));
        state.rules().to_vec()
    }

    /// The next stretch; `None` after the last one. There is always one, in an empty log, too.
    pub(super) async fn next(&mut self, connection: &mut PgConnection) -> Result<Option<Stretch>, StoreError> {
        if self.ahead.is_none() && !self.is_over {
            self.read_ahead(connection).await?;
        }
        let Some(end) = self.ahead.take() else { return Ok(None) };
        if !self.is_over {
            self.read_ahead(connection).await?;
        }
        let events = self.decoding.events.recv().await.ok_or(sqlx::Error::WorkerCrashed)?;
        self.events += end.events;
        self.fold(connection, &events, &end).await.map(Some)
    }

    async fn read_ahead(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let mut query = log::select(&Selection { after: Position(self.after), ..Selection::default() });
        query.push(" limit ").push_bind(i64::from(self.events_at_once));
        let rows: Vec<EventRow> = query.build_query_as().fetch_all(connection).await?;
        self.is_over = rows.len() < usize::from(self.events_at_once);
        self.after = rows.last().map_or(self.after, |row| row.position);
        let last = if self.is_over { i64::MAX } else { self.after };
        self.ahead = Some(End { events: rows.len() as u64, after: self.after, last });
        self.decoding.rows.send(rows).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        Ok(())
    }

    /// What the events of a stretch come to.
    async fn fold(&self, connection: &mut PgConnection, events: &[Recorded], end: &End) -> Result<Stretch, StoreError> {
        let mut state = State::new(Settings::default());
        events.iter().filter(|recorded| is_of_tokens(recorded)).for_each(|recorded| state.apply(recorded));
        let issued: Vec<Uuid> = state.tokens().map(|token| token.jti).collect();
        self.go_on(connection, &mut state, issued, end.after).await?;
        let first = events.first().map_or(Position(i64::MAX), |recorded| recorded.position);
        let is_here = |issued: Position| first <= issued && issued.0 <= end.after;
        let past = state.past().iter().filter(|past| is_here(past.issued)).cloned().collect();
        let entries = state.entries().iter().filter(|(issued, _)| is_here(**issued));
        let entries = entries.map(|(issued, entry)| (*issued, *entry)).collect();
        // An identifier that was issued again is the later token's.
        let tokens = state.into_tokens().map(|token| (token.jti, token));
        let (tokens, others) = tokens.partition(|(_, token)| is_here(token.issued));
        Ok(Stretch { last: end.last, tokens, past, entries, others })
    }

    /// Adds those of these tokens that were issued elsewhere.
    pub(super) async fn recall(
        &self,
        connection: &mut PgConnection,
        stretch: &mut Stretch,
        ids: impl Iterator<Item = Uuid>,
    ) -> Result<(), StoreError> {
        let strangers: Vec<Uuid> = ids.filter(|jti| stretch.token(*jti).is_none()).collect();
        if strangers.is_empty() {
            return Ok(());
        }
        let mut state = State::new(Settings::default());
        self.go_on(connection, &mut state, strangers.clone(), 0).await?;
        // What was filed elsewhere may have made others, too.
        let recalled = state.into_tokens().filter(|token| strangers.contains(&token.jti));
        stretch.others.extend(recalled.map(|token| (token.jti, token)));
        Ok(())
    }

    /// Applies what is said of tokens after a position.
    async fn go_on(
        &self,
        connection: &mut PgConnection,
        state: &mut State,
        ids: Vec<Uuid>,
        after: i64,
    ) -> Result<(), StoreError> {
        let known = self.known.iter().filter(|recorded| recorded.position.0 > after && is_of_tokens(recorded));
        let mut known = known.peekable();
        if !ids.is_empty() {
            let mut query = log::select_lives(ids, after);
            let mut rows = std::pin::pin!(log::rows(connection, &mut query));
            while let Some(row) = rows.try_next().await? {
                let Some(recorded) = filed(&row) else { continue };
                while let Some(earlier) = known.next_if(|known| known.position < recorded.position) {
                    state.apply(earlier);
                }
                state.apply(&recorded);
            }
        }
        known.for_each(|recorded| state.apply(recorded));
        Ok(())
    }
}

/// The event of a row, if it is one that its columns say.
fn filed(row: &EventRow) -> Option<Recorded> {
    row.decode().ok().filter(|recorded| is_filed(row, recorded))
}

/// Whether an event is found by its columns.
pub(super) fn is_filed(row: &EventRow, recorded: &Recorded) -> bool {
    let event = &recorded.occurrence.event;
    row.kind == codec::kind(event) && row.jti == event.jti()
}

/// Whether an event may make a token, or change one.
fn is_of_tokens(recorded: &Recorded) -> bool {
    matches!(
        recorded.occurrence.event,
        Event::TokenIssued(_)
            | Event::TokenRevoked(_)
            | Event::TokenSuspended(_)
            | Event::TokenResumed(_)
            | Event::TokensRevokedByRule(_)
            | Event::KeyCompromised(_)
    )
}
