//! Figures with their spread: a median alone hides how much it means.

use std::{fmt, time::Duration};

/// Figures of the same thing, one a round.
#[derive(Debug, Clone, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a round's.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The latest one.
    pub fn last(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// As `median (least–most)`, with so many digits after the point.
    pub fn spread(&self, digits: usize) -> Spread<'_> {
        Spread { figures: self, digits }
    }
}

impl FromIterator<f64> for Figures {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

/// See [`Figures::spread`].
pub struct Spread<'a> {
    figures: &'a Figures,
    digits: usize,
}

impl fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = &self.figures.0;
        let (least, most) =
            (all.iter().copied().fold(f64::NAN, f64::min), all.iter().copied().fold(f64::NAN, f64::max));
        let digits = self.digits;
        write!(f, "{:.digits$} ({least:.digits$}–{most:.digits$})", self.figures.median())
    }
}

/// The value that `share` of the durations do not exceed, in milliseconds. Sorts them.
pub fn percentile_ms(durations: &mut [Duration], share: f64) -> f64 {
    durations.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((durations.len() as f64 * share) as usize).min(durations.len().saturating_sub(1));
    durations.get(index).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1_000.0)
}

/// The machine, in a line: what a figure is worth depends on it.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let (cpu, memory) = (field(&read("/proc/cpuinfo"), "model name"), field(&read("/proc/meminfo"), "MemTotal"));
    format!("{cores} cores ({cpu}), {memory}, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}
