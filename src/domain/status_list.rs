//! Token Status Lists (draft-ietf-oauth-status-list-20): where a token's status stands among many others', in two bits.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{State, ambient::Entropy};

/// `typ` of a list (section 5.1).
pub const TYP: &str = "statuslist+jwt";
/// Bits an entry: suspension needs the second.
pub const BITS: u8 = 2;
/// Entries a list, a power of two. Half of them and more are never given away: who looks on cannot count tokens.
pub const ENTRIES: u32 = 1 << 20;
/// For how many seconds a list may be kept where no policy says so.
pub const TTL_SECONDS_DEFAULT: u32 = 60;

/// How many indexes are tried in a list. When all of them are taken it is full enough: one of 2^20 entries is so when
/// about half of them are.
const DRAWS: usize = 16;
const ENTRIES_PER_BYTE: u32 = 8 / BITS as u32;

/// Which tokens get an entry, as the policy says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusListRules {
    /// Where lists are fetched: a URL, below which each has its identifier.
    pub url: String,
    /// For how long a list may be kept before it is fetched anew, in seconds.
    pub ttl_seconds: u32,
}

/// `catalog.status_list_begun.v1`: tokens get their entries in this list from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusListBegun {
    /// The list.
    pub id: Uuid,
    /// Where it is fetched: what its tokens say.
    pub uri: String,
    /// How many entries it has.
    pub entries: u32,
}

impl StatusListBegun {
    fn below(url: &str, id: Uuid) -> Self {
        Self { id, uri: format!("{url}/{id}"), entries: ENTRIES }
    }

    /// Whether it is where lists are fetched by these rules.
    fn is_by(&self, rules: &StatusListRules) -> bool {
        self.uri.strip_suffix(&self.id.to_string()).and_then(|url| url.strip_suffix('/')) == Some(&*rules.url)
    }
}

/// A place in a list, given to one token and never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The list.
    pub list: Uuid,
    /// The place, from 0.
    pub idx: u32,
}

/// The claim `status` (section 6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusClaim {
    /// The one mechanism that is used.
    pub status_list: StatusReference,
}

/// Where a token's status stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusReference {
    /// The place in the list, from 0.
    pub idx: u32,
    /// Where the list is fetched.
    pub uri: String,
}

impl StatusClaim {
    /// Whether it names this entry.
    #[must_use]
    pub fn names(&self, entry: Entry) -> bool {
        let StatusReference { idx, uri } = &self.status_list;
        *idx == entry.idx && uri.ends_with(&format!("/{}", entry.list))
    }
}

/// What chance offers to one token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Draw {
    /// The identifier of a list, if one begins with the token.
    pub list: Uuid,
    /// Places in a list, each as likely as any other.
    pub indexes: [u32; DRAWS],
}

impl Draw {
    /// Another one each time.
    #[must_use]
    pub fn new(entropy: &dyn Entropy) -> Self {
        let (mut list, mut bytes) = ([0; 16], [0; DRAWS * 4]);
        entropy.fill(&mut list);
        entropy.fill(&mut bytes);
        let mut indexes = [0; DRAWS];
        for (index, bytes) in indexes.iter_mut().zip(bytes.as_chunks().0) {
            *index = u32::from_be_bytes(*bytes) % ENTRIES;
        }
        Self { list: uuid::Builder::from_random_bytes(list).into_uuid(), indexes }
    }
}

/// The entry of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The list that begins with it.
    pub begun: Option<StatusListBegun>,
    /// The entry.
    pub entry: Entry,
    /// What the token says of it.
    pub claim: StatusClaim,
}

/// Gives a new token an entry, where the policy has lists: in the list that is open, or in a new one when that is full
/// enough or elsewhere.
#[must_use]
pub fn enter(state: &State, draw: &Draw) -> Option<Entered> {
    let rules = state.settings.policy.as_ref()?.rules.status_lists.as_ref()?;
    let open = state.settings.status_lists.last().filter(|open| open.is_by(rules));
    let free = open.and_then(|open| {
        let mut entries = draw.indexes.iter().map(|idx| Entry { list: open.id, idx: idx % open.entries });
        Some((open, entries.find(|entry| !state.is_taken(*entry))?))
    });
    if let Some((open, entry)) = free {
        return Some(Entered { begun: None, entry, claim: claim(open, entry) });
    }
    let begun = StatusListBegun::below(&rules.url, draw.list);
    let entry = Entry { list: begun.id, idx: draw.indexes[0] };
    let claim = claim(&begun, entry);
    Some(Entered { begun: Some(begun), entry, claim })
}

fn claim(list: &StatusListBegun, Entry { idx, .. }: Entry) -> StatusClaim {
    StatusClaim { status_list: StatusReference { idx, uri: list.uri.clone() } }
}

/// What an entry says (section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusType {
    /// Nothing stands against the token, or there is none.
    Valid,
    /// It is revoked.
    Invalid,
    /// It is held back.
    Suspended,
}

impl StatusType {
    fn value(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Suspended => 2,
        }
    }
}

/// The entries of a list, as they are compressed (section 4.1): the first in the lowest bits of the first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedList(Vec<u8>);

impl PackedList {
    /// A list of so many entries, all valid.
    #[must_use]
    pub fn new(entries: u32) -> Self {
        Self(vec![0; entries.div_ceil(ENTRIES_PER_BYTE) as usize])
    }

    /// Says this of an entry. Whether it said something else before.
    pub fn set(&mut self, idx: u32, status: StatusType) -> bool {
        self.put(idx, status.value())
    }

    fn put(&mut self, idx: u32, value: u8) -> bool {
        let Some(byte) = self.0.get_mut((idx / ENTRIES_PER_BYTE) as usize) else { return false };
        let shift = idx % ENTRIES_PER_BYTE * u32::from(BITS);
        let changed = *byte & !(0b11 << shift) | value << shift;
        std::mem::replace(byte, changed) != changed
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_4_1_twelve_entries_of_two_bits_are_the_three_bytes_of_the_example() {
        let mut list = PackedList::new(12);

        for (idx, value) in (0..).zip([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]) {
            list.put(idx, value);
        }

        assert_eq!(list.bytes(), [0xc9, 0x44, 0xf9]);
    }

    #[test]
    fn an_entry_is_changed_and_no_other_and_past_the_end_there_is_none() {
        let mut list = PackedList::new(8);

        assert!(list.set(3, StatusType::Invalid) && !list.set(3, StatusType::Invalid));
        assert!(list.set(4, StatusType::Suspended) && list.set(7, StatusType::Invalid));
        assert_eq!(list.bytes(), [0b0100_0000, 0b0100_0010]);
        assert!(list.set(4, StatusType::Valid));
        assert_eq!(list.bytes(), [0b0100_0000, 0b0100_0000]);
        assert!(!list.set(8, StatusType::Invalid));
    }
}
