//! What the reader of an error of the floors below can do.

use std::{borrow::Cow, io};

use crate::{
    domain::{Refusal, client::ClientRefusal, key_life::KeyRefusal},
    store::{AppendError, StoreError, Trouble, schema::SchemaError},
};

pub(super) fn append_hint(error: &AppendError) -> Option<Cow<'static, str>> {
    match error {
        AppendError::Refused(refusal) => refusal_hint(refusal),
        AppendError::QueueFull => Some("try again in a moment".into()),
        AppendError::Unavailable(error) => store_hint(error).map(Cow::from),
        AppendError::OutcomeUnknown => Some("see 'catalog audit events' for whether it was recorded".into()),
        AppendError::Ended | AppendError::Rejected(_) => None,
    }
}

fn refusal_hint(refusal: &Refusal) -> Option<Cow<'static, str>> {
    let hint = match refusal {
        Refusal::TtlTooLong { .. } => "ask for less with --ttl",
        Refusal::NameInUse { .. } => "take another --name, or revoke that token first",
        Refusal::KeyNotHere { .. } => {
            "copy its file into the keys directory of this machine, or set JWT_SECRET_KEY if it is a shared secret"
        }
        Refusal::SettingDiffers { .. } => {
            "leave the setting out, or give the log's value; another catalog has its own --data or --schema"
        }
        Refusal::ReasonRequired => "say why with --reason",
        Refusal::TooManyActive { .. } => "'catalog list' shows them, 'catalog revoke' ends one",
        Refusal::MembershipUnknown { .. } => {
            "have the subject added where the policy's [membership] looks, or leave out --teams"
        }
        Refusal::OutOfBandDenied
        | Refusal::ElevatedDenied { .. }
        | Refusal::PermissionsNotGrantable { .. }
        | Refusal::AudiencesNotAllowed { .. }
        | Refusal::CatalogNotGrantable => "'catalog policy show' says what is allowed",
        Refusal::CatalogByDefault => "name another --audience; tokens for the catalog are asked for with --aud catalog",
        Refusal::Client(ClientRefusal::NameTaken { is_revoked: false, .. }) => {
            "'catalog clients rotate' gives it another secret; another client needs another name"
        }
        Refusal::Client(ClientRefusal::NameTaken { is_revoked: true, .. }) => {
            "the log names clients by their names: take another one"
        }
        Refusal::Client(ClientRefusal::Revoked { .. }) => "'catalog clients add' makes another one",
        Refusal::Client(ClientRefusal::Unknown { .. }) => "see 'catalog clients list'",
        Refusal::NotConfigured => "the first 'catalog serve' or 'catalog issue --dev' configures it",
        Refusal::Key(refusal) => return key_hint(refusal),
        Refusal::CredentialInactive
        | Refusal::Client(ClientRefusal::OverlapTooLong { .. })
        | Refusal::PermissionMissing { .. }
        | Refusal::SubjectNotYours { .. }
        | Refusal::AdminNotYours
        | Refusal::EmailNotYours
        | Refusal::FullNameNotYours
        | Refusal::NamespacesNotYours { .. }
        | Refusal::CredentialOfShellKey
        | Refusal::RestrictionsNotKept
        | Refusal::TeamsNotYours { .. }
        | Refusal::TeamsRequired { .. }
        | Refusal::PermissionsNotYours { .. }
        | Refusal::PermissionsRequired { .. }
        | Refusal::AudiencesNotYours { .. }
        | Refusal::SubjectNotInTeams { .. }
        | Refusal::OutlivesParent { .. }
        | Refusal::OwnIssuer { .. }
        | Refusal::TokenTooLarge { .. }
        | Refusal::IdempotencyKeyReused { .. }
        | Refusal::RepeatOver { .. }
        | Refusal::WrongStatus { .. }
        | Refusal::AlreadyRotated { .. }
        | Refusal::NothingToCarry { .. }
        | Refusal::NotMeantFor { .. }
        | Refusal::TokenErased { .. }
        | Refusal::OverlapTooLong { .. }
        | Refusal::SuspendedByAnother { .. }
        | Refusal::SubjectOutOfReach { .. }
        | Refusal::TooManyTokens { .. }
        | Refusal::TokenUnknown { .. }
        | Refusal::RuleTooWide { .. } => return None,
    };
    Some(hint.into())
}

fn key_hint(refusal: &KeyRefusal) -> Option<Cow<'static, str>> {
    let hint = match refusal {
        KeyRefusal::Unknown { .. } => "see 'catalog keys list'; 'catalog keys add' makes a key, or takes one",
        KeyRefusal::TooNew { .. } => {
            "wait, or give --now: until then gateways that have not read the JWK Set again refuse the new key's tokens"
        }
        KeyRefusal::OfShell { .. } => "name it as kid in [cli-dev] of a policy, or add another key without --dev",
        KeyRefusal::NotADevKey { .. } => return None,
        KeyRefusal::Over { .. } => "add another with 'catalog keys add'",
        KeyRefusal::Signs { .. } => {
            "activate another first, 'compromise' takes it in --activate; for shells, a policy names another in [cli-dev]"
        }
        KeyRefusal::InUse { kid, .. } => {
            return Some(format!("wait until then, or revoke them with 'catalog revoke --where kid={kid}'").into());
        }
    };
    Some(hint.into())
}

const UNREACHABLE: &str = "see that the database runs and that its address, user and password are right";

pub(super) fn store_hint(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Unavailable(_) | StoreError::TimedOut(_) => Some(UNREACHABLE),
        StoreError::Unable { trouble, .. } => Some(trouble_hint(*trouble)),
        StoreError::UnreadableEvent { .. } => Some("a newer program may read it; 'catalog audit verify' says more"),
        StoreError::UnreadableRow { .. } => Some("'catalog audit verify' says more"),
        StoreError::Headless => Some("unless the log is just being restored, somebody removed it; a backup has it"),
        StoreError::Shared(error) => store_hint(error),
        StoreError::Refused(_) => None,
    }
}

fn trouble_hint(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::DiskFull => "make room where PostgreSQL keeps its data",
        Trouble::MemoryFull => "give PostgreSQL more memory",
        Trouble::ConnectionsFull => "let fewer processes connect, or raise max_connections",
        Trouble::ReadOnly => "give the address of the primary",
        Trouble::LockHeld | Trouble::SessionEnded | Trouble::Conflict | Trouble::StartingOrStopping => "try again",
        Trouble::LoginRefused | Trouble::DatabaseMissing | Trouble::Other => UNREACHABLE,
    }
}

pub(super) fn schema_hint(error: &SchemaError) -> Option<&'static str> {
    match error {
        SchemaError::Store(error) => store_hint(error),
        SchemaError::Migration(_) | SchemaError::Outdated { .. } | SchemaError::TooNew { .. } => error.hint(),
    }
}

pub(super) fn listen_hint(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            Some("another process listens there; choose another with --listen, 127.0.0.1:0 takes any free port")
        }
        io::ErrorKind::PermissionDenied => Some("ports below 1024 are root's; choose a higher one with --listen"),
        io::ErrorKind::AddrNotAvailable => Some("no interface of this machine has that address"),
        _ => None,
    }
}
