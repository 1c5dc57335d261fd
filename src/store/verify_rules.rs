//! That the rules are those of the log.

use super::{rules::RuleRow, verify::Difference};
use crate::domain::{Predicate, Rule};

/// Where the rows of `revocation_rules`, in the order of the log, differ from the fold.
pub(super) fn differences(rows: Vec<RuleRow>, folded: &[Rule]) -> Vec<Difference> {
    let rows: Vec<Rule> = rows.into_iter().map(Rule::from).collect();
    let row_of = |rule: &Rule| rows.iter().find(|row| row.position == rule.position);
    let changed = folded.iter().filter_map(|rule| match row_of(rule) {
        Some(row) if row == rule => None,
        // What was erased of the event may still be in the row.
        Some(row) if !rule.is_whole && lasting(row) == lasting(rule) => None,
        Some(_) => Some((Some(rule.position), "the row of the rule is not what its event says".to_owned())),
        None => Some((Some(rule.position), "the rule has no row".to_owned())),
    });
    let unexplained = rows.iter().filter(|row| folded.iter().all(|rule| rule.position != row.position));
    let unexplained = unexplained.map(|row| (Some(row.position), "a row of revocation_rules has no event".to_owned()));
    changed.chain(unexplained).collect()
}

/// What no erasure takes from a rule.
fn lasting(rule: &Rule) -> Rule {
    let predicate = Predicate { sub: None, name: None, ..rule.predicate.clone() };
    Rule { predicate, note: None, by: None, is_whole: false, ..rule.clone() }
}
