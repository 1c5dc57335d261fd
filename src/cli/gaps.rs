//! Positions that the log does not have: what is read then is all that is there, and not all that was.

use indicatif::ProgressBar;

use super::output;
use crate::domain::Position;

/// Who reads the log on, and whether no position was missing so far.
pub(super) struct Gaps {
    due: i64,
    is_any: bool,
}

impl Gaps {
    /// Behind a position.
    pub(super) fn after(position: Position) -> Self {
        Self { due: position.0 + 1, is_any: false }
    }

    /// Whether any position was missing.
    pub(super) fn is_any(&self) -> bool {
        self.is_any
    }

    /// The next event is this one.
    pub(super) fn pass(&mut self, position: Position, bar: &ProgressBar) {
        self.tell(position.0, bar);
        self.due = position.0 + 1;
    }

    /// There is none more up to this position.
    pub(super) fn end(&mut self, until: Position, bar: &ProgressBar) {
        self.tell(until.0 + 1, bar);
        self.due = until.0 + 1;
    }

    fn tell(&mut self, next: i64, bar: &ProgressBar) {
        if next > self.due {
            self.is_any = true;
            let gap = format!("warning: the log has no event at the positions from {} to {}", self.due, next - 1);
            bar.suspend(|| output::say(&gap));
        }
    }
}
