//! What happened day by day, as bars: plain SVG, drawn here, with a title on each bar.

use chrono::{Datelike, NaiveDate};
use maud::{Markup, html};

use super::grouped;
use crate::domain::audit::days::{Counted, Day};

/// As many bars as a screen has room for; a longer time is told by month.
const BARS_MAX: i64 = 400;
const WIDTH: i64 = 1_000;
const HEIGHT: i64 = 160;

/// A chart: its title, and the parts of a bar from the bottom up.
struct Chart {
    title: &'static str,
    parts: &'static [Part],
}

/// A part of a bar: its name, its class in the style, and how large it is.
type Part = (&'static str, &'static str, fn(&Counted) -> u64);

const CHARTS: [Chart; 3] = [
    Chart {
        title: "Tokens issued",
        parts: &[
            ("by the API", "api", |counted| counted.issued - counted.out_of_band),
            ("out of band", "band", |counted| counted.out_of_band),
        ],
    },
    Chart { title: "Revocations", parts: &[("revoked", "revoked", |counted| counted.revoked)] },
    Chart { title: "Refusals", parts: &[("refused", "refused", |counted| counted.refused)] },
];

pub(super) fn section(days: &[Day]) -> Markup {
    let bars = bars(days);
    html! {
        section #days {
            h2 { "By day, in UTC" }
            @if bars.is_empty() { p.none { "None." } } @else {
                div.charts { @for chart in &CHARTS { (of_chart(chart, &bars)) } }
            }
        }
    }
}

/// A day or a month.
struct Bar {
    name: String,
    counted: Counted,
}

/// A bar for each day between the first and the last, or each month where those are too many.
fn bars(days: &[Day]) -> Vec<Bar> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Vec::new() };
    let by_month = (last.day - first.day).num_days() >= BARS_MAX;
    let beginning = |day: NaiveDate| if by_month { day.with_day(1).unwrap_or(day) } else { day };
    let next = |day: NaiveDate| {
        if by_month { day.checked_add_months(chrono::Months::new(1)) } else { day.succ_opt() }
    };
    let (mut bars, mut rest) = (Vec::new(), days.iter().peekable());
    let mut bar = Some(beginning(first.day));
    while let Some(day) = bar.filter(|day| *day <= last.day) {
        let mut counted = Counted::default();
        while let Some(of_bar) = rest.next_if(|of_day| beginning(of_day.day) == day) {
            counted.add(&of_bar.counted);
        }
        let name = if by_month { day.format("%Y-%m").to_string() } else { day.to_string() };
        bars.push(Bar { name, counted });
        bar = next(day);
    }
    bars
}

fn of_chart(chart: &Chart, bars: &[Bar]) -> Markup {
    let whole = |bar: &Bar| chart.parts.iter().map(|(_, _, part)| part(&bar.counted)).sum::<u64>();
    let most = bars.iter().map(whole).max().unwrap_or(0);
    let total: u64 = bars.iter().map(whole).sum();
    let names = [bars.first(), bars.last()].map(|bar| bar.map_or("", |bar| bar.name.as_str()));
    html! {
        figure {
            figcaption {
                (chart.title) " " span.total { (grouped(total)) }
                @if chart.parts.len() > 1 {
                    @for (name, class, _) in chart.parts { span.key { span.swatch.(class) {} (name) } }
                }
            }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(chart.title) {
                @for (index, bar) in bars.iter().enumerate() { (of_bar(chart, bar, index, bars.len(), most)) }
            }
            div.ends {
                span { (names[0]) }
                span { "at most " (grouped(most)) }
                span { (names[1]) }
            }
        }
    }
}

fn of_bar(chart: &Chart, bar: &Bar, index: usize, count: usize, most: u64) -> Markup {
    let at = |index: usize| WIDTH * i64::try_from(index).unwrap_or(0) / i64::try_from(count).unwrap_or(1).max(1);
    let (left, right) = (at(index), at(index + 1));
    let gap = (right - left) / 6;
    let width = (right - left - gap).clamp(1, 60);
    let mut top = HEIGHT;
    html! {
        @for (name, class, part) in chart.parts {
            @let value = part(&bar.counted);
            @let height = tall(value, most);
            @if value > 0 {
                rect.(class) x=(left + gap / 2) y={ (take(&mut top, height)) } width=(width) height=(height) {
                    title { (bar.name) ": " (grouped(value)) " " (name) }
                }
            }
        }
    }
}

/// What is there at all is seen.
fn tall(value: u64, most: u64) -> i64 {
    let room = HEIGHT.unsigned_abs();
    i64::try_from(value * room / most.max(1)).unwrap_or(HEIGHT).max(1)
}

fn take(top: &mut i64, height: i64) -> i64 {
    *top -= height;
    *top
}
