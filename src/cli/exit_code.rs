//! How a process ends that was refused something.

use crate::domain::Refusal;

/// It was refused, or is not there.
pub(super) const REFUSED: u8 = 1;
/// It could not run.
pub(super) const COULD_NOT_RUN: u8 = 2;

/// A process that is set up otherwise than the log could not run; everything else was a no.
pub(super) fn refusal_code(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::NotConfigured
        | Refusal::CatalogByDefault
        | Refusal::KeyNotHere { .. }
        | Refusal::SettingDiffers { .. }
        | Refusal::TokenTooLarge { .. } => COULD_NOT_RUN,
        Refusal::CredentialInactive
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
        | Refusal::MembershipUnknown { .. }
        | Refusal::OutlivesParent { .. }
        | Refusal::OutOfBandDenied
        | Refusal::ElevatedDenied { .. }
        | Refusal::ReasonRequired
        | Refusal::PermissionsNotGrantable { .. }
        | Refusal::AudiencesNotAllowed { .. }
        | Refusal::CatalogNotGrantable
        | Refusal::TooManyActive { .. }
        | Refusal::Client(_)
        | Refusal::Key(_)
        | Refusal::OwnIssuer { .. }
        | Refusal::TtlTooLong { .. }
        | Refusal::NameInUse { .. }
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
        | Refusal::RuleTooWide { .. } => REFUSED,
    }
}
