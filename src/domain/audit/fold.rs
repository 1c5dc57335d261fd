//! The fold of a report: each event is taken once, in the order of the log, and nothing but the log is looked at.

use std::collections::HashSet;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    days::Days,
    denials::Denials,
    findings::{FindingRule, Findings},
    held::{Held, Tokens},
    issuance::{Issuance, Named},
    live::LiveReport,
    out_of_band::OutOfBand,
    pool::{Book, Id},
    reads::Reads,
    report::{LogPart, Report},
    revocations::Revocations,
    scope::Scope,
    seen::{Denied, Fact, Issued, Revoked, Seen},
    settings::Settings,
    tally::Tally,
    watch::Watch,
};
use crate::domain::{
    Event, Path, Position, Predicate, Rule, Status,
    event::{KeyCompromised, TokensRevokedByRule},
    revoke::RevocationReason,
};

/// A report as far as the log was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fold {
    scope: Scope,
    book: Book,
    tokens: Tokens,
    /// The tokens that a narrowed report is of. What is past is among them: it may still be spoken of.
    chosen: Option<HashSet<Uuid>>,
    events: u64,
    erased: u64,
    kinds: Tally,
    days: Days,
    issuance: Issuance,
    out_of_band: OutOfBand,
    revocations: Revocations,
    suspensions: u64,
    resumptions: u64,
    denials: Denials,
    watch: Watch,
    settings: Settings,
    reads: Reads,
    findings: Findings,
}

impl Fold {
    /// Before the first event.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            chosen: scope.is_narrowed().then(HashSet::new),
            scope,
            book: Book::default(),
            tokens: Tokens::default(),
            events: 0,
            erased: 0,
            kinds: Tally::default(),
            days: Days::default(),
            issuance: Issuance::default(),
            out_of_band: OutOfBand::default(),
            revocations: Revocations::default(),
            suspensions: 0,
            resumptions: 0,
            denials: Denials::default(),
            watch: Watch::default(),
            settings: Settings::default(),
            reads: Reads::default(),
            findings: Findings::default(),
        }
    }

    /// What it is of.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The same, to be gone on with up to a later end; `None` where that is not [possible](Scope::goes_on_from).
    #[must_use]
    pub fn going_on(self, scope: Scope) -> Option<Self> {
        scope.goes_on_from(&self.scope).then_some(Self { scope, ..self })
    }

    /// Something about the log itself does not hold.
    pub fn find(&mut self, rule: FindingRule, position: Position, detail: impl Into<String>) {
        self.findings.add(rule, [position], detail);
    }

    /// Takes the next event in.
    pub fn apply(&mut self, seen: &Seen<'_>) {
        self.tokens.advance(seen);
        if let (Fact::Issued(issued), Some(chosen)) = (&seen.fact, &mut self.chosen)
            && self.scope.has(issued)
        {
            chosen.insert(issued.jti);
        }
        let is_counted = self.scope.counts(seen.position) && self.concerns(seen);
        let by = self.book.name(&seen.who.label());
        if is_counted {
            self.events += 1;
            self.erased += u64::from(seen.is_erased);
            self.kinds.add(self.book.name(seen.kind), 1);
            self.days.at(seen.occurred_at).events += 1;
        }
        match &seen.fact {
            Fact::Issued(issued) => self.issued(issued, seen, by, is_counted),
            Fact::Revoked(revoked) => self.revoked(revoked, seen, by, is_counted),
            Fact::Suspended(jti) => {
                self.tokens.suspend(*jti, Some(seen.position));
                self.suspensions += u64::from(is_counted);
            }
            Fact::Resumed(jti) => {
                self.tokens.suspend(*jti, None);
                self.resumptions += u64::from(is_counted);
            }
            Fact::Denied(denied) if is_counted => self.denied(denied, seen, by),
            Fact::Denied(_) => {}
            Fact::Else(event) => self.happened(event, seen, by, is_counted),
        }
    }

    /// Whether an event is about what the report is of. What shapes every token is about all of them.
    fn concerns(&self, seen: &Seen<'_>) -> bool {
        let Some(chosen) = &self.chosen else { return true };
        match &seen.fact {
            Fact::Issued(issued) => chosen.contains(&issued.jti),
            Fact::Revoked(revoked) => chosen.contains(&revoked.jti),
            Fact::Suspended(jti) | Fact::Resumed(jti) => chosen.contains(jti),
            Fact::Denied(denied) => denied.jti.map_or_else(|| self.scope.asks_for(denied), |jti| chosen.contains(&jti)),
            Fact::Else(Event::ShadowTokenSeen(shadow)) => shadow.jti.is_some_and(|jti| chosen.contains(&jti)),
            Fact::Else(event) => event.jti().is_none_or(|jti| chosen.contains(&jti)),
        }
    }

    fn issued(&mut self, issued: &Issued<'_>, seen: &Seen<'_>, by: Id, is_counted: bool) {
        let (mut row, named) = (None, Named::of(issued, by, &mut self.book));
        if is_counted {
            self.issuance.add(issued, seen, named, &mut self.book);
            let day = self.days.at(seen.occurred_at);
            day.issued += 1;
            day.out_of_band += u64::from(issued.out_of_band);
            if issued.out_of_band {
                row = self.out_of_band.add(issued, seen);
            }
            if issued.is_admin && issued.reason.is_none() && !seen.is_erased {
                let detail = format!("token {} by {}", issued.jti, seen.who.label());
                self.findings.add(FindingRule::AdminTokenWithoutReason, [seen.position], detail);
            }
        }
        let name = issued.name.as_deref().map(|name| self.book.name(name));
        self.tokens.issue(issued, seen, named, name, row);
    }

    fn revoked(&mut self, revoked: &Revoked<'_>, seen: &Seen<'_>, by: Id, is_counted: bool) {
        let ended = self.tokens.revoke(revoked, seen.occurred_at);
        if is_counted {
            let age = ended.as_ref().map(|ended| ended.seconds);
            self.revocations.add(revoked, seen, by, age, &mut self.book);
            self.days.at(seen.occurred_at).revoked += 1;
        }
        if let Some(ended) = ended {
            self.out_of_band.end(ended.row, seen.position);
        }
    }

    fn denied(&mut self, denied: &Denied<'_>, seen: &Seen<'_>, by: Id) {
        self.days.at(seen.occurred_at).refused += u64::from(denied.count);
        if let Some(burst) = self.denials.add(denied, seen, by, &mut self.book) {
            let since = burst.since.to_rfc3339_opts(SecondsFormat::Secs, true);
            let detail = format!("{} was refused {} times from {since} on", seen.who.label(), burst.times);
            self.findings.add(FindingRule::DenialBurst, burst.positions, detail);
        }
    }

    fn happened(&mut self, event: &Event, seen: &Seen<'_>, by: Id, is_counted: bool) {
        self.settings.follow(event, seen.position);
        match event {
            Event::TokensRevokedByRule(event) => self.rule(&added(event, seen), by, is_counted),
            Event::KeyCompromised(event) => self.rule(&of_compromise(event, seen), by, is_counted),
            Event::ShadowTokenSeen(shadow) if is_counted => {
                self.watch.add_shadow(shadow, seen);
                let detail = format!("{}, signed by {}", shadow.what.as_str(), shadow.kid);
                self.findings.add(FindingRule::ShadowToken, [seen.position], detail);
            }
            Event::RotatedTokenReused(reused) if is_counted => {
                self.watch.add_reuse(reused, seen);
                let detail = format!("token {}, in whose place is {}", reused.jti, reused.successor);
                self.findings.add(FindingRule::RotatedTokenReused, [seen.position], detail);
            }
            Event::AuditRead(read) if is_counted => self.reads.add(read, seen, by, &self.book),
            _ => {}
        }
        if is_counted {
            self.settings.add(event, seen);
        }
    }

    fn rule(&mut self, rule: &Rule, by: Id, is_counted: bool) {
        let mut ended = self.tokens.revoke_by(rule, &self.book);
        for (_, row) in &ended {
            self.out_of_band.end(*row, rule.position);
        }
        if let Some(chosen) = &self.chosen {
            ended.retain(|(jti, _)| chosen.contains(jti));
        }
        if is_counted {
            let by = self.book.text(by).to_owned();
            self.revocations.add_rule(rule, &by, ended.len() as u64);
            self.days.at(rule.at).revoked += ended.len() as u64;
        }
    }

    /// Every token that is live at the end, by where it was issued, and whether it may be used.
    #[must_use]
    pub fn live(&self) -> Vec<(Position, Uuid, Status)> {
        let at = self.scope.judged_at;
        let live = self.tokens.live(at).into_iter();
        live.map(|(jti, token)| (token.issued, jti, token.status(at))).collect()
    }

    fn chosen_live(&self) -> impl Iterator<Item = (Uuid, &Held)> {
        let is_chosen = |jti| self.chosen.as_ref().is_none_or(|chosen| chosen.contains(&jti));
        self.tokens.live(self.scope.judged_at).into_iter().filter(move |(jti, _)| is_chosen(*jti))
    }

    fn outliving(&self) -> Vec<(Position, String)> {
        let Some(shell) = self.settings.shell() else { return Vec::new() };
        let from_shell = self.chosen_live().filter(|(_, token)| token.path == Path::CliDev);
        from_shell
            .filter_map(|(jti, token)| {
                let (lifetime, version) = (token.lifetime(), shell.version);
                let detail = match shell.ttl_seconds_max {
                    None => format!("token {jti}: policy version {version} lets none be issued from a shell"),
                    Some(max) if lifetime > i64::from(max) => {
                        format!("token {jti}: issued for {lifetime} s, where policy version {version} allows {max} s")
                    }
                    Some(_) => return None,
                };
                Some((token.issued, detail))
            })
            .collect()
    }

    /// The report of what was read, with what does not hold of the end that was come to.
    #[must_use]
    pub fn report(mut self, log: LogPart, ends: &[(FindingRule, Position, String)]) -> Report {
        for (rule, position, detail) in ends {
            self.findings.add(*rule, [*position], detail.as_str());
        }
        let policy = self.settings.shell().map(|shell| shell.position);
        for (issued, detail) in self.outliving() {
            let positions: Vec<Position> = [Some(issued), policy].into_iter().flatten().collect();
            self.findings.add(FindingRule::DevTokenOutlivesPolicy, positions, detail);
        }
        let at = self.scope.judged_at;
        let live = LiveReport::of(self.chosen_live(), at, &self.book);
        let Self { scope, book, tokens, .. } = self;
        let live_status =
            |jti| tokens.status(jti, at).filter(|status| matches!(status, Status::Active | Status::Suspended));
        let (shadow_tokens, reused_tokens) = self.watch.told();
        let [keys, policies, settings] = self.settings.told();
        Report {
            scope,
            log,
            events: self.events,
            erased: self.erased,
            findings: self.findings.told(),
            by_kind: self.kinds.told(&book),
            by_day: self.days.told(),
            issuance: self.issuance.told(&book),
            out_of_band: self.out_of_band.told(live_status),
            live,
            revocations: self.revocations.told(&book),
            suspensions: self.suspensions,
            resumptions: self.resumptions,
            denials: self.denials.told(&book),
            shadow_tokens,
            reused_tokens,
            keys,
            policies,
            settings,
            reads: self.reads.told(&book),
        }
    }
}

/// The rule that an event adds.
fn added(event: &TokensRevokedByRule, seen: &Seen<'_>) -> Rule {
    Rule {
        position: seen.position,
        from: Position(0),
        at: seen.occurred_at,
        predicate: event.predicate.clone(),
        reason: event.reason,
        note: event.note.clone(),
        by: None,
        is_whole: event.fields == event.predicate.fields(),
    }
}

/// The rule that a compromised key makes.
fn of_compromise(event: &KeyCompromised, seen: &Seen<'_>) -> Rule {
    Rule {
        position: seen.position,
        from: event.from,
        at: seen.occurred_at,
        predicate: Predicate { kid: Some(event.kid.clone()), ..Predicate::default() },
        reason: RevocationReason::KeyCompromise,
        note: event.note.clone(),
        by: None,
        is_whole: true,
    }
}
