//! What a report needs of an event, read off its bytes without making all of it. The kinds that a log is full of are skimmed;
//! every other one goes through [`codec::decode`], which knows old forms and stops at unknown ones.

mod instant;

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::codec::{self, CodecError};
use crate::domain::{
    Path, Position, Recorded,
    audit::seen::{Denied, Fact, Issued, OsName, Revoked, Seen, Who},
    event::{Elevation, First},
    revoke::RevocationReason,
};

/// An event as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// Its place.
    pub position: Position,
    /// The database's clock.
    pub recorded_at: DateTime<Utc>,
    /// A copy of what `body` says.
    pub kind: &'a str,
    /// The structure.
    pub body: &'a [u8],
    /// What may have been erased.
    pub personal: Option<&'a [u8]>,
}

/// An event as far as it was read.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly all are")]
pub enum Skimmed<'a> {
    /// One of a kind that a log is full of.
    Seen(Seen<'a>),
    /// Any other, and whether its personal part is erased.
    Whole(Box<Recorded>, bool),
}

impl Skimmed<'_> {
    /// Has it seen as a report reads it.
    pub fn seen<T>(&self, see: impl FnOnce(&Seen<'_>) -> T) -> T {
        match self {
            Self::Seen(seen) => see(seen),
            Self::Whole(recorded, is_erased) => {
                let kind = codec::kind(&recorded.occurrence.event);
                see(&Seen::of(kind, recorded, *is_erased))
            }
        }
    }
}

/// Reads of an event what a report needs.
///
/// # Errors
/// [`CodecError`]: never skip such an event, stop at it.
pub fn skim(stored: Stored<'_>) -> Result<Skimmed<'_>, CodecError> {
    Ok(Skimmed::Seen(match stored.kind {
        codec::TOKEN_ISSUED => issued(stored)?,
        codec::TOKEN_REVOKED => revoked(stored)?,
        codec::TOKEN_SUSPENDED => changed(stored, Fact::Suspended)?,
        codec::TOKEN_RESUMED => changed(stored, Fact::Resumed)?,
        kind if kind.ends_with(".refused.v1") && codec::KINDS.contains(&kind) => denied(stored)?,
        _ => {
            let occurrence = codec::decode(stored.body, stored.personal)?;
            let recorded = Recorded { position: stored.position, recorded_at: stored.recorded_at, occurrence };
            return Ok(Skimmed::Whole(Box::new(recorded), stored.personal.is_none()));
        }
    }))
}

/// Texts in bytes that are one text as a whole need not be looked at one by one.
fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, serde_json::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    }
}

/// How much of a payload is looked at first: so many bytes, which are whole characters of base64.
const BEGINNING: usize = 120;

/// A text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Self {
        text.0
    }
}

fn texts(texts: Vec<Text<'_>>) -> Vec<Cow<'_, str>> {
    texts.into_iter().map(Cow::from).collect()
}

/// The members of `body` that every event has.
#[derive(Deserialize)]
struct Body<'a, T> {
    #[serde(borrow)]
    actor: ActorForm<'a>,
    data: T,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(deserialize_with = "instant::read")]
    occurred_at: DateTime<Utc>,
    path: Path,
}

/// The members of `personal`.
#[derive(Deserialize)]
struct Personal<'a, T> {
    #[serde(borrow, default)]
    actor: ActorNames<'a>,
    #[serde(default = "none")]
    data: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

#[derive(Deserialize)]
struct ActorForm<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct ActorNames<'a> {
    #[serde(borrow, default)]
    sub: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    login: Option<Text<'a>>,
    #[serde(borrow, default)]
    sudo_user: Option<Text<'a>>,
    #[serde(borrow, default)]
    host: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct IssuedForm<'a> {
    jti: Uuid,
    iat: i64,
    exp: i64,
    #[serde(borrow)]
    kid: Text<'a>,
    is_admin: bool,
    #[serde(borrow, deserialize_with = "nullable")]
    teams: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    permissions: Vec<Text<'a>>,
    out_of_band: bool,
    elevated: Vec<Elevation>,
    policy_version: u32,
    #[serde(default)]
    family: Option<Uuid>,
    #[serde(default)]
    predecessor: Option<Uuid>,
    #[serde(default)]
    first: Option<First>,
}

/// A member that may be `null`, and has to be there.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

#[derive(Default, Deserialize)]
struct IssuedNames<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    signing_input: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct RevokedForm {
    jti: Uuid,
    reason: RevocationReason,
    #[serde(default)]
    effective_from: Option<DateTime<Utc>>,
    #[serde(default)]
    successor: Option<Uuid>,
}

#[derive(Default, Deserialize)]
struct RevokedNames<'a> {
    #[serde(borrow, default)]
    note: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ChangedForm {
    jti: Uuid,
}

/// Of these nothing is needed.
#[derive(Default, Deserialize)]
struct NoNames {}

#[derive(Deserialize)]
struct DeniedForm<'a> {
    #[serde(borrow)]
    rule: Text<'a>,
    count: u32,
    #[serde(deserialize_with = "instant::read")]
    since: DateTime<Utc>,
    #[serde(default)]
    jti: Option<Uuid>,
    #[serde(borrow, default)]
    teams: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    team: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct DeniedNames<'a> {
    #[serde(borrow, default)]
    sub: Option<Text<'a>>,
}

/// The one claim that is nowhere else.
#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Text<'a>,
}

/// What every event has, whatever happened.
struct Frame<'a> {
    stored: Stored<'a>,
    occurred_at: DateTime<Utc>,
    path: Path,
    who: Who<'a>,
}

impl<'a> Frame<'a> {
    fn seen(self, fact: Fact<'a>) -> Seen<'a> {
        Seen {
            position: self.stored.position,
            occurred_at: self.occurred_at,
            kind: self.stored.kind,
            path: self.path,
            who: self.who,
            is_erased: self.stored.personal.is_none(),
            fact,
        }
    }
}

/// The two parts of what an event's kind says of it, and what every event has.
fn parts<'a, D, N>(stored: Stored<'a>) -> Result<(D, N, Frame<'a>), CodecError>
where
    D: Deserialize<'a>,
    N: Deserialize<'a> + Default,
{
    let body: Body<'a, D> = json(stored.body)?;
    if body.kind.0 != stored.kind {
        return Err(CodecError::OtherKind { column: stored.kind.to_owned(), body: body.kind.0.into_owned() });
    }
    let (names, actor) = match stored.personal {
        None => (N::default(), ActorNames::default()),
        Some(personal) => {
            let personal: Personal<'a, N> = json(personal)?;
            (personal.data.unwrap_or_default(), personal.actor)
        }
    };
    let frame = Frame { stored, occurred_at: body.occurred_at, path: body.path, who: who(body.actor, actor)? };
    Ok((body.data, names, frame))
}

fn who<'a>(form: ActorForm<'a>, names: ActorNames<'a>) -> Result<Who<'a>, CodecError> {
    Ok(match (&*form.kind.0, form.name) {
        ("token" | "person", _) => Who::Subject(names.sub.map(Cow::from)),
        ("os-user", _) => Who::OsUser(OsName {
            name: names.name.map(Cow::from),
            login: names.login.map(Cow::from),
            sudo_user: names.sudo_user.map(Cow::from),
            host: names.host.map(Cow::from),
        }),
        ("client", Some(name)) => Who::Client(name.into()),
        ("anonymous", _) => Who::Anonymous,
        (kind, _) => {
            let error: serde_json::Error = serde::de::Error::custom(format!("no actor is of the kind '{kind}'"));
            return Err(error.into());
        }
    })
}

fn issued(stored: Stored<'_>) -> Result<Seen<'_>, CodecError> {
    let (data, names, frame) = parts::<IssuedForm<'_>, IssuedNames<'_>>(stored)?;
    Ok(frame.seen(Fact::Issued(Issued {
        jti: data.jti,
        iat: data.iat,
        exp: data.exp,
        kid: data.kid.into(),
        is_admin: data.is_admin,
        teams: data.teams.map(texts),
        permissions: texts(data.permissions),
        out_of_band: data.out_of_band,
        elevated: data.elevated,
        policy_version: data.policy_version,
        name: names.name.map(Cow::from),
        reason: names.reason.map(Cow::from),
        family: data.family,
        predecessor: data.predecessor,
        first: data.first,
        sub: names.signing_input.and_then(|input| subject(&input.0)).map(Cow::Owned),
    })))
}

/// `sub` of the claims in a `header.payload`. It is among the first of them, as they are written here, so that most often a
/// part is enough.
fn subject(signing_input: &str) -> Option<String> {
    let payload = signing_input.split_once('.')?.1.as_bytes();
    let mut beginning = [0; BEGINNING];
    let decoded = payload.get(..BEGINNING / 3 * 4).map(|part| URL_SAFE_NO_PAD.decode_slice(part, &mut beginning));
    let first = if matches!(decoded, Some(Ok(_))) { first_subject(&beginning) } else { None };
    first.or_else(|| {
        let claims = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Claims<'_> = serde_json::from_slice(&claims).ok()?;
        Some(claims.sub.0.into_owned())
    })
}

/// The member `sub` in the beginning of an object. No text has it in it, for there its quotes are escaped; and no other
/// object of the claims has one.
fn first_subject(beginning: &[u8]) -> Option<String> {
    const MEMBER: &[u8] = b"\"sub\":";
    let member = beginning.windows(MEMBER.len()).position(|window| window == MEMBER)?;
    let mut values = serde_json::Deserializer::from_slice(&beginning[member + MEMBER.len()..]).into_iter::<String>();
    values.next()?.ok()
}

fn revoked(stored: Stored<'_>) -> Result<Seen<'_>, CodecError> {
    let (data, names, frame) = parts::<RevokedForm, RevokedNames<'_>>(stored)?;
    let RevokedForm { jti, reason, effective_from, successor } = data;
    let note = names.note.map(Cow::from);
    Ok(frame.seen(Fact::Revoked(Revoked { jti, reason, effective_from, successor, note })))
}

fn changed<'a>(stored: Stored<'a>, fact: fn(Uuid) -> Fact<'a>) -> Result<Seen<'a>, CodecError> {
    let (data, NoNames {}, frame) = parts::<ChangedForm, NoNames>(stored)?;
    Ok(frame.seen(fact(data.jti)))
}

fn denied(stored: Stored<'_>) -> Result<Seen<'_>, CodecError> {
    let (data, names, frame) = parts::<DeniedForm<'_>, DeniedNames<'_>>(stored)?;
    let teams = data.teams.unwrap_or_default().into_iter().chain(data.team);
    Ok(frame.seen(Fact::Denied(Denied {
        rule: data.rule.into(),
        count: data.count,
        since: data.since,
        jti: data.jti,
        sub: names.sub.map(Cow::from),
        teams: teams.map(Cow::from).collect(),
    })))
}
