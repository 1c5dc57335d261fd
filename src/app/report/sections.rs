//! A report as sections of tables, for every format that shows it to people.

use super::rows::{
    of_change, of_denial, of_live, of_out_of_band, of_read, of_reuse, of_revocation, of_rule, of_shadow, positions,
};
use crate::domain::audit::{
    Report,
    findings::Finding,
    tally::{Count, Listed},
};

/// What a cell says when there is nothing to say.
pub(super) const NOTHING: &str = "-";

/// Cells of a table, one for each heading.
pub(super) type Cells = Vec<String>;

/// A part of a report.
pub(super) struct Section<'a> {
    /// A word for programs.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) tables: Vec<Table<'a>>,
}

/// Rows under headings.
pub(super) struct Table<'a> {
    /// A word for programs, one of its own in the section.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) headings: &'static [&'static str],
    pub(super) extent: Extent,
    /// How many rows are not even here.
    pub(super) left_out: u64,
    pub(super) rows: Box<dyn ExactSizeIterator<Item = Cells> + 'a>,
}

/// How much of a table people want to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The most frequent ones.
    Counts,
    /// Some rows.
    Some,
    /// Every row.
    All,
    /// Every row, and where that is too much some of each kind, which the first cell names.
    AllOfEach,
}

/// The sections, in their order.
pub(super) fn sections(report: &Report) -> Vec<Section<'_>> {
    vec![
        findings(report),
        issuance(report),
        out_of_band(report),
        live(report),
        revocations(report),
        denials(report),
        watch(report),
        settings(report),
        reads(report),
        events(report),
    ]
}

/// The figures that come first.
pub(super) fn summary(report: &Report) -> Vec<(&'static str, u64)> {
    vec![
        ("events", report.events),
        ("findings", report.findings_total()),
        ("tokens issued", report.issuance.total),
        ("issued out of band", report.issuance.out_of_band),
        ("issued for administrators", report.issuance.admins),
        ("live at the end", report.live.total),
        ("of these suspended", report.live.suspended),
        ("revocations", report.revocations.total),
        ("of these rotations", report.revocations.rotations),
        ("ended by rules", report.revocations.ended_by_rules),
        ("suspensions", report.suspensions),
        ("resumptions", report.resumptions),
        ("refusals", report.denials.total),
        ("shadow tokens", report.shadow_tokens.total),
        ("rotated tokens reused", report.reused_tokens.total),
        ("reads of the log", report.reads.total),
        ("events with an erased part", report.erased),
    ]
}

fn findings(report: &Report) -> Section<'_> {
    let rows: Vec<Cells> = report
        .findings
        .iter()
        .flat_map(|of_rule| {
            let row = |finding: &Finding| {
                vec![of_rule.rule.as_str().to_owned(), positions(&finding.positions), finding.detail.clone()]
            };
            of_rule.findings.rows.iter().map(row)
        })
        .collect();
    let table = Table {
        id: "findings",
        title: "What somebody should look into",
        headings: &["rule", "position", "what was seen"],
        extent: Extent::AllOfEach,
        left_out: report.findings.iter().map(|of_rule| of_rule.findings.left_out).sum(),
        rows: Box::new(rows.into_iter()),
    };
    Section { id: "findings", title: "Findings", tables: vec![table] }
}

fn issuance(report: &Report) -> Section<'_> {
    let issuance = &report.issuance;
    let tables = vec![
        counts("by_path", "By door", &issuance.by_path),
        counts("by_actor", "By who had them issued", &issuance.by_actor),
        counts("by_subject", "By subject", &issuance.by_subject),
        counts("by_team", "By team", &issuance.by_team),
        counts("by_permission", "By permission", &issuance.by_permission),
        counts("by_key", "By key", &issuance.by_key),
        counts("by_elevation", "By elevated claim", &issuance.by_elevation),
        counts("by_policy_version", "By version of the policy", &issuance.by_policy_version),
    ];
    Section { id: "issuance", title: "Issuance", tables }
}

fn out_of_band(report: &Report) -> Section<'_> {
    let headings = &[
        "position",
        "at",
        "status",
        "subject",
        "os user",
        "host",
        "reason",
        "elevated",
        "teams",
        "permissions",
        "expires at",
        "ended by",
        "login",
        "sudo",
        "token",
    ];
    let table = listed("out_of_band", "One by one", headings, &report.out_of_band, of_out_of_band);
    let table = Table { extent: Extent::All, ..table };
    Section { id: "out_of_band", title: "Issued out of band", tables: vec![table] }
}

fn live(report: &Report) -> Section<'_> {
    let headings = &[
        "position",
        "token",
        "subject",
        "name",
        "door",
        "by",
        "status",
        "issued at",
        "expires at",
        "elevated",
        "teams",
        "permissions",
        "notable",
    ];
    let tables = vec![
        counts("notable", "Those that somebody should look at", &report.live.notable),
        listed("tokens", "One by one", headings, &report.live.tokens, of_live),
    ];
    Section { id: "live", title: "Live at the end", tables }
}

fn revocations(report: &Report) -> Section<'_> {
    let revocations = &report.revocations;
    let tokens = &["position", "at", "token", "reason", "by", "note", "effective from", "successor", "age in seconds"];
    let rules = &["position", "at", "covers", "reason", "by", "note", "ended"];
    let tables = vec![
        counts("by_reason", "By reason", &revocations.by_reason),
        counts("by_actor", "By who did it", &revocations.by_actor),
        counts("by_age", "By the time from issuance", &revocations.by_age),
        listed("tokens", "One by one", tokens, &revocations.tokens, of_revocation),
        listed("rules", "By rule", rules, &revocations.rules, of_rule),
    ];
    Section { id: "revocations", title: "Revocations", tables }
}

fn denials(report: &Report) -> Section<'_> {
    let denials = &report.denials;
    let headings = &["rule", "by", "count", "first", "last"];
    let rows: Vec<Cells> = denials.by_rule_and_actor.iter().map(of_denial).collect();
    let tables = vec![
        counts("by_rule", "By rule", &denials.by_rule),
        counts("by_actor", "By who asked", &denials.by_actor),
        counts("by_kind", "By what was asked for", &denials.by_kind),
        Table {
            id: "by_rule_and_actor",
            title: "By rule and who asked",
            headings,
            extent: Extent::Some,
            left_out: 0,
            rows: Box::new(rows.into_iter()),
        },
    ];
    Section { id: "denials", title: "Refusals", tables }
}

fn watch(report: &Report) -> Section<'_> {
    let shadows = &["position", "at", "token", "key", "what", "claims digest", "by"];
    let reuses = &["position", "at", "token", "family", "successor", "by"];
    let tables = vec![
        listed("shadow_tokens", "Well signed, and never issued so", shadows, &report.shadow_tokens, of_shadow),
        listed("reused_tokens", "Rotated, and presented after their end", reuses, &report.reused_tokens, of_reuse),
    ];
    Section { id: "watch", title: "Presented, and not good", tables }
}

fn settings(report: &Report) -> Section<'_> {
    let headings = &["position", "at", "kind", "what", "detail", "by"];
    let tables = vec![
        listed("keys", "Keys", headings, &report.keys, of_change),
        listed("policies", "Policy", headings, &report.policies, of_change),
        listed("others", "Configuration, clients, status lists", headings, &report.settings, of_change),
    ];
    Section { id: "settings", title: "Keys, policy, configuration", tables }
}

fn reads(report: &Report) -> Section<'_> {
    let headings = &["position", "at", "by", "what", "format", "first", "last", "as of", "subject", "team"];
    let tables = vec![
        counts("by_actor", "By who did", &report.reads.by_actor),
        listed("reads", "One by one", headings, &report.reads.reads, of_read),
    ];
    Section { id: "reads", title: "Reads of the log", tables }
}

fn events(report: &Report) -> Section<'_> {
    let days: Vec<Cells> = report
        .by_day
        .iter()
        .map(|day| {
            let counted = &day.counted;
            let counts = [counted.events, counted.issued, counted.out_of_band, counted.revoked, counted.refused];
            [day.day.to_string()].into_iter().chain(counts.map(|count| count.to_string())).collect()
        })
        .collect();
    let by_day = Table {
        id: "by_day",
        title: "By day, in UTC",
        headings: &["day", "events", "issued", "out of band", "revoked", "refused"],
        extent: Extent::Counts,
        left_out: 0,
        rows: Box::new(days.into_iter()),
    };
    Section { id: "events", title: "Events", tables: vec![counts("by_kind", "By kind", &report.by_kind), by_day] }
}

fn counts<'a>(id: &'static str, title: &'static str, counts: &'a [Count]) -> Table<'a> {
    let rows = counts.iter().map(|count| vec![count.name.clone(), count.count.to_string()]);
    Table { id, title, headings: &["name", "count"], extent: Extent::Counts, left_out: 0, rows: Box::new(rows) }
}

fn listed<'a, T>(
    id: &'static str,
    title: &'static str,
    headings: &'static [&'static str],
    listed: &'a Listed<T>,
    cells: fn(&T) -> Cells,
) -> Table<'a> {
    let rows = Box::new(listed.rows.iter().map(cells));
    Table { id, title, headings, extent: Extent::Some, left_out: listed.left_out, rows }
}
