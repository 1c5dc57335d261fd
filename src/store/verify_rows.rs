//! That the row of each token is the fold of its events.

use super::{difference, row::TokenRow, tokens, verify::Difference};
use crate::domain::{Rule, Token};

/// What rows are held against.
pub(super) struct Expected {
    pub(super) unfilled: Vec<Rule>,
    pub(super) rules: Vec<Rule>,
}

impl Expected {
    /// Column by column: a row that no program of ours would write differs, too.
    pub(super) fn difference(&self, folded: Option<&Token>, row: tokens::LooseRow) -> Option<Difference> {
        let jti = row.jti;
        let Some(folded) = folded else {
            return Some((None, format!("the row of token {jti} has no event")));
        };
        let detail = match row.whole {
            Ok(row) if self.is_as_folded(&row, folded) => return None,
            Ok(row) => difference::first(&row, Some(&TokenRow::from(folded))),
            Err(error) => error.to_string(),
        };
        let last = [folded.revocation.as_ref().map(|r| r.position), folded.suspension.as_ref().map(|s| s.position)];
        let last = last.into_iter().flatten().max().unwrap_or(folded.issued);
        Some((Some(last), format!("the row of token {jti} is not what its events say: {detail}")))
    }

    fn is_as_folded(&self, row: &TokenRow, folded: &Token) -> bool {
        let expected = TokenRow::from(folded);
        if *row == expected {
            return true;
        }
        let Ok(mut token) = Token::try_from(row.clone()) else { return false };
        // Half a revocation reads as none.
        if TokenRow::from(&token) != *row {
            return false;
        }
        for rule in &self.unfilled {
            token.revoke_by(rule);
        }
        let by = token.revocation.as_ref().map(|revocation| revocation.position);
        // Of what was erased nobody can tell any more that the rule covered it, and the row is believed.
        let erased = self.rules.iter().find(|rule| Some(rule.position) == by && rule.may_have_covered(folded));
        let mut folded = folded.clone();
        folded.revocation = erased.map(Rule::revocation).or(folded.revocation);
        TokenRow::from(&token) == TokenRow::from(&folded)
    }
}
