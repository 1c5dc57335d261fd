//! What checks find, counted. docs/operations.md says what each figure means.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::striped::Striped;
use crate::domain::Status;

const CHECKS: &str = "catalog_checks_total";

const AUTHORIZATIONS: &str = "catalog_authorizations_total";

const PROVIDERS: &str = "catalog_provider_keys_total";

const ANSWERS: &str = "catalog_check_answers_total";

const READERS: &str = "catalog_feed_readers";

const PAGES: &str = "catalog_feed_pages_total";

const CUT_OFF: &str = "catalog_feed_readers_cut_off_total";

const STATUS_LISTS: &str = "catalog_status_lists";

const STATUS_LISTS_MADE: &str = "catalog_status_lists_made_total";

/// What gateways are told, but for a defect of ours: that a request may pass, or the code of the problem.
const TOLD: [&str; 10] = [
    "allowed",
    "malformed",
    "credential_missing",
    "credential_invalid",
    "issued_out_of_band",
    "server_mismatch",
    "address_not_allowed",
    "time_not_allowed",
    "permission_missing",
    "unavailable",
];

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// A token that a caller asks about.
    Token,
    /// The token that a caller presents as its own.
    Credential,
    /// The token that is presented to a gateway.
    Passage,
    /// The name and secret of a client.
    Client,
    /// An identifier, without the token itself.
    Jti,
}

impl Checked {
    const COUNT: usize = Self::Jti as usize + 1;

    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Credential => "credential",
            Self::Passage => "passage",
            Self::Client => "client",
            Self::Jti => "jti",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It is good.
    Active,
    /// It holds no more.
    Expired,
    /// It is held back.
    Suspended,
    /// It was ended.
    Revoked,
    /// What would have confirmed it is gone.
    Erased,
    /// It was never issued.
    Unknown,
    /// It is nobody's, or not of our making.
    Invalid,
    /// It names no key of ours.
    Foreign,
    /// It is signed with a key of ours and was not issued so.
    Shadow,
    /// It is a person's whom a provider vouches for.
    Person,
    /// It is a person's who is not let in.
    PersonRefused,
    /// The catalog says so, to an edge that asked it.
    NotActive,
    /// Nothing, at an edge that has not heard of its catalog for too long, or not all of a compromised key.
    Stale,
    /// Nothing, at an edge that cannot ask its catalog.
    Unconfirmed,
    /// Nothing, at an edge that cannot have the catalog's keys.
    KeysUnavailable,
    /// Nothing, at an edge that does not have the shared secret that it names.
    SecretUnknown,
    /// Nothing: could not tell is not no.
    Unavailable,
}

impl Finding {
    const COUNT: usize = Self::Unavailable as usize + 1;

    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Erased => "erased",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Foreign => "foreign",
            Self::Shadow => "shadow",
            Self::Person => "person",
            Self::PersonRefused => "person_refused",
            Self::NotActive => "not_active",
            Self::Stale => "stale",
            Self::Unconfirmed => "unconfirmed",
            Self::KeysUnavailable => "keys_unavailable",
            Self::SecretUnknown => "secret_unknown",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<Status> for Finding {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Expired => Self::Expired,
            Status::Suspended => Self::Suspended,
            Status::Revoked => Self::Revoked,
        }
    }
}

/// Where a token was found that a check asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// In memory.
    Memory,
    /// In memory that is too old, which is answered from all the same.
    Stale,
    /// In the log.
    Log,
}

impl Source {
    const COUNT: usize = Self::Log as usize + 1;

    fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Stale => "stale",
            Self::Log => "log",
        }
    }
}

/// Why somebody who read the feed does so no more, and did not end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutOff {
    /// It was too far behind.
    Slow,
    /// The server had let go what it did not hear yet.
    Lost,
    /// What it follows is not this log any more.
    Elsewhere,
    /// It would not be let in any more.
    Credential,
    /// The log could not be read for it.
    Unavailable,
    /// It took nothing of what it was sent until its connection was given up.
    Unread,
}

impl CutOff {
    const ALL: [Self; 6] = [Self::Slow, Self::Lost, Self::Elsewhere, Self::Credential, Self::Unavailable, Self::Unread];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Lost => "lost",
            Self::Elsewhere => "elsewhere",
            Self::Credential => "credential",
            Self::Unavailable => "unavailable",
            Self::Unread => "unread",
        }
    }
}

/// Somebody reads the feed for as long as this lives.
#[derive(Debug)]
pub struct FeedReader(());

impl FeedReader {
    /// Somebody begins.
    #[must_use]
    pub fn begins() -> Self {
        gauge!(READERS).increment(1);
        Self(())
    }
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        gauge!(READERS).decrement(1);
    }
}

/// A reader of the feed is cut off.
pub fn cut_off(why: CutOff) {
    counted(why, 1);
}

fn counted(why: CutOff, readers: u64) {
    counter!(CUT_OFF, "why" => why.as_str()).increment(readers);
}

/// A page was made for all who read the feed.
pub(super) fn feed_page() {
    counter!(PAGES).increment(1);
}

/// Describes what an edge counts, too.
pub fn describe_checks() {
    for told in TOLD {
        counter!(AUTHORIZATIONS, "told" => told).increment(0);
    }
    describe_counter!(AUTHORIZATIONS, Unit::Count, "Requests that gateways asked about, by what they were told.");
    describe_counter!(CHECKS, Unit::Count, "Checks by what was checked and what was found.");
}

/// Describes the metrics to the recorder, and begins each series whose labels are known at nought.
pub fn describe() {
    describe_checks();
    describe_gauge!(READERS, Unit::Count, "Those who read the feed as a stream.");
    describe_counter!(PAGES, Unit::Count, "Pages and heartbeats that were made for those who read the feed.");
    describe_counter!(CUT_OFF, Unit::Count, "Readers of the feed that were cut off, by why.");
    describe_counter!(
        PROVIDERS,
        Unit::Count,
        "Times that identity providers were asked for their keys, by the answer."
    );
    describe_counter!(ANSWERS, Unit::Count, "Tokens that checks asked for, by where they were found.");
    describe_gauge!(STATUS_LISTS, Unit::Count, "Status lists that are published.");
    describe_counter!(STATUS_LISTS_MADE, Unit::Count, "Status lists that were made, or signed anew.");
    gauge!(READERS).set(0);
    gauge!(STATUS_LISTS).set(0);
    counter!(STATUS_LISTS_MADE).increment(0);
    counter!(PAGES).increment(0);
    for why in CutOff::ALL {
        counted(why, 0);
    }
}

/// So many status lists are published.
pub(super) fn status_lists(lists: usize) {
    gauge!(STATUS_LISTS).set(u32::try_from(lists).unwrap_or(u32::MAX));
}

/// So many status lists were made, or signed anew.
pub(super) fn status_lists_made(lists: usize) {
    counter!(STATUS_LISTS_MADE).increment(lists as u64);
}

/// An identity provider was asked for its keys.
pub(super) fn provider_asked(is_good: bool) {
    counter!(PROVIDERS, "answer" => if is_good { "good" } else { "none" }).increment(1);
}

// They are at hand from the first time on that they count: to look for one by its labels is a good part of a check.
static CHECKED: [[Striped; Finding::COUNT]; Checked::COUNT] =
    [const { [const { Striped::new() }; Finding::COUNT] }; Checked::COUNT];
static AUTHORIZED: [Striped; TOLD.len()] = [const { Striped::new() }; TOLD.len()];
static ANSWERED: [Striped; Source::COUNT] = [const { Striped::new() }; Source::COUNT];

/// A check found this.
pub fn checked(what: Checked, finding: Finding) {
    let made = || counter!(CHECKS, "of" => what.as_str(), "verdict" => finding.as_str());
    CHECKED[what as usize][finding as usize].increment(1, made);
}

/// A gateway asked about a request and was told this: `allowed`, or the code of the problem.
pub fn authorized(told: &'static str) {
    let made = || counter!(AUTHORIZATIONS, "told" => told);
    match TOLD.iter().position(|known| *known == told) {
        Some(index) => AUTHORIZED[index].increment(1, made),
        None => made().increment(1),
    }
}

/// So many tokens were asked for, and found there.
pub(super) fn answered(source: Source, tokens: usize) {
    if tokens > 0 {
        ANSWERED[source as usize].increment(tokens as u64, || counter!(ANSWERS, "from" => source.as_str()));
    }
}

/// Tells the recorder what was counted: to be done before anybody is shown it.
pub fn tell() {
    CHECKED.iter().flatten().chain(&AUTHORIZED).chain(&ANSWERED).for_each(Striped::tell);
}
