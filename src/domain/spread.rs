//! An order in which to look at some of very many, such that wherever those that are sought lie together, one is soon found.

/// Every place below a count, each once: those that come one after the other are far apart, and the next lies between earlier ones.
pub(super) fn spread(count: usize) -> impl Iterator<Item = usize> {
    // Steps of about the golden ratio leave the most even gaps, and all places are met when nothing divides both.
    let ratio = count * 618_034 / 1_000_000;
    let step = (ratio..=ratio + count).find(|step| divisor(*step, count) == 1).unwrap_or(1);
    (0..count).map(move |turn| turn * step % count)
}

/// The greatest that divides both.
fn divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { divisor(other, one % other) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_place_is_met_once_and_wherever_some_lie_together_one_is_among_the_first() {
        for count in [0, 1, 2, 3, 8, 100, 997, 1_024, 8_192] {
            let met: HashSet<usize> = spread(count).collect();
            assert_eq!((met.len(), spread(count).count()), (count, count));
        }
        let (count, together) = (1_000_000, 10_000);
        for from in (0..count).step_by(together) {
            let looks = spread(count).position(|place| (from..from + together).contains(&place));
            assert!(looks.is_some_and(|looks| looks < 400), "{from}: {looks:?}");
        }
    }
}
