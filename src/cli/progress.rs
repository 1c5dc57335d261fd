//! How far a long command has come, for whoever looks on; nothing in a pipe.

use std::{fmt::Write, io::IsTerminal};

use indicatif::{HumanFloatCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A bar on stderr, drawn as `template` says, once it is told its length.
pub(super) fn bar(template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // A template that does not parse would be a defect of ours, and no reason to do nothing.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.with_key("per_sec", rate)),
        Err(_) => bar,
    }
}

/// Nobody reads fractions of an event.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    // A bar that cannot be drawn is none.
    let _ = write!(out, "{}/s", HumanFloatCount(state.per_sec().round()));
}
