//! What happened in a seeded catalog, command by command, in the order of time.

use std::{cmp::Reverse, collections::BinaryHeap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Plan, chance::Chance, population::Population};
use crate::domain::{
    Act, Actor, Authority, Command, IssueToken, Malformed, Origin, Path, RevokeToken,
    ambient::uuid_v7,
    claims::CATALOG_AUDIENCE,
    revoke::RevocationReason,
    status_list::Draw,
    text::{Audience, Kid, RequestId, Subject},
};

/// Over how long a time the issuances are spread.
const SPAN: TimeDelta = TimeDelta::days(90);
/// How long the portal uses a credential; what it asks for lives a day longer.
const CREDENTIAL_USED: TimeDelta = TimeDelta::days(6);
const CREDENTIAL_SECONDS: u32 = 7 * 24 * 60 * 60;
/// Who issues for others by the API.
const PORTAL: &str = "portal@example.com";
/// What marks every event of a seeding, whatever is erased later: its request is named so.
const MARK: &str = "dev-seed";
const USER_AGENT: &str = "catalog dev seed";
/// One token in so many is revoked, and one in so many is issued from a shell.
const REVOKED: u64 = 25;
const FROM_SHELL: u64 = 5;

/// The commands of a seeding, as both doors would have sent them.
pub(super) struct History {
    plan: Plan,
    signer: Kid,
    operator: Actor,
    chance: Chance,
    population: Population,
    portal: Option<Credential>,
    ends: BinaryHeap<Reverse<(DateTime<Utc>, Uuid)>>,
    issued: u64,
    commands: u64,
}

/// The portal's own token.
#[derive(Clone, Copy)]
struct Credential {
    jti: Uuid,
    since: DateTime<Utc>,
}

impl History {
    /// `operator` is who has the catalog seeded, and so whoever issues from a shell in it.
    pub(super) fn new(plan: Plan, signer: Kid, operator: Actor) -> Self {
        Self {
            signer,
            operator,
            chance: Chance::of(plan.seed),
            population: Population::of(plan.tokens),
            portal: None,
            ends: BinaryHeap::new(),
            issued: 0,
            commands: 0,
            plan,
        }
    }

    /// When the next token is issued; the last one just before the end.
    fn instant(&self) -> DateTime<Utc> {
        let span = SPAN.num_microseconds().unwrap_or(i64::MAX).unsigned_abs();
        let slot = span / self.plan.tokens.max(1);
        let passed = slot * self.issued + self.chance.of_one(self.issued).below(slot);
        self.plan.until - SPAN + TimeDelta::microseconds(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    fn renew(&mut self, now: DateTime<Utc>) -> Result<Command, Malformed> {
        let mut request = IssueToken::plain(Subject::parse(PORTAL)?);
        request.aud = vec![Audience::parse(CATALOG_AUDIENCE)?];
        request.is_admin = true;
        request.ttl_seconds = Some(CREDENTIAL_SECONDS);
        let jti = self.issue_jti(now);
        self.portal = Some(Credential { jti, since: now });
        self.issuance_by_shell(request, jti, now)
    }

    fn issuance(&mut self, portal: Credential, now: DateTime<Utc>) -> Result<Command, Malformed> {
        let path = if self.chance.once_in(FROM_SHELL) { Path::CliDev } else { Path::Api };
        let is_late = self.issued > self.plan.tokens / 3;
        let request = self.population.request(&self.chance, path, is_late)?;
        let jti = self.issue_jti(now);
        if self.chance.once_in(REVOKED) {
            let lives = u64::from(request.ttl_seconds.unwrap_or(1));
            let seconds = i64::try_from(self.chance.below(lives)).unwrap_or(0);
            self.ends.push(Reverse((now + TimeDelta::seconds(seconds + 1), jti)));
        }
        match path {
            Path::Api => {
                let act = self.issue(request, jti);
                self.by_portal(act, portal, now)
            }
            _ => self.issuance_by_shell(request, jti, now),
        }
    }

    fn issue(&self, request: IssueToken, jti: Uuid) -> Act {
        let (signer, membership) = (self.signer.clone(), None);
        let draw = Box::new(Draw::new(&self.chance.of_one(self.issued)));
        Act::Issue { command: Box::new(request), jti, signer, membership, draw }
    }

    fn issue_jti(&mut self, now: DateTime<Utc>) -> Uuid {
        self.issued += 1;
        uuid_v7(now, &self.chance)
    }

    fn issuance_by_shell(&mut self, request: IssueToken, jti: Uuid, now: DateTime<Utc>) -> Result<Command, Malformed> {
        let act = self.issue(request, jti);
        let origin = self.origin(Path::CliDev, self.operator.clone())?;
        Ok(Command { act, authority: Authority::of_shell(), origin, now, idempotency: None })
    }

    fn revocation(&mut self, jti: Uuid, portal: Credential, due: DateTime<Utc>) -> Result<Command, Malformed> {
        let reason = self.chance.one_of(&RevocationReason::ALL).copied().unwrap_or_default();
        self.by_portal(Act::Revoke(RevokeToken { jti, reason, note: None }), portal, due.max(portal.since))
    }

    fn by_portal(&mut self, act: Act, portal: Credential, now: DateTime<Utc>) -> Result<Command, Malformed> {
        // An administrator's token that names nothing may grant what a shell may.
        let subject = Some(Subject::parse(PORTAL)?);
        let authority = Authority {
            subject,
            credential: Some(crate::domain::authority::Credential::Token(portal.jti)),
            ..Authority::of_shell()
        };
        let actor = Actor::Token { jti: portal.jti, sub: Some(PORTAL.to_owned()) };
        let origin = self.origin(Path::Api, actor)?;
        Ok(Command { act, authority, origin, now, idempotency: None })
    }

    fn origin(&mut self, path: Path, actor: Actor) -> Result<Origin, Malformed> {
        self.commands += 1;
        Ok(Origin {
            path,
            actor,
            request_id: RequestId::parse(format!("{MARK}-{}-{}", self.plan.seed, self.commands))?,
            address: None,
            user_agent: Some(USER_AGENT.to_owned()),
        })
    }

    /// The next revocation that is due by `now`.
    fn due(&mut self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, Uuid)> {
        let Reverse(first) = *self.ends.peek()?;
        (first.0 <= now).then(|| self.ends.pop()).map(|_| first)
    }
}

impl Iterator for History {
    type Item = Result<Command, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_done = self.issued == self.plan.tokens;
        let now = if is_done { self.plan.until } else { self.instant() };
        match self.portal.filter(|portal| now < portal.since + CREDENTIAL_USED) {
            None if is_done => None,
            None => Some(self.renew(now)),
            Some(portal) => match self.due(now) {
                Some((due, jti)) => Some(self.revocation(jti, portal, due)),
                None if is_done => None,
                None => Some(self.issuance(portal, now)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::origin::OsUser;

    fn history(tokens: u64, seed: u64) -> Vec<Command> {
        let until = "2026-03-01T12:00:00Z".parse().unwrap();
        let plan = Plan { tokens, seed, until };
        History::new(plan, "k".parse().unwrap(), Actor::OsUser(OsUser::default())).collect::<Result<_, _>>().unwrap()
    }

    fn jtis(commands: &[Command]) -> Vec<Option<Uuid>> {
        commands.iter().map(Command::jti).collect()
    }

    #[test]
    fn as_many_tokens_are_issued_as_are_asked_for() {
        for tokens in [0, 1, 2, 7, 1_000] {
            let issued = history(tokens, 1).iter().filter(|c| matches!(c.act, Act::Issue { .. })).count();

            assert_eq!(issued as u64, tokens);
        }
    }

    #[test]
    fn a_seed_tells_the_same_history_and_another_seed_another() {
        assert_eq!(jtis(&history(500, 1)), jtis(&history(500, 1)));
        assert_ne!(jtis(&history(500, 1)), jtis(&history(500, 2)));
    }

    #[test]
    fn time_passes_from_the_beginning_of_the_span_to_its_end() {
        let commands = history(2_000, 1);

        let times: Vec<_> = commands.iter().map(|command| command.now).collect();

        assert!(times.is_sorted());
        let (first, last) = (times[0], times[times.len() - 1]);
        assert!(last - first > TimeDelta::days(89) && last - first <= SPAN, "{first} {last}");
    }

    #[test]
    fn both_doors_are_used_and_some_tokens_are_revoked() {
        let commands = history(2_000, 1);
        let count = |of: fn(&Command) -> bool| commands.iter().filter(|command| of(command)).count();

        assert!(count(|c| c.origin.path == Path::CliDev) > 200);
        assert!(count(|c| c.origin.path == Path::Api) > 1_000);
        assert!(count(|c| matches!(c.act, Act::Revoke(_))) > 30);
        assert!(commands.iter().all(|command| command.origin.request_id.as_str().starts_with("dev-seed-1-")));
    }
}
