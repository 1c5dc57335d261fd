//! What was issued: how much, by which door, by whom, to whom, for what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    pool::{Book, Id, pairs},
    seen::{ERASED, Issued, Seen},
    tally::{Count, Tally, sorted},
};
use crate::domain::event::Elevation;

/// What a token of every team is counted under.
pub const EVERY_TEAM: &str = "(every team)";
/// What a token of no team is counted under.
pub const NO_TEAM: &str = "(public only)";
/// What a token that names no permission is counted under.
pub const ALL_PERMISSIONS: &str = "(all its subject may do)";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Issuance {
    total: u64,
    out_of_band: u64,
    admins: u64,
    successors: u64,
    path: Tally,
    actor: Tally,
    subject: Tally,
    every_team: u64,
    /// By the list of those that a token names, so that a token is counted once.
    teams: Tally,
    permissions: Tally,
    key: Tally,
    elevated: [u64; Elevation::ALL.len()],
    #[serde(with = "pairs")]
    policy_version: BTreeMap<u32, u64>,
}

/// What was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuanceReport {
    /// How many tokens.
    pub total: u64,
    /// Of these, past the API's controls.
    pub out_of_band: u64,
    /// Of these, for administrators.
    pub admins: u64,
    /// Of these, in the place of another token.
    pub successors: u64,
    /// By door.
    pub by_path: Vec<Count>,
    /// By who had them issued.
    pub by_actor: Vec<Count>,
    /// By whom they speak for.
    pub by_subject: Vec<Count>,
    /// By team that they name; a token of several is counted in each.
    pub by_team: Vec<Count>,
    /// By permission that they name; a token of several is counted in each.
    pub by_permission: Vec<Count>,
    /// By the key that signs them.
    pub by_key: Vec<Count>,
    /// By what was elevated; a token of several is counted in each.
    pub by_elevation: Vec<Count>,
    /// By the version of the policy that allowed them, in its order.
    pub by_policy_version: Vec<Count>,
}

/// What an issuance names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) by: Id,
    pub(super) sub: Option<Id>,
    pub(super) kid: Id,
    /// `None` = every team.
    pub(super) teams: Option<Id>,
    pub(super) permissions: Id,
}

impl Named {
    pub(super) fn of(issued: &Issued<'_>, by: Id, book: &mut Book) -> Self {
        Self {
            by,
            sub: issued.sub.as_deref().map(|sub| book.name(sub)),
            kid: book.name(&issued.kid),
            teams: issued.teams.as_ref().map(|teams| book.list(teams)),
            permissions: book.list(&issued.permissions),
        }
    }
}

impl Issuance {
    pub(super) fn add(&mut self, issued: &Issued<'_>, seen: &Seen<'_>, named: Named, book: &mut Book) {
        self.total += 1;
        self.out_of_band += u64::from(issued.out_of_band);
        self.admins += u64::from(issued.is_admin);
        self.successors += u64::from(issued.predecessor.is_some());
        self.path.add(book.name(seen.path.as_str()), 1);
        self.actor.add(named.by, 1);
        self.subject.add(named.sub.unwrap_or_else(|| book.name(ERASED)), 1);
        self.key.add(named.kid, 1);
        self.permissions.add(named.permissions, 1);
        *self.policy_version.entry(issued.policy_version).or_default() += 1;
        match named.teams {
            None => self.every_team += 1,
            Some(teams) => self.teams.add(teams, 1),
        }
        for (count, elevation) in self.elevated.iter_mut().zip(Elevation::ALL) {
            *count += u64::from(issued.elevated.contains(&elevation));
        }
    }

    pub(super) fn told(&self, book: &Book) -> IssuanceReport {
        let of_version = |(version, count): (&u32, &u64)| Count { name: version.to_string(), count: *count };
        IssuanceReport {
            total: self.total,
            out_of_band: self.out_of_band,
            admins: self.admins,
            successors: self.successors,
            by_path: self.path.told(book),
            by_actor: self.actor.told(book),
            by_subject: self.subject.told(book),
            by_team: sorted(self.teams.told_of_lists(NO_TEAM, book).chain(several(EVERY_TEAM, self.every_team))),
            by_permission: sorted(self.permissions.told_of_lists(ALL_PERMISSIONS, book)),
            by_key: self.key.told(book),
            by_elevation: sorted(
                Elevation::ALL.into_iter().zip(self.elevated).filter_map(|(name, count)| several(name.as_str(), count)),
            ),
            by_policy_version: self.policy_version.iter().map(of_version).collect(),
        }
    }
}

/// Nothing is told that did not occur.
fn several(name: &str, count: u64) -> Option<Count> {
    (count > 0).then(|| Count { name: name.to_owned(), count })
}
