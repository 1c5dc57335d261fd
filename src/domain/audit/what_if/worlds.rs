//! The worlds that the log allows: what was asked for and by whom, with everything that it does not tell in each way that
//! it may have been.

use uuid::Uuid;

use super::{
    super::super::{
        Authority, Event, IssueToken, Recorded, RotateToken, State, TokenIssued, asker,
        authority::{Credential, Restrictions},
        claims::{Scopes, Teams},
        denial::{IssuanceRefused, RotationRefused},
        event::Elevation,
        membership::{Answer, Membership},
        policy::{MembershipSource, Rules},
        rotate::Overlap,
        status_list::Entry,
        text::{Email, FullName, Issuer, Namespace, TeamId},
    },
    Outcome, Why,
};

/// What stands for what somebody asked for and the log does not tell. Nobody has it.
const UNKNOWN: &str = "not-in-the-log";

/// A decision that the log records.
pub(super) struct Case {
    asked: Asked,
    /// What it came to.
    pub(super) was: Outcome,
    /// The identifier of the token that was to be.
    pub(super) jti: Uuid,
    /// Where its status stands.
    pub(super) entry: Option<Entry>,
}

enum Asked {
    Issued(Box<TokenIssued>),
    Refused(Box<IssuanceRefused>),
    RotationRefused(RotationRefused),
}

/// What was asked for.
#[derive(Clone)]
pub(super) enum Wish {
    /// A token.
    Issue(Box<IssueToken>),
    /// One in another's place.
    Rotate(RotateToken),
}

/// One way in which it may have been.
#[derive(Clone)]
pub(super) struct World {
    /// What was asked for.
    pub(super) wish: Wish,
    /// By what authority.
    pub(super) authority: Authority,
    /// What the membership source of the policy of then said.
    pub(super) then: Option<Answer>,
    /// What that of the other policy would have said.
    pub(super) other: Option<Answer>,
}

impl Wish {
    /// The lifetime that is asked for.
    pub(super) fn ttl(&self) -> Option<u32> {
        match self {
            Self::Issue(command) => command.ttl_seconds,
            Self::Rotate(command) => command.ttl_seconds,
        }
    }

    fn without_ttl(mut self) -> Self {
        match &mut self {
            Self::Issue(command) => command.ttl_seconds = None,
            Self::Rotate(command) => command.ttl_seconds = None,
        }
        self
    }

    /// The request of the token that would be issued.
    fn request(&self, state: &State) -> Option<IssueToken> {
        match self {
            Self::Issue(command) => Some(IssueToken::clone(command)),
            Self::Rotate(command) => state.token(command.jti).and_then(|old| command.wish(old)),
        }
    }
}

impl Case {
    /// The decision that an event records, if it is one about an issuance.
    pub(super) fn of(recorded: &Recorded) -> Option<Self> {
        let refused = |rule: &str| Outcome::Refused { rule: rule.to_owned() };
        match &recorded.occurrence.event {
            Event::TokenIssued(issued) => Some(Self {
                was: Outcome::Issued { expires_in: issued.exp - issued.iat },
                jti: issued.jti,
                entry: issued.status_list,
                asked: Asked::Issued(issued.clone()),
            }),
            Event::IssuanceRefused(no) => {
                Some(Self { was: refused(&no.rule), jti: Uuid::nil(), entry: None, asked: Asked::Refused(no.clone()) })
            }
            Event::RotationRefused(no) => {
                let asked = Asked::RotationRefused(no.clone());
                Some(Self { was: refused(&no.rule), jti: Uuid::nil(), entry: None, asked })
            }
            _ => None,
        }
    }

    /// What was asked for, in each way that it may have been, but for the lifetime.
    fn wishes(&self, authority: &Authority) -> Result<Vec<Wish>, Why> {
        match &self.asked {
            Asked::Issued(issued) => {
                let wish = match issued.predecessor {
                    Some(jti) => rotation(issued, jti),
                    None => Wish::Issue(Box::new(request(issued).ok_or(Why::Erased)?)),
                };
                Ok(vec![wish.clone().without_ttl(), wish])
            }
            Asked::Refused(no) => {
                let requests = requests(no, authority).ok_or(Why::Erased)?;
                Ok(requests.into_iter().map(|request| Wish::Issue(Box::new(request))).collect())
            }
            Asked::RotationRefused(no) => {
                let RotationRefused { jti, overlap, expires_in, .. } = *no;
                Ok(vec![Wish::Rotate(RotateToken { jti, overlap, ttl_seconds: expires_in })])
            }
        }
    }

    /// Whether an address was asked for that the log does not tell.
    fn hides_address(&self) -> bool {
        matches!(&self.asked, Asked::Refused(no) if no.elevated.contains(&Elevation::Email))
    }
}

/// The request of an issued token. Whether teams were said of one that reaches every team is told by what was elevated; what
/// was left out otherwise comes to the same as what was put in its place.
fn request(issued: &TokenIssued) -> Option<IssueToken> {
    let claims = issued.claims()?;
    let unsaid = claims.teams == Teams::Every && !issued.elevated.contains(&Elevation::Teams);
    Some(IssueToken {
        sub: claims.sub,
        name: issued.name.clone(),
        description: issued.description.clone(),
        aud: claims.aud,
        ttl_seconds: u32::try_from(issued.exp - issued.iat).ok(),
        is_admin: claims.user.is_admin,
        email: Some(claims.user.email),
        full_name: Some(claims.user.full_name),
        teams: (!unsaid).then_some(claims.teams),
        namespaces: claims.namespaces,
        scopes: claims.scopes,
        reason: issued.reason.clone(),
    })
}

/// For how long the token before stayed good was for its caller to say, within its own time: no policy bounds it.
fn rotation(issued: &TokenIssued, jti: Uuid) -> Wish {
    Wish::Rotate(RotateToken { jti, overlap: Overlap::NONE, ttl_seconds: u32::try_from(issued.exp - issued.iat).ok() })
}

/// The requests that a refusal may have been of: one that keeps to what the asker was held to, and others that each do not
/// in one way.
fn requests(no: &IssuanceRefused, authority: &Authority) -> Option<Vec<IssueToken>> {
    let kept = |scopes: Scopes| Scopes { permissions: no.permissions.clone(), ..scopes };
    let mut request = IssueToken::plain(no.sub.clone()?);
    request.name.clone_from(&no.name);
    request.aud.clone_from(&no.aud);
    request.ttl_seconds = no.expires_in;
    request.is_admin = no.is_admin;
    request.teams.clone_from(&no.teams);
    request.reason.clone_from(&no.reason);
    request.namespaces.clone_from(&authority.namespaces);
    request.scopes = kept(authority.restrictions.scopes());
    let own = Email::of_subject(&request.sub);
    let foreign = Email::parse(format!("{UNKNOWN}@service.invalid")).ok();
    let is_another = no.elevated.contains(&Elevation::Email);
    request.email = authority.email.clone().filter(|email| is_another && *email != own);
    if is_another && request.email.is_none() {
        request.email.clone_from(&foreign);
    }
    let with = |change: &dyn Fn(&mut IssueToken)| {
        let mut other = request.clone();
        change(&mut other);
        other
    };
    let mut requests = vec![request.clone()];
    if authority.restrictions != Restrictions::default() {
        requests.push(with(&|other| other.scopes = kept(Scopes::default())));
    }
    requests.push(with(&|other| other.namespaces = Namespace::parse(UNKNOWN).into_iter().collect()));
    requests.push(with(&|other| other.full_name = FullName::parse(UNKNOWN).ok()));
    if is_another {
        requests.push(with(&|other| other.email.clone_from(&foreign)));
    }
    Some(requests)
}

/// Every world that the log allows of a case, by the state before it.
pub(super) fn of(
    case: &Case,
    state: &State,
    recorded: &Recorded,
    (then, other): (&Rules, &Rules),
) -> Result<Vec<World>, Why> {
    let origin = &recorded.occurrence.origin;
    let mut authority = asker::authority(state, origin).ok_or(Why::AskerUnknown)?;
    if let Some(Credential::Login { issuer }) = &authority.credential {
        require_same_table(issuer, then, other)?;
        // A person's own address is not recorded: what was granted shows it.
        if let Asked::Issued(issued) = &case.asked {
            authority.email = issued.claims().map(|claims| claims.user.email);
        }
    }
    let mut worlds = Vec::new();
    for wish in case.wishes(&authority)? {
        let request = wish.request(state);
        let teams = request.as_ref().and_then(|request| delegated(request, &authority));
        let Some((request, teams)) = request.as_ref().zip(teams) else {
            worlds.push(World { wish, authority: authority.clone(), then: None, other: None });
            continue;
        };
        // Whom another address names, some provider may have said something of.
        let may_know = !then.trusted_issuers.is_empty() || !other.trusted_issuers.is_empty();
        if case.hides_address() && authority.is_admin && may_know {
            return Err(Why::AddressNotRecorded);
        }
        if let Some(seen) = state.person(&request.bearer()) {
            require_same_table(&seen.issuer, then, other)?;
        }
        for (then, other) in answers(&teams, then, other) {
            worlds.push(World { wish: wish.clone(), authority: authority.clone(), then, other });
        }
    }
    Ok(worlds)
}

/// The teams that are asked for somebody whose teams have to be asked about.
fn delegated(request: &IssueToken, authority: &Authority) -> Option<Vec<TeamId>> {
    let is_own = authority.subject.as_ref() == Some(&request.sub) && !request.names_another_address();
    match &request.teams {
        Some(Teams::These(teams)) if !is_own && !teams.is_empty() => Some(teams.clone()),
        _ => None,
    }
}

/// What a table of the policy made of a person's groups is recorded, the groups are not: another table may make something
/// else of them. A provider that is trusted no more lets nobody in, whatever their groups.
fn require_same_table(issuer: &Issuer, then: &Rules, other: &Rules) -> Result<(), Why> {
    match (then.trusted_issuer(issuer), other.trusted_issuer(issuer)) {
        (Some(then), Some(other)) => {
            let same = (&then.claims, &then.permissions, &then.teams, &then.roles)
                == (&other.claims, &other.permissions, &other.teams, &other.roles);
            if same { Ok(()) } else { Err(Why::GroupsNotRecorded) }
        }
        _ => Ok(()),
    }
}

/// What the membership sources of both policies may have said. One source says the same to both.
fn answers(teams: &[TeamId], then: &Rules, other: &Rules) -> Vec<(Option<Answer>, Option<Answer>)> {
    let source = |rules: &Rules| rules.membership.as_ref().map(|membership| membership.source.clone());
    match (source(then), source(other)) {
        (None, None) => vec![(None, None)],
        (Some(source), None) => said(teams, &source).map(|answer| (Some(answer), None)).collect(),
        (None, Some(source)) => said(teams, &source).map(|answer| (None, Some(answer))).collect(),
        (Some(one), Some(same)) if one == same => {
            said(teams, &one).map(|answer| (Some(answer.clone()), Some(answer))).collect()
        }
        (Some(one), Some(two)) => said(teams, &one)
            .flat_map(|first| said(teams, &two).map(move |second| (Some(first.clone()), Some(second))))
            .collect(),
    }
}

fn said<'a>(teams: &'a [TeamId], source: &'a MembershipSource) -> impl Iterator<Item = Answer> + 'a {
    let memberships =
        [Membership::Of(teams.to_vec()), Membership::Of(Vec::new()), Membership::Unknown, Membership::Unavailable];
    memberships.into_iter().map(|membership| Answer { source: source.clone(), membership })
}
