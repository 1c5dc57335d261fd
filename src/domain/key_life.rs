//! The life of a key, decided: published before it signs, followed by another, and put away when its last token is over, or
//! at once when others may have it.

use chrono::{DateTime, Utc};

use super::{
    Event, Position, Refusal, Settings,
    event::{KeyActivated, KeyAdded, KeyCompromised, KeyRetired},
    key::{KeyRecord, Over},
    text::{Kid, Note},
};

/// Why a key stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The log does not know it.
    #[error("the log has no key {kid}")]
    Unknown {
        /// The key.
        kid: Kid,
    },
    /// Somebody may not have read yet what its tokens are verified with.
    #[error(
        "the key {kid} was added just now: gateways may go by a JWK Set without it for another {left_seconds} s, and would \
         refuse its tokens"
    )]
    TooNew {
        /// The key.
        kid: Kid,
        /// Until then, in seconds.
        left_seconds: i64,
    },
    /// It is never published, so it cannot be the one that signs.
    #[error("the key {kid} is for tokens from a shell alone; a policy has it sign")]
    OfShell {
        /// The key.
        kid: Kid,
    },
    /// A policy names a key that is not one for tokens from a shell alone.
    #[error("{kid} is not a key that was added for tokens from a shell: 'catalog keys add --dev' makes one")]
    NotADevKey {
        /// The key.
        kid: Kid,
    },
    /// It signs no more, for good.
    #[error("the key {kid} was {over}, and signs no more")]
    Over {
        /// The key.
        kid: Kid,
        /// Why.
        over: Over,
    },
    /// It signs now, or did until just now.
    #[error("the key {kid} signs; another has to take its place first")]
    Signs {
        /// The key.
        kid: Kid,
    },
    /// Tokens that it signed may still be used.
    #[error("{tokens} of the key {kid} may still be used, the last until {}", .until.format("%FT%TZ"), tokens = tokens(*live))]
    InUse {
        /// The key.
        kid: Kid,
        /// How many.
        live: u64,
        /// When the last of them ends.
        until: DateTime<Utc>,
    },
}

impl KeyRefusal {
    /// The rule's name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "key_unknown",
            Self::TooNew { .. } => "key_too_new",
            Self::OfShell { .. } => "key_of_shell",
            Self::NotADevKey { .. } => "not_a_dev_key",
            Self::Over { .. } => "key_over",
            Self::Signs { .. } => "key_signs",
            Self::InUse { .. } => "key_in_use",
        }
    }
}

fn tokens(count: u64) -> String {
    if count == 1 { "1 token".to_owned() } else { format!("{count} tokens") }
}

/// Makes a key the one that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivateKey {
    /// The key.
    pub kid: Kid,
    /// Whether its asker accepts that its tokens are refused by whoever has not read its public half yet.
    pub early: bool,
}

/// Puts a key away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetireKey {
    /// The key.
    pub kid: Kid,
    /// Which of its tokens may still be used, counted before the command was queued.
    pub live: Option<LiveTokens>,
    /// The end of the log for which that holds.
    pub counted: Position,
}

/// The tokens of a key that may still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveTokens {
    /// How many.
    pub count: u64,
    /// When the last of them ends.
    pub until: DateTime<Utc>,
}

/// Says that others may have a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompromiseKey {
    /// The key.
    pub kid: Kid,
    /// From which position on none of its tokens is believed.
    pub from: Position,
    /// The instant that this was found by.
    pub since: Option<DateTime<Utc>>,
    /// How it came about, in a person's words.
    pub note: Option<Note>,
    /// The key that signs from here on, where it was this one.
    pub successor: Option<Kid>,
}

/// Decides the addition of a key: nothing when the log knows it already.
#[must_use]
pub fn add_key(settings: &Settings, key: &KeyAdded) -> Option<Event> {
    settings.key(&key.kid).is_none().then(|| Event::KeyAdded(key.clone()))
}

/// Decides which key signs from here on: nothing when it does already.
///
/// # Errors
/// [`KeyRefusal`].
pub fn activate_key(
    settings: &Settings,
    command: &ActivateKey,
    now: DateTime<Utc>,
) -> Result<Option<KeyActivated>, Refusal> {
    let ActivateKey { kid, early } = command;
    let key = known(settings, kid)?;
    if let Some(over) = key.over() {
        return Err(KeyRefusal::Over { kid: kid.clone(), over }.into());
    }
    if key.dev {
        return Err(KeyRefusal::OfShell { kid: kid.clone() }.into());
    }
    if settings.active.as_ref() == Some(kid) {
        return Ok(None);
    }
    match key.spreads_for(now) {
        Some(left_seconds) if !early => Err(KeyRefusal::TooNew { kid: kid.clone(), left_seconds }.into()),
        left => Ok(Some(KeyActivated { kid: kid.clone(), early: left.is_some() })),
    }
}

/// Decides the end of a key that is needed no more: nothing when it came before. Its tokens were counted before the
/// command was queued, so it must not have signed since.
///
/// # Errors
/// [`KeyRefusal`].
pub fn retire_key(settings: &Settings, command: &RetireKey) -> Result<Option<KeyRetired>, Refusal> {
    let RetireKey { kid, live, counted } = command;
    let key = known(settings, kid)?;
    if key.over().is_some() {
        return Ok(None);
    }
    let signs = settings.active.as_ref() == Some(kid) || settings.signer_of_shell() == Some(kid);
    if signs || key.relieved.is_some_and(|position| position > *counted) {
        return Err(KeyRefusal::Signs { kid: kid.clone() }.into());
    }
    match live {
        Some(LiveTokens { count, until }) => {
            Err(KeyRefusal::InUse { kid: kid.clone(), live: *count, until: *until }.into())
        }
        None => Ok(Some(KeyRetired { kid: kid.clone(), counted: *counted })),
    }
}

/// Decides the end of a key that others may have, and of what it signed: nothing when as much was said before. Whoever
/// names a successor has it sign at once: that some refuse its tokens for a while is the lesser evil.
///
/// # Errors
/// [`KeyRefusal`].
pub fn compromise_key(settings: &Settings, command: &CompromiseKey, now: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
    let CompromiseKey { kid, from, since, note, successor } = command;
    let key = known(settings, kid)?;
    let activated = match successor {
        Some(successor) if successor != kid => {
            activate_key(settings, &ActivateKey { kid: successor.clone(), early: true }, now)?
        }
        _ => None,
    };
    if settings.active.as_ref() == Some(kid) && activated.is_none() {
        return Err(KeyRefusal::Signs { kid: kid.clone() }.into());
    }
    let (kid, from, since) = (kid.clone(), *from, *since);
    let is_news = key.compromise.is_none_or(|known| from < known.from);
    let compromised = is_news.then(|| Event::KeyCompromised(KeyCompromised { kid, from, since, note: note.clone() }));
    Ok(activated.map(Event::KeyActivated).into_iter().chain(compromised).collect())
}

fn known<'a>(settings: &'a Settings, kid: &Kid) -> Result<&'a KeyRecord, Refusal> {
    settings.key(kid).ok_or_else(|| KeyRefusal::Unknown { kid: kid.clone() }.into())
}
