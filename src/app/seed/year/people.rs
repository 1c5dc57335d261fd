//! Who asks for something in a made-up year, through which door, and by what authority.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{super::SeedError, Year};
use crate::domain::{
    Act, Actor, Authority, IssueToken, Malformed, Origin, Path, Status, asker,
    claims::{CATALOG_AUDIENCE, Teams},
    client::{ClientAdded, SecretDigest},
    origin::OsUser,
    status_list::Draw,
    text::{Audience, ClientName, Issuer, Permission, RequestId, Subject, TeamId},
};

/// What marks every event of a seeding, whatever is erased later: its request is named so.
const MARK: &str = "dev-seed";
const USER_AGENTS: &[&str] = &["catalog/0.1", "portal/4.2", "python-httpx/0.27", "curl/8.5.0"];
const HOSTS: &[&str] = &["build-01", "build-02", "laptop-ada", "bastion"];
/// How long a caller uses a credential, and for how long that would be good.
const CREDENTIAL_USED: TimeDelta = TimeDelta::days(25);
const CREDENTIAL_SECONDS: u32 = 30 * 24 * 60 * 60;
/// The provider that people log in at.
pub(super) const PROVIDER: &str = "https://login.example.com";
/// The caller that issues for everybody.
pub(super) const PORTAL: usize = 0;

/// Everybody who asks for something.
pub(in crate::app::seed) struct Cast {
    operator: Actor,
    callers: Vec<Caller>,
    /// The client that has couriers made, and its secret's digest.
    pub(super) bridge: Option<(ClientAdded, SecretDigest)>,
}

/// Somebody who has a token for the catalog.
struct Caller {
    sub: Subject,
    teams: Option<Vec<TeamId>>,
    credential: Option<(Uuid, DateTime<Utc>)>,
}

impl Cast {
    /// A portal, and a lead of a team for every so many events. `operator` is who has the catalog seeded.
    pub(in crate::app::seed) fn of(operator: Actor, events: u64) -> Result<Self, Malformed> {
        let leads = (events / 3_000).clamp(1, 8);
        let portal = Caller { sub: Subject::parse("portal@example.com")?, teams: None, credential: None };
        let lead = |number: u64| {
            let teams =
                vec![TeamId::parse(format!("team-{number:02}"))?, TeamId::parse(format!("team-{:02}", number + 8))?];
            Ok(Caller {
                sub: Subject::parse(format!("lead-{number}@example.com"))?,
                teams: Some(teams),
                credential: None,
            })
        };
        let leads = (0..leads).map(lead).collect::<Result<Vec<_>, Malformed>>()?;
        Ok(Self { operator, callers: std::iter::once(portal).chain(leads).collect(), bridge: None })
    }

    /// Whether a token is what somebody here asks with.
    pub(super) fn is_of_caller(&self, jti: Uuid) -> bool {
        self.callers.iter().any(|caller| caller.credential.is_some_and(|(credential, _)| credential == jti))
    }

    pub(super) fn leads(&self) -> usize {
        self.callers.len() - 1
    }

    pub(super) fn sub(&self, caller: usize) -> &Subject {
        &self.callers[caller].sub
    }

    pub(super) fn teams(&self, caller: usize) -> &[TeamId] {
        self.callers[caller].teams.as_deref().unwrap_or_default()
    }
}

impl Year {
    /// By what authority somebody asks, as the log tells.
    pub(super) fn authority(&self, origin: &Origin) -> Authority {
        if let (Actor::Client { name }, Some((_, secret))) = (&origin.actor, &self.cast.bridge) {
            let client = self.state.settings.client(name);
            return client.map_or_else(Authority::of_nobody, |client| Authority::of_client(client, *secret));
        }
        match origin.path {
            Path::System => Authority::of_shell(),
            _ => asker::authority(&self.state, origin).unwrap_or_else(Authority::of_nobody),
        }
    }

    /// One of the callers, with its token; `None` where it had to have a new one first.
    pub(super) fn by_caller(&mut self, caller: usize, now: DateTime<Utc>) -> Result<Option<Origin>, SeedError> {
        let Caller { sub, credential, .. } = &self.cast.callers[caller];
        let good = credential.filter(|(jti, since)| {
            let is_active = self.state.token(*jti).is_some_and(|token| token.status(now) == Status::Active);
            is_active && now < *since + CREDENTIAL_USED
        });
        if let Some((jti, _)) = good {
            let actor = Actor::Token { jti, sub: Some(sub.to_string()) };
            return Ok(Some(self.by_api(actor)?));
        }
        self.renew(caller, now)?;
        Ok(None)
    }

    fn renew(&mut self, caller: usize, now: DateTime<Utc>) -> Result<(), SeedError> {
        let Caller { sub, teams, .. } = &self.cast.callers[caller];
        let mut request = IssueToken::plain(sub.clone());
        request.aud = vec![Audience::parse(CATALOG_AUDIENCE)?];
        request.ttl_seconds = Some(CREDENTIAL_SECONDS);
        match teams {
            None => request.is_admin = true,
            Some(teams) => {
                request.teams = Some(Teams::These(teams.clone()));
                request.scopes.permissions = ["tokens.create", "tokens.read", "tools.*", "resources.*"]
                    .into_iter()
                    .map(Permission::parse)
                    .collect::<Result<_, _>>()?;
            }
        }
        let jti = self.new_jti(now);
        let (act, origin) = (self.issue(request, jti)?, self.at_a_shell(Path::CliDev)?);
        if self.carry_out(act, origin, now)? {
            self.cast.callers[caller].credential = Some((jti, now));
        }
        Ok(())
    }

    pub(super) fn issue(&self, request: IssueToken, jti: Uuid) -> Result<Act, SeedError> {
        let draw = Box::new(Draw::default());
        Ok(Act::Issue { command: Box::new(request), jti, signer: self.signer()?, membership: None, draw })
    }

    /// Through the API, from some address.
    pub(super) fn by_api(&mut self, actor: Actor) -> Result<Origin, SeedError> {
        let octet = |bound: u64| u8::try_from(self.chance.below(bound)).unwrap_or(0);
        let address = IpAddr::from([10, octet(8), octet(32), 1 + octet(250)]);
        let user_agent = self.chance.one_of(USER_AGENTS).map(|agent| (*agent).to_owned());
        Ok(Origin { address: Some(address), user_agent, ..self.origin(Path::Api, actor)? })
    }

    /// At a shell: most often whoever has the catalog seeded, else somebody of a build machine.
    pub(super) fn at_a_shell(&mut self, path: Path) -> Result<Origin, SeedError> {
        let host = self.chance.one_of(HOSTS).map(|host| (*host).to_owned());
        let name = Some(["build", "ada", "deploy"][usize::try_from(self.chance.below(3)).unwrap_or(0)].to_owned());
        let other = Actor::OsUser(OsUser { name, uid: Some(1_000), host, ..OsUser::default() });
        let actor = if self.chance.once_in(3) { self.cast.operator.clone() } else { other };
        self.origin(path, actor)
    }

    pub(super) fn of_the_program(&mut self) -> Result<Origin, SeedError> {
        self.origin(Path::System, self.cast.operator.clone())
    }

    /// A person of the provider.
    pub(super) fn person(&mut self, sub: &Subject) -> Result<Origin, SeedError> {
        let actor = Actor::Person { issuer: Issuer::parse(PROVIDER)?, sub: Some(sub.to_string()) };
        self.by_api(actor)
    }

    pub(super) fn client(&mut self, name: ClientName) -> Result<Origin, SeedError> {
        self.by_api(Actor::Client { name })
    }

    fn origin(&mut self, path: Path, actor: Actor) -> Result<Origin, SeedError> {
        self.commands += 1;
        let request_id = RequestId::parse(format!("{MARK}-{}-{}", self.plan.seed, self.commands))?;
        Ok(Origin { path, actor, request_id, address: None, user_agent: None })
    }
}
