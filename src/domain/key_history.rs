//! What became of the keys, as a story: a fold over the events that the settings are made of.

use chrono::{DateTime, Utc};

use super::{Event, Path, Position, Recorded, Settings, text::Kid};

/// Something that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFact {
    /// The key.
    pub kid: Kid,
    /// What.
    pub what: What,
    /// Where in the log.
    pub position: Position,
    /// When the log knew it: the clock of the database.
    pub at: DateTime<Utc>,
    /// Personal: who, for people to read.
    pub by: Option<String>,
}

/// What can happen to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was made known.
    Added,
    /// It signs from here on what comes through these doors.
    Activated,
    /// It signs no more: another took its place.
    Relieved,
    /// A policy has it sign, from here on, tokens from a shell.
    ActivatedForShell,
    /// No policy has it sign tokens from a shell any more.
    RelievedForShell,
    /// It was put away.
    Retired,
    /// Others may have it.
    Compromised {
        /// From where on no token that it signed is believed.
        from: Position,
        /// The instant that was named for that, if one was.
        since: Option<DateTime<Utc>>,
    },
}

impl What {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Activated => "activated",
            Self::Relieved => "relieved",
            Self::ActivatedForShell => "activated_for_shell",
            Self::RelievedForShell => "relieved_for_shell",
            Self::Retired => "retired",
            Self::Compromised { .. } => "compromised",
        }
    }
}

/// Everything that happened to the keys, in the order of the log.
#[must_use]
pub fn history<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Vec<KeyFact> {
    let mut settings = Settings::default();
    let mut facts = Vec::new();
    for recorded in events {
        let before = signers(&settings);
        settings.apply(recorded);
        facts.extend(changes(&before, &signers(&settings)).map(|(kid, what)| fact(kid, what, recorded)));
        facts.extend(of_itself(&recorded.occurrence.event).map(|(kid, what)| fact(kid.clone(), what, recorded)));
    }
    facts
}

/// Which key signs at which door.
type Signers = [(Path, Option<Kid>); 2];

fn signers(settings: &Settings) -> Signers {
    [(Path::Api, settings.active.clone()), (Path::CliDev, settings.signer_of_shell().cloned())]
}

fn changes(before: &Signers, after: &Signers) -> impl Iterator<Item = (Kid, What)> {
    let pairs = before.iter().zip(after).filter(|((_, before), (_, after))| before != after);
    pairs.flat_map(|((path, before), (_, after))| {
        let (relieved, activated) = match path {
            Path::CliDev => (What::RelievedForShell, What::ActivatedForShell),
            Path::Api | Path::CliAdmin | Path::System => (What::Relieved, What::Activated),
        };
        let relieved = before.clone().map(|kid| (kid, relieved));
        relieved.into_iter().chain(after.clone().map(|kid| (kid, activated)))
    })
}

fn of_itself(event: &Event) -> Option<(&Kid, What)> {
    match event {
        Event::KeyAdded(key) => Some((&key.kid, What::Added)),
        Event::KeyCompromised(key) => Some((&key.kid, What::Compromised { from: key.from, since: key.since })),
        Event::KeyRetired(key) => Some((&key.kid, What::Retired)),
        _ => None,
    }
}

fn fact(kid: Kid, what: What, recorded: &Recorded) -> KeyFact {
    let (position, at) = (recorded.position, recorded.recorded_at);
    KeyFact { kid, what, position, at, by: recorded.occurrence.origin.actor.display() }
}
