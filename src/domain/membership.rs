//! Which teams a subject is in, as somebody outside the catalog says.

use std::collections::HashMap;

use serde::Deserialize;

use super::{
    policy::MembershipSource,
    text::{Subject, TeamId},
};

/// What a source says of one subject's teams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// It could not say anything of anybody.
    Unavailable,
    /// The subject is not known there.
    Unknown,
    /// It is in these, and in no others.
    Of(Vec<TeamId>),
}

/// What was asked of whom before an issuance was decided. A policy that names another source by then was not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The source that was asked.
    pub source: MembershipSource,
    /// What it said.
    pub membership: Membership,
}

/// Who is in which team: a JSON object of subjects, each with the list of its teams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Directory(HashMap<Subject, Vec<TeamId>>);

impl Directory {
    /// The teams of `subject`.
    #[must_use]
    pub fn membership(&self, subject: &Subject) -> Membership {
        self.0.get(subject).map_or(Membership::Unknown, |teams| Membership::Of(teams.clone()))
    }

    /// How many subjects it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it knows nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
