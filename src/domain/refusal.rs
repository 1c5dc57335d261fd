//! The domain said no: one variant a rule, each with what the asker needs to do better.

use uuid::Uuid;

use super::text::{IdempotencyKey, Kid, Name, Permission, Subject, TeamId};

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller's own token ended between its arrival and the decision.
    #[error("the presented token is no longer active")]
    CredentialInactive,
    /// The route asks for a permission that the caller's token does not name.
    #[error("this needs an administrator's token or one with the permission {permission}")]
    PermissionMissing {
        /// The permission.
        permission: &'static str,
    },
    /// Somebody other than an administrator asked for another subject's token.
    #[error("only an administrator may issue for another subject; this token speaks for {own}")]
    SubjectNotYours {
        /// The caller's subject.
        own: Subject,
    },
    /// Somebody other than an administrator asked for an administrator's token.
    #[error("only an administrator may issue an administrator's token")]
    AdminNotYours,
    /// Somebody other than an administrator asked for a token under another's address.
    #[error("only an administrator may give a token another e-mail address than its subject's")]
    EmailNotYours,
    /// The caller's own token is bound to a server, addresses, times or limits, and the token asked for is not.
    #[error(
        "the presented token is restricted; repeat its server_id, ip_restrictions, time_restrictions and usage_limits"
    )]
    RestrictionsNotKept,
    /// Teams were asked for that the caller is not in.
    #[error("not a member of {}; its teams are {}", listed(asked), listed(own))]
    TeamsNotYours {
        /// Those asked for and not held.
        asked: Vec<TeamId>,
        /// The caller's own.
        own: Vec<TeamId>,
    },
    /// A member of teams named none.
    #[error("name the teams, [] for public things only; its teams are {}", listed(own))]
    TeamsRequired {
        /// The caller's own.
        own: Vec<TeamId>,
    },
    /// Permissions were asked for that the caller does not hold.
    #[error("does not hold {}; its permissions are {}", listed(asked), listed(own))]
    PermissionsNotYours {
        /// Those asked for and not held.
        asked: Vec<Permission>,
        /// The caller's own.
        own: Vec<Permission>,
    },
    /// An unrestricted token was asked for by a restricted caller.
    #[error(
        "name the permissions: an empty list means everything the subject may do; its permissions are {}",
        listed(own)
    )]
    PermissionsRequired {
        /// The caller's own.
        own: Vec<Permission>,
    },
    /// Longer than the policy allows.
    #[error("a ttl of {asked}s exceeds the maximum of {max}s")]
    TtlTooLong {
        /// Seconds asked for.
        asked: u32,
        /// The policy's maximum, in seconds.
        max: u32,
    },
    /// Another active token of the subject has the name.
    #[error("the name '{name}' is in use by the active token {jti} of the same subject")]
    NameInUse {
        /// The name.
        name: Name,
        /// Who has it.
        jti: Uuid,
    },
    /// The token would be longer than any checker looks at.
    #[error("the token would have {bytes} bytes, the maximum is {max}; name fewer teams, permissions or restrictions")]
    TokenTooLarge {
        /// Bytes, signature included.
        bytes: usize,
        /// The most that are issued.
        max: usize,
    },
    /// The same idempotency key was sent with another request.
    #[error("the idempotency key '{key}' was used for another request")]
    IdempotencyKeyReused {
        /// The key.
        key: IdempotencyKey,
    },
    /// A repeated request asks for a token that is over.
    #[error("the request was answered with the token {jti}, which is no longer active")]
    RepeatOver {
        /// The token.
        jti: Uuid,
    },
    /// No such token, or none that the caller may know of.
    #[error("no token {jti}")]
    TokenUnknown {
        /// What was asked for.
        jti: Uuid,
    },
    /// The key that signs, by the log, is not in this process's keyring.
    #[error("the active key {kid} is not in the keyring of this process")]
    KeyNotHere {
        /// The log's active key.
        kid: Kid,
    },
    /// The log does not say yet who the catalog is and with what it signs.
    #[error("the catalog is not configured yet")]
    NotConfigured,
    /// A setting given to this process differs from what the log says.
    #[error("{setting} is '{given}' here but '{logged}' in the log")]
    SettingDiffers {
        /// The setting.
        setting: &'static str,
        /// What this process was given.
        given: String,
        /// What the log says.
        logged: String,
    },
}

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
            Self::RestrictionsNotKept => "restrictions_not_kept",
            Self::TeamsNotYours { .. } => "teams_not_yours",
            Self::TeamsRequired { .. } => "teams_required",
            Self::PermissionsNotYours { .. } => "permissions_not_yours",
            Self::PermissionsRequired { .. } => "permissions_required",
            Self::TtlTooLong { .. } => "ttl_too_long",
            Self::NameInUse { .. } => "name_in_use",
            Self::TokenTooLarge { .. } => "token_too_large",
            Self::IdempotencyKeyReused { .. } => "idempotency_key_reused",
            Self::RepeatOver { .. } => "repeat_over",
            Self::TokenUnknown { .. } => "token_unknown",
            Self::KeyNotHere { .. } => "key_not_here",
            Self::NotConfigured => "not_configured",
            Self::SettingDiffers { .. } => "setting_differs",
        }
    }
}

fn listed<T: std::fmt::Display>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
