//! Which refusals are kept in the log.

use super::Refusal;

impl Refusal {
    /// Whether authority or policy said no, as opposed to a conflict, a slip, or a node that cannot: these are kept.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        match self {
            Self::PermissionMissing { .. }
            | Self::SubjectNotYours { .. }
            | Self::AdminNotYours
            | Self::EmailNotYours
            | Self::FullNameNotYours
            | Self::NamespacesNotYours { .. }
            | Self::CredentialOfShellKey
            | Self::RestrictionsNotKept
            | Self::TeamsNotYours { .. }
            | Self::TeamsRequired { .. }
            | Self::PermissionsNotYours { .. }
            | Self::PermissionsRequired { .. }
            | Self::AudiencesNotYours { .. }
            | Self::SubjectNotInTeams { .. }
            | Self::MembershipUnknown { .. }
            | Self::OutlivesParent { .. }
            | Self::OutOfBandDenied
            | Self::ElevatedDenied { .. }
            | Self::ReasonRequired
            | Self::PermissionsNotGrantable { .. }
            | Self::AudiencesNotAllowed { .. }
            | Self::CatalogNotGrantable
            | Self::TooManyActive { .. }
            | Self::TtlTooLong { .. }
            | Self::SuspendedByAnother { .. }
            | Self::SubjectOutOfReach { .. }
            | Self::TokenUnknown { .. }
            | Self::RuleTooWide { .. } => true,
            Self::CredentialInactive
            | Self::NotADevKey { .. }
            | Self::NameInUse { .. }
            | Self::TokenTooLarge { .. }
            | Self::IdempotencyKeyReused { .. }
            | Self::RepeatOver { .. }
            | Self::WrongStatus { .. }
            | Self::AlreadyRotated { .. }
            | Self::OverlapTooLong { .. }
            | Self::TooManyTokens { .. }
            | Self::KeyNotHere { .. }
            | Self::NotConfigured
            | Self::Client(_)
            | Self::CatalogByDefault
            | Self::SettingDiffers { .. } => false,
        }
    }
}
