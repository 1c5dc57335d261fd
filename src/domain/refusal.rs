//! The domain said no: one variant a rule, each with what the asker needs to do better.

mod kept;

use uuid::Uuid;

use super::{
    Status,
    client::ClientRefusal,
    event::Elevation,
    key_life::KeyRefusal,
    rotate::Overlap,
    text::{Audience, IdempotencyKey, Issuer, Kid, Name, Namespace, Permission, Subject, TeamId},
};

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What the caller presented ended between its arrival and the decision.
    #[error("the presented credential is no longer good")]
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
    /// Somebody other than an administrator asked for a token under another's name.
    #[error("only an administrator may give a token another full name than its own")]
    FullNameNotYours,
    /// Namespaces were asked for that the caller's own token does not name.
    #[error("may not issue for these namespaces; its own are {}", listed(own))]
    NamespacesNotYours {
        /// The caller's own.
        own: Vec<Namespace>,
    },
    /// The caller's own token was signed by a key for tokens from a shell, which gateways need not accept.
    #[error("a token that was signed by a key for the shell issues no others")]
    CredentialOfShellKey,
    /// The caller's own token is bound to a server, addresses, times or limits, and the token asked for is not.
    #[error(
        "the presented token is restricted; ask for its server_id, ip_restrictions, time_restrictions and usage_limits, or \
         narrower ones"
    )]
    RestrictionsNotKept,
    /// Teams were asked for that the caller is not in.
    #[error("not a member of {}; its teams are {}", every_or(asked), listed(own))]
    TeamsNotYours {
        /// Those asked for and not held; empty = every team.
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
    /// An audience was asked for that the caller's own token is not meant for.
    #[error("may not issue for the audience {}; it may for {}", listed(asked), listed(own))]
    AudiencesNotYours {
        /// Those asked for and out of reach.
        asked: Vec<Audience>,
        /// Those within reach.
        own: Vec<Audience>,
    },
    /// Teams were asked for whose members do not include the subject.
    #[error("the subject is not a member of {}", listed(asked))]
    SubjectNotInTeams {
        /// Those that it is not in.
        asked: Vec<TeamId>,
    },
    /// Teams were asked for, and nobody can say whether the subject is in them.
    #[error(
        "nobody can say whether the subject is a member of {}; it is unknown to the membership source",
        listed(asked)
    )]
    MembershipUnknown {
        /// Those asked for.
        asked: Vec<TeamId>,
    },
    /// Longer than the caller's own token lives.
    #[error("a ttl of {asked}s exceeds the {left}s that the presented token has left")]
    OutlivesParent {
        /// Seconds asked for.
        asked: u32,
        /// Seconds that the caller's own token has left.
        left: u32,
    },
    /// The policy closes the shell's door.
    #[error("the policy allows no tokens from a shell; ask the API (POST /tokens)")]
    OutOfBandDenied,
    /// The policy allows no elevated claims from a shell.
    #[error("the policy allows no elevated claims from a shell: {}", listed(elevated))]
    ElevatedDenied {
        /// What was elevated.
        elevated: Vec<Elevation>,
    },
    /// The policy wants to know why.
    #[error("the policy requires a reason")]
    ReasonRequired,
    /// The policy does not have these granted to anybody.
    #[error("the policy grants {} to nobody; it may grant {}", listed(asked), listed(grantable))]
    PermissionsNotGrantable {
        /// Those asked for and not grantable.
        asked: Vec<Permission>,
        /// Those that are.
        grantable: Vec<Permission>,
    },
    /// The policy has no tokens for these audiences.
    #[error("the policy allows no tokens for the audience {}; it allows {}", listed(asked), listed(allowed))]
    AudiencesNotAllowed {
        /// Those asked for, or configured, and not allowed.
        asked: Vec<Audience>,
        /// Those that are.
        allowed: Vec<Audience>,
    },
    /// A token for the catalog's own API was asked for where nobody may be let issue.
    #[error("the policy grants tokens.create to nobody, and so no tokens for the audience catalog")]
    CatalogNotGrantable,
    /// The subject has as many tokens as the policy allows.
    #[error("the subject has {max} active tokens, the most that the policy allows; revoke one")]
    TooManyActive {
        /// The most.
        max: u32,
    },
    /// A policy trusts the catalog itself like an identity provider.
    #[error("trusted_issuer.issuer '{issuer}' is this catalog's own issuer; its own tokens are taken anyway")]
    OwnIssuer {
        /// The catalog's, as the policy spells it.
        issuer: Issuer,
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
    #[error("the name '{name}' is in use by {} of the same subject", active(*jti))]
    NameInUse {
        /// The name.
        name: Name,
        /// Who has it, where the caller may know.
        jti: Option<Uuid>,
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
    /// What was asked for cannot be done to a token in its status.
    #[error("the token {jti} is {status} and cannot be {wish}")]
    WrongStatus {
        /// The token.
        jti: Uuid,
        /// What it is.
        status: Status,
        /// What it was to become.
        wish: &'static str,
    },
    /// The token's place is taken already.
    #[error("the token {jti} was rotated already; its successor is {successor}")]
    AlreadyRotated {
        /// The token.
        jti: Uuid,
        /// Who took its place.
        successor: Uuid,
    },
    /// The token is not one of those that gateways have to be told of.
    #[error("the token {jti} is {status}; there are couriers of tokens that are revoked and not expired")]
    NothingToCarry {
        /// The token.
        jti: Uuid,
        /// What it is.
        status: Status,
    },
    /// The gateway refuses the token anyway.
    #[error("the token {jti} is not meant for {aud}")]
    NotMeantFor {
        /// The token.
        jti: Uuid,
        /// The gateway's audience.
        aud: Audience,
    },
    /// Nobody knows any more whom the token spoke for.
    #[error("whom the token {jti} spoke for is erased")]
    TokenErased {
        /// The token.
        jti: Uuid,
    },
    /// The token would have to live past its own end.
    #[error("an overlap of {asked} exceeds the {left}s that the token has left")]
    OverlapTooLong {
        /// How long both were to be good.
        asked: Overlap,
        /// Whole seconds that the token has left.
        left: i64,
    },
    /// Somebody else suspended the token, and the caller is no full administrator.
    #[error(
        "the token {jti} was suspended by another; only its suspender or an administrator whose token names neither teams \
         nor permissions may resume it"
    )]
    SuspendedByAnother {
        /// The token.
        jti: Uuid,
    },
    /// Somebody other than an administrator wanted to change all of another subject's tokens.
    #[error("only an administrator reaches another subject's tokens; this token speaks for {own}")]
    SubjectOutOfReach {
        /// The caller's subject.
        own: Subject,
    },
    /// One command would change more tokens than one transaction takes.
    #[error("the subject has more than {max} tokens that this would change; name them by their identifiers")]
    TooManyTokens {
        /// The most that one command changes.
        max: usize,
    },
    /// A rule could cover tokens that are not the caller's to revoke.
    #[error("such a rule could cover tokens beyond its caller's reach; {}", narrower(own.as_ref()))]
    RuleTooWide {
        /// The caller's subject.
        own: Option<Subject>,
    },
    /// A key stays as it is.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// The key that signs, by the log, is not in this process's keyring.
    #[error("the active key {kid} is not in the keyring of this process")]
    KeyNotHere {
        /// The log's active key.
        kid: Kid,
    },
    /// The log does not say yet who the catalog is and with what it signs.
    #[error("the catalog is not configured yet")]
    NotConfigured,
    /// Clients were not changed.
    #[error(transparent)]
    Client(#[from] ClientRefusal),
    /// Tokens for the catalog's own API would be issued to whoever names no audience.
    #[error(
        "the audience of tokens for which none is asked cannot be catalog: tokens that manage tokens are asked for by name"
    )]
    CatalogByDefault,
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

fn active(jti: Option<Uuid>) -> String {
    jti.map_or_else(|| "another active token".to_owned(), |jti| format!("the active token {jti}"))
}

fn narrower(own: Option<&Subject>) -> String {
    let own = own.map(|own| format!("add sub={own}, or ")).unwrap_or_default();
    format!("{own}name the tokens by their identifiers")
}

fn every_or(teams: &[TeamId]) -> String {
    if teams.is_empty() { "every team".to_owned() } else { listed(teams) }
}

fn listed<T: std::fmt::Display>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
