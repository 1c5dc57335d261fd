//! Which requests a line of the appender's is about: it works for many at once.

use std::fmt;

use crate::domain::{Command, text::RequestId};

/// The most that are named.
const NAMED_MAX: usize = 10;

/// The requests of a batch, by their names.
pub(super) struct Names {
    named: Vec<RequestId>,
    more: usize,
}

impl Names {
    pub(super) fn of<'a>(commands: impl ExactSizeIterator<Item = &'a Command>) -> Self {
        let more = commands.len().saturating_sub(NAMED_MAX);
        Self { named: commands.take(NAMED_MAX).map(|command| command.origin.request_id.clone()).collect(), more }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.named.iter().enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { " " })?;
        }
        if self.more > 0 { write!(f, " and {} more", self.more) } else { Ok(()) }
    }
}
