//! What changed for every token, and what should not have happened, in the order of the log.

use maud::{Markup, html};

use super::super::rows::inert;
use crate::{
    app::view::instant,
    domain::{
        Position,
        audit::{Report, settings::ChangeRow, tally::Listed},
    },
};

/// What happens as tokens are issued, and is no change that anybody made.
const ROUTINE: &str = "catalog.status_list_begun";

/// How many moments are shown.
const MOMENTS_MAX: usize = 300;

/// Something that stands in the timeline.
struct Moment {
    position: Position,
    at: String,
    class: &'static str,
    what: String,
    detail: String,
    by: String,
}

pub(super) fn section(report: &Report) -> Markup {
    let moments = moments(report);
    let hidden = moments.len().saturating_sub(MOMENTS_MAX);
    html! {
        section #timeline {
            h2 { "Timeline" }
            @if moments.is_empty() { p.none { "None." } }
            ol.timeline {
                @for moment in moments.iter().take(MOMENTS_MAX) {
                    li.(moment.class) {
                        time datetime=(moment.at) { (moment.at) }
                        span.place { "@" (moment.position) }
                        p { strong { (inert(&moment.what)) } " " (inert(&moment.detail)) }
                        p.by { (inert(&moment.by)) }
                    }
                }
            }
            @if hidden > 0 { p.more { (hidden) " later ones are in the tables below." } }
        }
    }
}

fn moments(report: &Report) -> Vec<Moment> {
    let mut moments: Vec<Moment> =
        [&report.keys, &report.policies, &report.settings].into_iter().flat_map(changes).collect();
    moments.extend(report.revocations.rules.rows.iter().map(|row| Moment {
        position: row.position,
        at: instant(row.at),
        class: "ended",
        what: format!("revoked by rule: {}", row.covers),
        detail: format!("{}; ended {} live tokens", row.reason, row.ended),
        by: row.by.clone(),
    }));
    moments.extend(report.shadow_tokens.rows.iter().map(|row| Moment {
        position: row.position,
        at: instant(row.at),
        class: "grave",
        what: "shadow token".to_owned(),
        detail: format!("{}, signed by {}", row.what.as_str(), row.kid),
        by: row.by.clone(),
    }));
    moments.extend(report.reused_tokens.rows.iter().map(|row| Moment {
        position: row.position,
        at: instant(row.at),
        class: "grave",
        what: "rotated token presented after its end".to_owned(),
        detail: row.jti.to_string(),
        by: row.by.clone(),
    }));
    moments.sort_by_key(|moment| moment.position);
    moments
}

fn changes(listed: &Listed<ChangeRow>) -> impl Iterator<Item = Moment> {
    let noted = listed.rows.iter().filter(|row| !row.kind.starts_with(ROUTINE));
    noted.map(|row| Moment {
        position: row.position,
        at: instant(row.at),
        class: "change",
        what: format!("{} {}", row.kind.trim_end_matches(".v1"), row.what),
        detail: row.detail.clone(),
        by: row.by.clone(),
    })
}
