//! What a refusal is called, and which are kept in the log.

use super::Refusal;

impl Refusal {
    /// The rule's name, as it stands in `code` of a problem and in audit events.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::CredentialInactive => "credential_inactive",
            Self::PermissionMissing { .. } => "permission_missing",
            Self::SubjectNotYours { .. } => "subject_not_yours",
            Self::AdminNotYours => "admin_not_yours",
            Self::EmailNotYours => "email_not_yours",
            Self::FullNameNotYours => "full_name_not_yours",
            Self::NamespacesNotYours { .. } => "namespaces_not_yours",
            Self::CredentialOfShellKey => "credential_of_shell_key",
            Self::RestrictionsNotKept => "restrictions_not_kept",
            Self::TeamsNotYours { .. } => "teams_not_yours",
            Self::TeamsRequired { .. } => "teams_required",
            Self::PermissionsNotYours { .. } => "permissions_not_yours",
            Self::PermissionsRequired { .. } => "permissions_required",
            Self::AudiencesNotYours { .. } => "audiences_not_yours",
            Self::SubjectNotInTeams { .. } => "subject_not_in_teams",
            Self::MembershipUnknown { .. } => "membership_unknown",
            Self::OutlivesParent { .. } => "outlives_parent",
            Self::OutOfBandDenied => "out_of_band_denied",
            Self::ElevatedDenied { .. } => "elevated_denied",
            Self::ReasonRequired => "reason_required",
            Self::PermissionsNotGrantable { .. } => "permissions_not_grantable",
            Self::AudiencesNotAllowed { .. } => "audiences_not_allowed",
            Self::CatalogNotGrantable => "catalog_not_grantable",
            Self::TooManyActive { .. } => "too_many_active",
            Self::OwnIssuer { .. } => "own_issuer",
            Self::TtlTooLong { .. } => "ttl_too_long",
            Self::NameInUse { .. } => "name_in_use",
            Self::TokenTooLarge { .. } => "token_too_large",
            Self::IdempotencyKeyReused { .. } => "idempotency_key_reused",
            Self::RepeatOver { .. } => "repeat_over",
            Self::TokenUnknown { .. } => "token_unknown",
            Self::WrongStatus { .. } => "wrong_status",
            Self::AlreadyRotated { .. } => "already_rotated",
            Self::NothingToCarry { .. } => "nothing_to_carry",
            Self::NotMeantFor { .. } => "not_meant_for",
            Self::TokenErased { .. } => "token_erased",
            Self::OverlapTooLong { .. } => "overlap_too_long",
            Self::SuspendedByAnother { .. } => "suspended_by_another",
            Self::SubjectOutOfReach { .. } => "subject_out_of_reach",
            Self::TooManyTokens { .. } => "too_many_tokens",
            Self::RuleTooWide { .. } => "rule_too_wide",
            Self::Key(refusal) => refusal.code(),
            Self::KeyNotHere { .. } => "key_not_here",
            Self::NotConfigured => "not_configured",
            Self::Client(refusal) => refusal.code(),
            Self::CatalogByDefault => "catalog_by_default",
            Self::SettingDiffers { .. } => "setting_differs",
        }
    }

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
            | Self::OwnIssuer { .. }
            | Self::NameInUse { .. }
            | Self::TokenTooLarge { .. }
            | Self::IdempotencyKeyReused { .. }
            | Self::RepeatOver { .. }
            | Self::WrongStatus { .. }
            | Self::AlreadyRotated { .. }
            | Self::NothingToCarry { .. }
            | Self::NotMeantFor { .. }
            | Self::TokenErased { .. }
            | Self::OverlapTooLong { .. }
            | Self::TooManyTokens { .. }
            | Self::Key(_)
            | Self::KeyNotHere { .. }
            | Self::NotConfigured
            | Self::Client(_)
            | Self::CatalogByDefault
            | Self::SettingDiffers { .. } => false,
        }
    }
}
