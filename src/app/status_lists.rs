//! The status lists as anybody may have them: made off the request path from what is in memory, when it has changed and
//! when half of the time has passed for which a list may be kept.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use tokio::{
    task::JoinError,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use super::{Catalog, Live, metrics};
use crate::{
    domain::{
        Path,
        causes::Causes,
        key::Algorithm,
        status_list::{PackedList, StatusListBegun, TTL_SECONDS_DEFAULT},
        text::Kid,
    },
    signing::{Keyring, SigningError, StatusList, StatusListClaims, gzip},
    store::follower::{ListVersion, ListedTokens},
};

/// How soon a change is in a list.
const PUBLISH_PERIOD: Duration = Duration::from_secs(1);
/// Of the processor's time no more than one in so many parts is spent on lists, however large they are.
const SHARE: u32 = 8;

/// What was published last, by list.
#[derive(Default)]
pub(super) struct StatusLists(RwLock<HashMap<Uuid, Arc<PublishedList>>>);

/// A Status List Token.
#[derive(Debug)]
pub struct PublishedList {
    plain: Tagged,
    packed: Tagged,
    status_list: StatusList,
    version: ListVersion,
    terms: Terms,
}

/// Bytes, and the entity tag of them.
#[derive(Debug)]
struct Tagged {
    bytes: Bytes,
    tag: String,
}

/// What a list is signed with, when, and for how long it may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Terms {
    kid: Kid,
    alg: Algorithm,
    ttl_seconds: u32,
    made: DateTime<Utc>,
}

/// Why there is no list to be had.
#[derive(Debug, thiserror::Error)]
pub enum StatusListError {
    /// There is none of that name, or no token refers to it any more.
    #[error("there is no status list {0}")]
    Unknown(Uuid),
    /// The key that signs is not here.
    #[error("the key {0} is not here")]
    KeyNotHere(Kid),
    /// What it says now cannot be told.
    #[error("what the list says cannot be told")]
    Unavailable,
}

/// Why no list was made. Those from before are good until they expire.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// It could not be compressed.
    #[error(transparent)]
    Compression(#[from] io::Error),
    /// The task that made it broke off.
    #[error(transparent)]
    Task(#[from] JoinError),
}

impl PublishedList {
    /// As it is, with its entity tag.
    #[must_use]
    pub fn plain(&self) -> (Bytes, &str) {
        (self.plain.bytes.clone(), &self.plain.tag)
    }

    /// Compressed by gzip, with the entity tag of that.
    #[must_use]
    pub fn packed(&self) -> (Bytes, &str) {
        (self.packed.bytes.clone(), &self.packed.tag)
    }

    /// For how many seconds from `now` on others may hand it out.
    #[must_use]
    pub fn max_age_seconds(&self, now: DateTime<Utc>) -> i64 {
        (self.terms.made.timestamp() + i64::from(self.terms.ttl_seconds) - now.timestamp()).max(0)
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        now.timestamp() >= self.terms.expires_at()
    }
}

impl Terms {
    /// Twice the time for which it may be kept: whatever others have kept it for, nobody goes by it for longer.
    fn expires_at(&self) -> i64 {
        self.made.timestamp() + 2 * i64::from(self.ttl_seconds)
    }

    /// Whether what was made on these terms is still as good as what would be made on those.
    fn will_do_for(&self, now: &Self) -> bool {
        let half = TimeDelta::milliseconds(i64::from(self.ttl_seconds) * 500);
        let is_young = self.made <= now.made && now.made < self.made + half;
        is_young && (&self.kid, self.ttl_seconds) == (&now.kid, now.ttl_seconds)
    }
}

/// A list that is to be made: anew, or only signed anew.
struct Draft {
    begun: StatusListBegun,
    version: ListVersion,
    content: Content,
}

enum Content {
    New(PackedList),
    AsBefore(StatusList),
}

impl Draft {
    /// What is to be made of a list, if anything.
    fn of(listed: ListedTokens, before: Option<&PublishedList>, terms: &Terms) -> Option<Self> {
        let ListedTokens { begun, version, packed } = listed;
        let content = match (packed, before) {
            (Some(packed), _) => Content::New(packed),
            (None, Some(before)) if before.terms.will_do_for(terms) => return None,
            (None, Some(before)) => Content::AsBefore(before.status_list.clone()),
            (None, None) => return None,
        };
        Some(Self { begun, version, content })
    }

    /// Milliseconds for a million entries.
    fn make(self, keyring: &Keyring, terms: &Terms) -> Result<(Uuid, PublishedList), PublishError> {
        let status_list = match self.content {
            Content::New(packed) => StatusList::of(&packed)?,
            Content::AsBefore(status_list) => status_list,
        };
        let claims = StatusListClaims {
            sub: self.begun.uri,
            iat: terms.made.timestamp(),
            exp: terms.expires_at(),
            ttl: terms.ttl_seconds,
            status_list,
        };
        let token = keyring.sign_status_list((&terms.kid, terms.alg), &claims)?;
        let (packed, plain) = (Tagged::new(gzip(token.as_bytes())?), Tagged::new(token.into_bytes()));
        let (status_list, version, terms) = (claims.status_list, self.version, terms.clone());
        Ok((self.begun.id, PublishedList { plain, packed, status_list, version, terms }))
    }
}

impl Tagged {
    fn new(bytes: Vec<u8>) -> Self {
        Self { tag: format!("\"{}\"", hex::encode(Sha256::digest(&bytes))), bytes: bytes.into() }
    }
}

impl StatusLists {
    fn all(&self) -> HashMap<Uuid, Arc<PublishedList>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn get(&self, id: Uuid) -> Option<Arc<PublishedList>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn put(&self, lists: HashMap<Uuid, Arc<PublishedList>>) {
        metrics::status_lists(lists.len());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = lists;
    }
}

impl Catalog {
    /// A status list as it was published last.
    ///
    /// # Errors
    /// [`StatusListError`].
    pub fn status_list(&self, id: Uuid) -> Result<Arc<PublishedList>, StatusListError> {
        let live = self.live();
        if !live.settings.status_lists.iter().any(|list| list.id == id) {
            return Err(StatusListError::Unknown(id));
        }
        match self.live_tokens.has_status_list(id) {
            None => return Err(StatusListError::Unavailable),
            Some(false) => return Err(StatusListError::Unknown(id)),
            Some(true) => {}
        }
        if let Some(kid) = live.signer(Path::Api).filter(|_| !live.can_sign()) {
            return Err(StatusListError::KeyNotHere(kid.clone()));
        }
        let now = self.ambient.clock.now();
        self.status_lists.get(id).filter(|list| !list.is_over(now)).ok_or(StatusListError::Unavailable)
    }

    /// Makes the lists that have changed, and those that will soon be too old.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_status_lists(&self) -> Result<(), PublishError> {
        // What a rule covers is over for checks before it is so in the lists.
        self.live_tokens.expanded().await;
        let (live, now) = (self.live(), self.ambient.clock.now());
        let Some(terms) = terms(&live, now) else {
            self.status_lists.put(HashMap::new());
            return Ok(());
        };
        let before = self.status_lists.all();
        let known = before.iter().map(|(id, list)| (*id, list.version)).collect();
        // What is too old to be answered from is too old to be published.
        let Some(listed) = self.live_tokens.status_lists(now, &known) else { return Ok(()) };
        let kept = listed.iter().filter_map(|list| Some((list.begun.id, before.get(&list.begun.id)?.clone())));
        let mut published: HashMap<Uuid, Arc<PublishedList>> = kept.collect();
        let drafts = listed.into_iter().filter_map(|listed| {
            let before = before.get(&listed.begun.id).map(|list| &**list);
            Draft::of(listed, before, &terms)
        });
        let drafts: Vec<Draft> = drafts.collect();
        if !drafts.is_empty() {
            let keyring = live.keyring.clone();
            let anew = tokio::task::spawn_blocking(move || {
                drafts.into_iter().map(|draft| draft.make(&keyring, &terms)).collect::<Result<Vec<_>, _>>()
            });
            let anew = anew.await??;
            metrics::status_lists_made(anew.len());
            published.extend(anew.into_iter().map(|(id, list)| (id, Arc::new(list))));
        }
        self.status_lists.put(published);
        Ok(())
    }

    /// Makes every list, so that the first who ask are answered, too.
    pub async fn load_status_lists(&self) {
        if let Err(error) = self.publish_status_lists().await {
            tracing::warn!(error = %Causes(&error), "status lists are not made yet");
        }
    }

    /// Publishes for as long as it is polled.
    pub(super) async fn keep_status_lists(&self) -> Infallible {
        let mut period = interval(PUBLISH_PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_told = false;
        loop {
            period.tick().await;
            let begun = Instant::now();
            match self.publish_status_lists().await {
                Ok(()) => is_told = false,
                // Once is enough: what fails now will fail in a second.
                Err(_) if is_told => {}
                Err(error) => {
                    tracing::error!(error = %Causes(&error), "a status list cannot be made");
                    is_told = true;
                }
            }
            sleep((begun.elapsed() * (SHARE - 1)).saturating_sub(PUBLISH_PERIOD)).await;
        }
    }
}

/// On what terms lists are made now; `None` = the key that signs is not here.
fn terms(live: &Live, made: DateTime<Utc>) -> Option<Terms> {
    let key = live.keyring.facts(live.signer(Path::Api)?)?;
    let rules = live.settings.policy.as_ref().and_then(|policy| policy.rules.status_lists.as_ref());
    let ttl_seconds = rules.map_or(TTL_SECONDS_DEFAULT, |rules| rules.ttl_seconds);
    Some(Terms { kid: key.kid, alg: key.alg, ttl_seconds, made })
}
