//! What happens on any day of a made-up year.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    super::SeedError,
    Year,
    people::{PORTAL, PROVIDER},
};
use crate::domain::{
    Act, ChangeSuspension, IssueToken, Malformed, Path, Predicate, RevokeByRule, RevokeToken, RotateToken,
    ambient::Entropy,
    claims::Teams,
    courier::IssueCourier,
    denial::{Denial, RotatedTokenReused, Shadow, ShadowTokenSeen},
    person::{LoginRefusal, PersonSeen},
    revoke::RevocationReason,
    suspend::{Change, Which},
    text::{Issuer, Note, Permission, Subject, TeamId},
};

const HOUR: u32 = 60 * 60;
const DAY: u32 = 24 * HOUR;
const NOTES: &[&str] = &["left the team", "found in a log file", "no longer needed", "ticket 4711", "laptop was lost"];
const OVERLAPS: &[&str] = &["0s", "10m", "1h", "1d"];
/// The people who log in at the provider.
const PEOPLE: u64 = 60;

impl Year {
    /// Something happens, or is tried and comes to nothing.
    pub(super) fn happen(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        match self.chance.below(100) {
            0..44 => self.portal_issues(now),
            44..51 => self.lead_issues(now),
            51..60 => self.shell_issues(now),
            60..66 => self.rotate(now),
            66..74 => self.revoke(now),
            74..78 => self.suspend(now),
            78..81 => self.resume(now),
            81..88 => self.ask_too_much(now),
            88..91 => self.touch_others(now),
            91..93 => self.see_evidence(now),
            93..97 => self.person_issues(now),
            97..98 => self.refuse_login(now),
            98..99 => self.carry(now),
            _ => self.revoke_own(now),
        }
    }

    fn is_late(&self) -> bool {
        self.done() > self.plan.events / 3
    }

    fn portal_issues(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let Some(origin) = self.by_caller(PORTAL, now)? else { return Ok(()) };
        let request = self.population.request(&self.chance, Path::Api, self.is_late())?;
        let act = self.issue(request, self.new_jti(now))?;
        self.carry_out(act, origin, now).map(drop)
    }

    fn shell_issues(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let request = self.population.request(&self.chance, Path::CliDev, self.is_late())?;
        let (act, origin) = (self.issue(request, self.new_jti(now))?, self.at_a_shell(Path::CliDev)?);
        self.carry_out(act, origin, now).map(drop)
    }

    fn lead(&self) -> usize {
        1 + usize::try_from(self.chance.below(self.cast.leads() as u64)).unwrap_or(0)
    }

    /// What a lead may ask for.
    fn own_request(&self, lead: usize) -> Result<IssueToken, Malformed> {
        let mut request = IssueToken::plain(self.cast.sub(lead).clone());
        request.teams = Some(Teams::These(self.cast.teams(lead).iter().take(1).cloned().collect()));
        request.ttl_seconds = self.chance.one_of(&[HOUR, 8 * HOUR, DAY]).copied();
        request.scopes.permissions =
            permissions(self.chance.one_of(&["tools.read", "tools.execute", "resources.read"]))?;
        request.reason = Some(Note::parse("for a colleague")?);
        Ok(request)
    }

    fn lead_issues(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let lead = self.lead();
        let Some(origin) = self.by_caller(lead, now)? else { return Ok(()) };
        let act = self.issue(self.own_request(lead)?, self.new_jti(now))?;
        self.carry_out(act, origin, now).map(drop)
    }

    /// A lead asks for what it may not have.
    fn ask_too_much(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let lead = self.lead();
        let Some(origin) = self.by_caller(lead, now)? else { return Ok(()) };
        let mut request = self.own_request(lead)?;
        match self.chance.below(6) {
            0 => request.sub = Subject::parse("somebody@example.com")?,
            1 => request.teams = Some(Teams::These(vec![TeamId::parse("team-39")?])),
            2 => request.scopes.permissions = permissions(Some(&"servers.delete"))?,
            3 => request.ttl_seconds = Some(400 * DAY),
            4 => request.is_admin = true,
            _ => request.teams = None,
        }
        let act = self.issue(request.checked()?, self.new_jti(now))?;
        self.carry_out(act, origin, now).map(drop)
    }

    /// A lead would end, hold back or rotate what is not its own.
    fn touch_others(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let lead = self.lead();
        let (Some(jti), Some(origin)) = (self.any(now), self.by_caller(lead, now)?) else { return Ok(()) };
        let act = match self.chance.below(4) {
            0 => Act::Revoke(RevokeToken { jti, reason: RevocationReason::Unspecified, note: None }),
            1 => Act::ChangeSuspension(ChangeSuspension {
                change: Change::Suspend,
                which: Which::Token(jti),
                note: None,
            }),
            2 => {
                let command = RotateToken { jti, overlap: "0s".parse()?, ttl_seconds: None };
                self.rotation(command, now)?
            }
            _ => {
                let predicate = Predicate { team: Some(TeamId::parse("team-00")?), ..Predicate::default() };
                let reason = RevocationReason::PrivilegeWithdrawn;
                let command = Box::new(RevokeByRule { predicate, reason, note: None });
                Act::RevokeByRule { command, covers_any: true }
            }
        };
        self.carry_out(act, origin, now).map(drop)
    }

    fn rotation(&self, command: RotateToken, now: DateTime<Utc>) -> Result<Act, SeedError> {
        let (successor, signer, draw) = (self.new_jti(now), self.signer()?, Box::default());
        Ok(Act::Rotate { command, successor, signer, membership: None, draw })
    }

    fn rotate(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        // It is two events.
        if self.left() < 2 {
            return Ok(());
        }
        let (Some(jti), Some(origin)) = (self.any(now), self.by_caller(PORTAL, now)?) else { return Ok(()) };
        let overlap = self.chance.one_of(OVERLAPS).copied().unwrap_or("0s").parse()?;
        let act = self.rotation(RotateToken { jti, overlap, ttl_seconds: None }, now)?;
        self.carry_out(act, origin, now).map(drop)
    }

    fn note_of(&self) -> Result<Option<Note>, Malformed> {
        let note = if self.chance.once_in(3) { self.chance.one_of(NOTES).copied() } else { None };
        note.map(Note::parse).transpose()
    }

    fn revoke(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let (Some(jti), Some(origin)) = (self.any(now), self.by_caller(PORTAL, now)?) else { return Ok(()) };
        let reason = self.chance.one_of(&RevocationReason::ALL).copied().unwrap_or_default();
        let act = Act::Revoke(RevokeToken { jti, reason, note: self.note_of()? });
        self.carry_out(act, origin, now).map(drop)
    }

    /// Somebody at a shell of the catalog's machine ends a token.
    fn revoke_own(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let Some(jti) = self.any(now) else { return Ok(()) };
        let origin = self.at_a_shell(Path::CliAdmin)?;
        let act = Act::Revoke(RevokeToken { jti, reason: RevocationReason::Superseded, note: self.note_of()? });
        self.carry_out(act, origin, now).map(drop)
    }

    fn suspend(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let (Some(jti), Some(origin)) = (self.any(now), self.by_caller(PORTAL, now)?) else { return Ok(()) };
        let (change, which) = (Change::Suspend, Which::Token(jti));
        let act = Act::ChangeSuspension(ChangeSuspension { change, which, note: self.note_of()? });
        self.carry_out(act, origin, now).map(drop)
    }

    fn resume(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let Some(origin) = self.by_caller(PORTAL, now)? else { return Ok(()) };
        let Some(jti) = self.held.pop_front().filter(|jti| self.state.token(*jti).is_some()) else { return Ok(()) };
        let (change, which) = (Change::Resume, Which::Token(jti));
        let act = Act::ChangeSuspension(ChangeSuspension { change, which, note: None });
        self.carry_out(act, origin, now).map(drop)
    }

    /// A rotated token comes back after its end, or one that nobody issued.
    fn see_evidence(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let Some(origin) = self.by_caller(PORTAL, now)? else { return Ok(()) };
        let rotated = if self.chance.once_in(2) { self.rotated.pop_front() } else { None };
        let over = rotated.and_then(|jti| self.state.token(jti)).filter(|old| old.is_superseded(now));
        let reused = over.and_then(|old| {
            let successor = old.lineage.successor?;
            Some(RotatedTokenReused { jti: old.jti, family: old.family(), successor })
        });
        let act = match reused.map(Act::SeeReuse) {
            Some(act) => act,
            None => self.forgery(now)?,
        };
        self.carry_out(act, origin, now).map(drop)
    }

    fn forgery(&self, now: DateTime<Utc>) -> Result<Act, SeedError> {
        let mut digest = [0; 32];
        self.chance.fill(&mut digest);
        let (jti, kid, claims_digest) = (Some(self.new_jti(now)), self.signer()?, hex::encode(digest));
        Ok(Act::SeeShadow(ShadowTokenSeen { jti, kid, claims_digest, what: Shadow::NeverIssued }))
    }

    /// Somebody logs in at the provider and has a token issued. What the provider says is recorded when it is news.
    fn person_issues(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let issuer = Issuer::parse(PROVIDER)?;
        if !self.state.settings.trusts(&issuer) {
            return Ok(());
        }
        let sub = Subject::parse(format!("staff-{:03}@example.com", self.chance.rank(PEOPLE)))?;
        let origin = self.person(&sub)?;
        if self.state.person(&sub).is_none() || self.chance.once_in(40) {
            let seen = PersonSeen {
                issuer,
                logged_in: now.timestamp(),
                is_admin: false,
                teams: Teams::These(vec![TeamId::parse(format!("team-{:02}", self.chance.below(8)))?]),
                permissions: permissions(Some(&"tokens.create tokens.read tools.*"))?,
                sub: Some(sub),
            };
            return self.carry_out(Act::SeePerson(Box::new(seen)), origin, now).map(drop);
        }
        let mut request = IssueToken::plain(sub.clone());
        request.teams = self.state.person(&sub).map(|seen| seen.teams.clone());
        request.scopes.permissions = permissions(Some(&"tools.read"))?;
        request.ttl_seconds = self.chance.one_of(&[HOUR, DAY]).copied();
        request.reason = Some(Note::parse("self service")?);
        let act = self.issue(request, self.new_jti(now))?;
        self.carry_out(act, origin, now).map(drop)
    }

    fn refuse_login(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let sub = Subject::parse(format!("staff-{:03}@example.com", self.chance.rank(PEOPLE)))?;
        let origin = self.person(&sub)?;
        let refusal = self.chance.one_of(&LoginRefusal::ALL).copied().unwrap_or(LoginRefusal::OtherAudience);
        let denial = self.counted(Denial::of_login(refusal, now), now);
        self.carry_out(Act::Deny(denial), origin, now).map(drop)
    }

    /// A bridge has a courier made of a token that was revoked of late.
    fn carry(&mut self, now: DateTime<Utc>) -> Result<(), SeedError> {
        let Some(name) = self.cast.bridge.as_ref().map(|(client, _)| client.name.clone()) else { return Ok(()) };
        let is_good = |jti: &uuid::Uuid| {
            self.state.token(*jti).is_some_and(|token| now + TimeDelta::minutes(1) < token.expires_at)
        };
        let Some(jti) = self.revoked.pop_back().filter(is_good) else { return Ok(()) };
        let origin = self.client(name)?;
        let act = Act::IssueCourier { command: IssueCourier { jti, aud: None }, signer: self.signer()? };
        self.carry_out(act, origin, now).map(drop)
    }
}

fn permissions(named: Option<&&str>) -> Result<Vec<Permission>, Malformed> {
    named.into_iter().flat_map(|named| named.split_whitespace()).map(Permission::parse).collect()
}
