//! One set of projections, held against the fold of the log a [stretch](Stretch) at a time.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    StoreError,
    ordered::{Ordered, Placed},
    past::{self, RevocationRow, SuspensionRow},
    people,
    reach::{self, Times},
    rules,
    status_lists::{self, EntryRow},
    stretch::{Stretch, Stretches},
    tokens::{LISTED, LooseRow},
    verify::Difference,
    verify_names::{self, NameRow},
    verify_reach::{self, PERMISSIONS, ReachRow, TEAMS},
    verify_rows::Expected,
    verify_rules,
};
use crate::domain::{Position, Rule, State, Token, person::PersonSeen};

/// So many differences are kept. The others are counted.
const DIFFERENCES_MAX: usize = 1_000;

/// Where projections are not the fold of the log.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// The first ones.
    pub(super) kept: Vec<Difference>,
    /// How many there are.
    pub(super) count: u64,
}

impl Extend<Difference> for Differences {
    fn extend<I: IntoIterator<Item = Difference>>(&mut self, differences: I) {
        for difference in differences {
            self.count += 1;
            if self.kept.len() < DIFFERENCES_MAX {
                self.kept.push(difference);
            }
        }
    }
}

impl Differences {
    /// Leaves out those at certain positions.
    fn forget(&mut self, positions: &HashSet<Position>) {
        let told = self.kept.len();
        self.kept.retain(|(position, _)| position.is_none_or(|position| !positions.contains(&position)));
        self.count -= (told - self.kept.len()) as u64;
    }
}

/// The tables of one schema, read in the order of the log.
pub(super) struct Tables {
    expected: Expected,
    tokens: Ordered<LooseRow>,
    teams: Ordered<ReachRow>,
    permissions: Ordered<ReachRow>,
    names: Ordered<NameRow>,
    revocations: Ordered<RevocationRow>,
    suspensions: Ordered<SuspensionRow>,
    entries: Ordered<EntryRow>,
    spans: BTreeMap<i64, Times>,
    differences: Differences,
    listed: Differences,
    /// Where tokens were issued whose own rows differ.
    doubtful: HashSet<Position>,
    /// Where spans begin in which rows lie that the log has no token for there.
    displaced: HashSet<Position>,
}

/// The rows about the tokens of a stretch.
pub(super) struct Rows {
    tokens: Vec<LooseRow>,
    elsewhere: HashSet<Uuid>,
    teams: Vec<ReachRow>,
    permissions: Vec<ReachRow>,
    names: Vec<NameRow>,
    revocations: Vec<RevocationRow>,
    suspensions: Vec<SuspensionRow>,
    entries: Vec<EntryRow>,
}

impl Rows {
    /// The identifiers that the rows are of.
    pub(super) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.tokens.iter().map(|row| row.jti)
    }
}

impl Tables {
    /// Begins to read them, in the transaction that the connection is in.
    pub(super) async fn open(connection: &mut PgConnection, folded: Vec<Rule>) -> Result<Self, StoreError> {
        let rows = rules::all_loose(&mut *connection).await?;
        let mut differences = Differences::default();
        differences.extend(verify_rules::differences(&rows, &folded));
        let unfilled = verify_rules::unfilled(rows, &folded);
        Ok(Self {
            expected: Expected { unfilled, rules: folded },
            tokens: Ordered::of(connection, "verified_tokens", LISTED).await?,
            teams: Ordered::of(connection, "verified_teams", TEAMS.rows).await?,
            permissions: Ordered::of(connection, "verified_permissions", PERMISSIONS.rows).await?,
            names: Ordered::of(connection, "verified_names", verify_names::ROWS).await?,
            revocations: Ordered::of(connection, "verified_revocations", past::REVOCATIONS).await?,
            suspensions: Ordered::of(connection, "verified_suspensions", past::SUSPENSIONS).await?,
            entries: Ordered::of(connection, "verified_entries", status_lists::ROWS).await?,
            spans: BTreeMap::new(),
            differences,
            listed: Differences::default(),
            doubtful: HashSet::new(),
            displaced: HashSet::new(),
        })
    }

    /// Where the rules stand that only their rows tell all of.
    pub(super) fn erased_rules(&self) -> Vec<Position> {
        self.expected.rules.iter().filter(|rule| !rule.is_whole).map(|rule| rule.position).collect()
    }

    /// The rows of the next stretch.
    pub(super) async fn read(&mut self, connection: &mut PgConnection, stretch: &Stretch) -> Result<Rows, StoreError> {
        let last = stretch.last;
        let tokens = self.tokens.up_to(connection, last).await?;
        let here: HashSet<Uuid> = tokens.iter().map(|row| row.jti).collect();
        let missing: Vec<Uuid> = stretch.tokens.keys().filter(|jti| !here.contains(*jti)).copied().collect();
        let mut elsewhere = HashSet::new();
        if !missing.is_empty() {
            let found =
                sqlx::query_scalar::<_, Uuid>("select jti from issued_tokens where jti = any($1)").bind(missing);
            elsewhere.extend(found.fetch_all(&mut *connection).await?);
        }
        Ok(Rows {
            tokens,
            elsewhere,
            teams: self.teams.up_to(connection, last).await?,
            permissions: self.permissions.up_to(connection, last).await?,
            names: self.names.up_to(connection, last).await?,
            revocations: self.revocations.up_to(connection, last).await?,
            suspensions: self.suspensions.up_to(connection, last).await?,
            entries: self.entries.up_to(connection, last).await?,
        })
    }

    /// Row by row against the fold; what is left of the fold has no row. A rule that is not filled yet may be in a row
    /// already, or not: both are the fold.
    pub(super) fn hold(&mut self, stretch: &Stretch, rows: Rows) {
        let tokens = &stretch.tokens;
        for token in tokens.values() {
            reach::include(&mut self.spans, token);
        }
        // A row that lies elsewhere is told there.
        let mut missing: HashSet<Uuid> = tokens.keys().filter(|jti| !rows.elsewhere.contains(*jti)).copied().collect();
        let mut seen = HashSet::new();
        for row in rows.tokens {
            missing.remove(&row.jti);
            if !seen.insert(row.jti) {
                let detail = format!("token {} has more than one row", row.jti);
                self.differences.extend([(Some(Position(row.issued_pos())), detail)]);
            }
            self.hold_token(stretch.token(row.jti), row);
        }
        let missing = missing.iter().filter_map(|jti| tokens.get(jti));
        for token in missing {
            self.doubtful.insert(token.issued);
            self.differences.extend([(Some(token.issued), format!("token {} has no row", token.jti))]);
        }
        let Expected { unfilled, rules } = &self.expected;
        self.differences.extend(status_lists::differences(rows.entries, &stretch.entries));
        let mut past = past::revocation_differences(rows.revocations, stretch, rules, unfilled);
        past.extend(past::suspension_differences(rows.suspensions, stretch));
        self.differences.extend(past.into_iter().map(|(position, detail)| (Some(position), detail)));
        let mut listed = verify_reach::differences(&TEAMS, rows.teams, tokens);
        listed.extend(verify_reach::differences(&PERMISSIONS, rows.permissions, tokens));
        listed.extend(verify_names::differences(rows.names, tokens, rules));
        listed.retain(|(position, _)| !self.doubtful.contains(position));
        self.listed.extend(listed.into_iter().map(|(position, detail)| (Some(position), detail)));
    }

    fn hold_token(&mut self, folded: Option<&Token>, row: LooseRow) {
        let lies = Position(row.issued_pos());
        let Some(difference) = self.expected.difference(folded, row) else { return };
        let issued = folded.map(|token| token.issued);
        self.doubtful.extend(issued.into_iter().chain([lies]));
        if issued != Some(lies) {
            self.displaced.extend(issued.into_iter().chain([lies]).map(verify_reach::span_of));
        }
        self.differences.extend([difference]);
    }

    /// What differs, the earliest first. What a token is listed by follows from the same events as its own row: where that
    /// one differs, it is not told, so that one break is one finding.
    pub(super) async fn finish(
        mut self,
        connection: &mut PgConnection,
        people: &State,
        erased: &BTreeMap<Position, PersonSeen>,
    ) -> Result<Differences, StoreError> {
        self.differences.extend(people::differences(&mut *connection, people, erased).await?);
        let stray: Vec<i64> =
            sqlx::query_scalar(include_str!("revocations_stray.sql")).fetch_all(&mut *connection).await?;
        self.differences.extend(stray.into_iter().map(|position| {
            (Some(Position(position)), "token_revocations has a row, and nothing was issued here".to_owned())
        }));
        self.listed.forget(&self.doubtful);
        self.differences.count += self.listed.count - self.listed.kept.len() as u64;
        self.differences.extend(self.listed.kept);
        let mut spans = verify_reach::span_differences(connection, self.spans).await?;
        spans.retain(|(position, _)| !self.displaced.contains(position));
        self.differences.extend(spans.into_iter().map(|(position, detail)| (Some(position), detail)));
        self.differences.kept.sort();
        Ok(self.differences)
    }
}

/// Holds tables against the whole log, and, with another connection, those of a second schema. `told` is told how many
/// events were read. Returns how many tokens there are.
pub(super) async fn hold_all(
    log: &mut PgConnection,
    stretches: &mut Stretches,
    tables: &mut Tables,
    mut beside: Option<(&mut PgConnection, &mut Tables)>,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, StoreError> {
    let mut tokens = 0;
    while let Some(mut stretch) = stretches.next(log).await? {
        tokens += stretch.tokens.len() as u64;
        let rows = tables.read(log, &stretch).await?;
        stretches.recall(log, &mut stretch, rows.ids()).await?;
        tables.hold(&stretch, rows);
        if let Some((connection, tables)) = &mut beside {
            let rows = tables.read(connection, &stretch).await?;
            stretches.recall(log, &mut stretch, rows.ids()).await?;
            tables.hold(&stretch, rows);
        }
        told(stretches.events);
    }
    Ok(tokens)
}
