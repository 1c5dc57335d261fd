//! What the floors below answer, as problems. Every refusal has its code, and no arm is a wildcard.

use catalog_gateway::{admission::Denied, judge::Objection};

use super::{Code, Problem};
use crate::{
    app::{CheckError, CommandError, NotLetIn, RuleError},
    domain::{Refusal, causes::Causes},
    store::{AppendError, StoreError, feed::FeedError},
};

impl From<&Refusal> for Code {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            // Outside, a credential that just ended is like any other that is not good.
            Refusal::CredentialInactive => Self::CredentialInvalid,
            Refusal::PermissionMissing { .. } => Self::PermissionMissing,
            Refusal::SubjectNotYours { .. } => Self::SubjectNotYours,
            Refusal::AdminNotYours => Self::AdminNotYours,
            Refusal::EmailNotYours => Self::EmailNotYours,
            Refusal::FullNameNotYours => Self::FullNameNotYours,
            Refusal::NamespacesNotYours { .. } => Self::NamespacesNotYours,
            Refusal::CredentialOfShellKey => Self::CredentialOfShellKey,
            Refusal::RestrictionsNotKept => Self::RestrictionsNotKept,
            Refusal::TeamsNotYours { .. } => Self::TeamsNotYours,
            Refusal::TeamsRequired { .. } => Self::TeamsRequired,
            Refusal::PermissionsNotYours { .. } => Self::PermissionsNotYours,
            Refusal::PermissionsRequired { .. } => Self::PermissionsRequired,
            Refusal::AudiencesNotYours { .. } => Self::AudiencesNotYours,
            Refusal::SubjectNotInTeams { .. } => Self::SubjectNotInTeams,
            Refusal::MembershipUnknown { .. } => Self::MembershipUnknown,
            Refusal::OutlivesParent { .. } => Self::OutlivesParent,
            Refusal::TtlTooLong { .. } => Self::TtlTooLong,
            Refusal::ReasonRequired => Self::ReasonRequired,
            Refusal::PermissionsNotGrantable { .. } => Self::PermissionsNotGrantable,
            Refusal::AudiencesNotAllowed { .. } => Self::AudiencesNotAllowed,
            Refusal::CatalogNotGrantable => Self::CatalogNotGrantable,
            Refusal::TooManyActive { .. } => Self::TooManyActive,
            // Only a shell is told these, and a shell reads no problems.
            Refusal::OutOfBandDenied
            | Refusal::ElevatedDenied { .. }
            | Refusal::Client(_)
            | Refusal::Key(_)
            | Refusal::OwnIssuer { .. }
            | Refusal::CatalogByDefault => Self::Internal,
            Refusal::NameInUse { .. } => Self::NameInUse,
            Refusal::TokenTooLarge { .. } => Self::TokenTooLarge,
            Refusal::IdempotencyKeyReused { .. } => Self::IdempotencyKeyReused,
            Refusal::RepeatOver { .. } => Self::RepeatOver,
            Refusal::TokenUnknown { .. } => Self::TokenUnknown,
            Refusal::AlreadyRotated { .. } => Self::AlreadyRotated,
            Refusal::NothingToCarry { .. } => Self::NothingToCarry,
            Refusal::NotMeantFor { .. } => Self::NotMeantFor,
            Refusal::TokenErased { .. } => Self::TokenErased,
            Refusal::OverlapTooLong { .. } => Self::OverlapTooLong,
            Refusal::WrongStatus { .. } => Self::WrongStatus,
            Refusal::SuspendedByAnother { .. } => Self::SuspendedByAnother,
            Refusal::SubjectOutOfReach { .. } => Self::SubjectOutOfReach,
            Refusal::TooManyTokens { .. } => Self::TooManyTokens,
            Refusal::RuleTooWide { .. } => Self::RuleTooWide,
            Refusal::KeyNotHere { .. } => Self::KeyNotHere,
            Refusal::NotConfigured => Self::NotConfigured,
            Refusal::SettingDiffers { .. } => Self::SettingDiffers,
        }
    }
}

impl From<Denied> for Code {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::OutOfBand => Self::IssuedOutOfBand,
            Denied::Server => Self::ServerMismatch,
            Denied::Address => Self::AddressNotAllowed,
            Denied::Time => Self::TimeNotAllowed,
            Denied::Permission => Self::PermissionMissing,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        if refusal == Refusal::CredentialInactive {
            return Self::bad_credential();
        }
        let problem = Self::new(Code::from(&refusal), refusal.to_string());
        if let Refusal::AlreadyRotated { successor, .. } = refusal {
            return Self { successor: Some(successor), ..problem };
        }
        if let Refusal::PermissionMissing { permission } = refusal {
            // RFC 6750 section 3.1.
            return problem.with_challenge(&format!(
                "Bearer realm=\"catalog\", error=\"insufficient_scope\", scope=\"{permission}\""
            ));
        }
        problem
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Append(AppendError::Refused(refusal)) => refusal.into(),
            CommandError::Append(AppendError::QueueFull) => {
                Self::busy("too many commands are waiting to be recorded; nothing was recorded")
            }
            CommandError::Append(AppendError::Unavailable(_) | AppendError::Ended) => Self::unavailable(),
            CommandError::Append(AppendError::OutcomeUnknown) => Self::outcome_unknown(),
            CommandError::Append(AppendError::Rejected(_)) => Self::internal(),
            error @ (CommandError::Signing(_) | CommandError::Incomplete) => {
                tracing::error!(error = %Causes(&error), "a command did not come to its end");
                Self::internal()
            }
        }
    }
}

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        match error {
            RuleError::Command(error) => error.into(),
            RuleError::Store(error) => error.into(),
        }
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Store(error) => error.into(),
            CheckError::Provider(unavailable) => Self::provider_unavailable(unavailable.retry_after_seconds),
            CheckError::Record(error) => {
                tracing::warn!(error = %Causes(&error), "a login could not be recorded");
                Self::unavailable()
            }
            error @ CheckError::SecretMissing { .. } => {
                tracing::error!(error = %Causes(&error), "a token could not be checked");
                Self::unavailable()
            }
        }
    }
}

/// What is no no: nobody could tell.
impl From<Objection> for Problem {
    fn from(objection: Objection) -> Self {
        match objection {
            // Anybody can present a token that has this said, and what may be amiss here was said already.
            Objection::KeysUnavailable(_) | Objection::SecretUnknown => {
                tracing::info!(error = %Causes(&objection), "a token could not be checked");
            }
            _ => tracing::warn!(error = %Causes(&objection), "a token could not be checked"),
        }
        Self::not_heard()
    }
}

impl From<NotLetIn> for Problem {
    fn from(why: NotLetIn) -> Self {
        let problem = Self::new(Code::CredentialInvalid, why.to_string());
        problem.with_challenge("Bearer realm=\"catalog\", error=\"invalid_token\"")
    }
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Store(error) => error.into(),
            FeedError::Elsewhere(elsewhere) => Self::feed_reload(&elsewhere),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_passing() {
            tracing::warn!(error = %Causes(&error), "a read could not be answered");
            return Self::unavailable();
        }
        tracing::error!(error = %Causes(&error), "a read failed");
        Self::internal()
    }
}

impl Problem {
    /// The log could not be read for somebody who may read all of it: of an event that this version of the program does not know, or
    /// cannot read, the place is told.
    pub(in crate::http) fn of_reading(error: StoreError) -> Self {
        let unreadable = match &error {
            StoreError::UnreadableEvent { position, .. } => Some(*position),
            _ => None,
        };
        let problem = Self::from(error);
        let Some(position) = unreadable else { return problem };
        Self::new(
            Code::Internal,
            format!("the event at position {position} cannot be read; 'catalog audit verify' says more"),
        )
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        Status,
        text::{IdempotencyKey, Kid, Name, Subject},
    };

    #[test]
    fn what_a_gateway_denies_is_called_the_same_here_and_there() {
        for denied in Denied::ALL {
            let entry = Code::from(denied).entry();
            assert_eq!((entry.code, entry.title, entry.status.as_u16()), (denied.code(), denied.title(), 403));
        }
    }

    #[test]
    fn a_refusal_has_one_name_in_the_log_and_in_its_problem() {
        let (jti, own, asked) = (Uuid::nil(), Vec::new(), Vec::new());
        let subject = Subject::parse("a").expect("a subject");
        let (name, key) = (Name::parse("ci").expect("a name"), IdempotencyKey::parse("k").expect("a key"));
        let kid = Kid::parse("k").expect("a kid");
        let (given, logged) = (String::new(), String::new());

        for refusal in [
            Refusal::PermissionMissing { permission: "tokens.read" },
            Refusal::SubjectNotYours { own: subject.clone() },
            Refusal::AdminNotYours,
            Refusal::EmailNotYours,
            Refusal::FullNameNotYours,
            Refusal::NamespacesNotYours { own: Vec::new() },
            Refusal::CredentialOfShellKey,
            Refusal::RestrictionsNotKept,
            Refusal::TeamsNotYours { asked, own: own.clone() },
            Refusal::TeamsRequired { own },
            Refusal::PermissionsNotYours { asked: Vec::new(), own: Vec::new() },
            Refusal::PermissionsRequired { own: Vec::new() },
            Refusal::AudiencesNotYours { asked: Vec::new(), own: Vec::new() },
            Refusal::SubjectNotInTeams { asked: Vec::new() },
            Refusal::MembershipUnknown { asked: Vec::new() },
            Refusal::OutlivesParent { asked: 2, left: 1 },
            Refusal::TtlTooLong { asked: 2, max: 1 },
            Refusal::ReasonRequired,
            Refusal::PermissionsNotGrantable { asked: Vec::new(), grantable: Vec::new() },
            Refusal::AudiencesNotAllowed { asked: Vec::new(), allowed: Vec::new() },
            Refusal::CatalogNotGrantable,
            Refusal::TooManyActive { max: 1 },
            Refusal::NameInUse { name, jti: Some(jti) },
            Refusal::TokenTooLarge { bytes: 2, max: 1 },
            Refusal::IdempotencyKeyReused { key },
            Refusal::RepeatOver { jti },
            Refusal::TokenUnknown { jti },
            Refusal::AlreadyRotated { jti, successor: jti },
            Refusal::OverlapTooLong { asked: "1h".parse().expect("a span"), left: 1 },
            Refusal::WrongStatus { jti, status: Status::Expired, wish: "resumed" },
            Refusal::SuspendedByAnother { jti },
            Refusal::SubjectOutOfReach { own: subject.clone() },
            Refusal::TooManyTokens { max: 1 },
            Refusal::RuleTooWide { own: None },
            Refusal::KeyNotHere { kid },
            Refusal::NotConfigured,
            Refusal::SettingDiffers { setting: "issuer", given, logged },
        ] {
            assert_eq!(Code::from(&refusal).as_str(), refusal.code());
        }
        // All but this one, of which nobody learns outside.
        assert_eq!(Code::from(&Refusal::CredentialInactive), Code::CredentialInvalid);
    }
}
