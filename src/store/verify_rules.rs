//! That the rules are those of the log.

use super::{difference, rules::LooseRule, verify::Difference};
use crate::domain::{Position, Predicate, Rule};

/// Where the rows of `revocation_rules`, in the order of the log, differ from the fold.
pub(super) fn differences(rows: &[LooseRule], folded: &[Rule]) -> Vec<Difference> {
    let row_of = |rule: &Rule| rows.iter().find(|row| row.position == rule.position);
    let changed = folded.iter().filter_map(|rule| {
        let detail = match row_of(rule).map(|row| &row.whole) {
            Some(Ok(row)) if row == rule => return None,
            // What was erased of the event may still be in the row.
            Some(Ok(row)) if !rule.is_whole && lasting(row) == lasting(rule) => return None,
            Some(Ok(row)) => {
                let differs = if rule.is_whole {
                    difference::first(row, Some(rule))
                } else {
                    difference::first(&lasting(row), Some(&lasting(rule)))
                };
                format!("the row of the rule is not what its event says: {differs}")
            }
            Some(Err(error)) => format!("the row of revocation_rules cannot be read: {error}"),
            None => "the rule has no row".to_owned(),
        };
        Some((Some(rule.position), detail))
    });
    let unexplained = rows.iter().filter(|row| folded.iter().all(|rule| rule.position != row.position));
    let unexplained = unexplained.map(|row| (Some(row.position), "a row of revocation_rules has no event".to_owned()));
    changed.chain(unexplained).collect()
}

/// The rules that are not in the rows of all their tokens yet, as their own rows say them, or, where these cannot be read,
/// as the log does.
pub(super) fn unfilled(rows: Vec<LooseRule>, folded: &[Rule]) -> Vec<Rule> {
    let of_log = |position: Position| folded.iter().find(|rule| rule.position == position).cloned();
    let unfilled = rows.into_iter().filter(|row| !row.is_filled);
    unfilled.filter_map(|row| row.whole.ok().or_else(|| of_log(row.position))).collect()
}

/// What no erasure takes from a rule.
fn lasting(rule: &Rule) -> Rule {
    let predicate = Predicate { sub: None, name: None, ..rule.predicate.clone() };
    Rule { predicate, note: None, by: None, is_whole: false, ..rule.clone() }
}
