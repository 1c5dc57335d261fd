//! What was issued: how much, by which door, by whom, to whom, for what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    pool::{Book, Id, pairs},
    seen::{ERASED, Issued, Seen},
    tally::{Count, Tally},
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
    team: Tally,
    permission: Tally,
    key: Tally,
    elevated: Tally,
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

impl Issuance {
    pub(super) fn add(&mut self, issued: &Issued<'_>, seen: &Seen<'_>, by: Id, book: &mut Book) {
        self.total += 1;
        self.out_of_band += u64::from(issued.out_of_band);
        self.admins += u64::from(issued.is_admin);
        self.successors += u64::from(issued.predecessor.is_some());
        self.path.add(book.name(seen.path.as_str()), 1);
        self.actor.add(by, 1);
        self.subject.add(book.name(issued.sub.as_deref().unwrap_or(ERASED)), 1);
        self.key.add(book.name(&issued.kid), 1);
        *self.policy_version.entry(issued.policy_version).or_default() += 1;
        match issued.teams.as_deref() {
            None => self.team.add(book.name(EVERY_TEAM), 1),
            Some([]) => self.team.add(book.name(NO_TEAM), 1),
            Some(teams) => each_once(&mut self.team, teams, book),
        }
        match issued.permissions.as_slice() {
            [] => self.permission.add(book.name(ALL_PERMISSIONS), 1),
            permissions => each_once(&mut self.permission, permissions, book),
        }
        for elevation in &issued.elevated {
            self.elevated.add(book.name(Elevation::as_str(*elevation)), 1);
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
            by_team: self.team.told(book),
            by_permission: self.permission.told(book),
            by_key: self.key.told(book),
            by_elevation: self.elevated.told(book),
            by_policy_version: self.policy_version.iter().map(of_version).collect(),
        }
    }
}

fn each_once<T: AsRef<str> + PartialEq>(tally: &mut Tally, names: &[T], book: &mut Book) {
    for (index, name) in names.iter().enumerate() {
        if !names[..index].contains(name) {
            tally.add(book.name(name.as_ref()), 1);
        }
    }
}
