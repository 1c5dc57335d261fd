//! Events: who caused them, and what each kind carries. What is personal is absent once erased.

use utoipa::openapi::{
    RefOr,
    schema::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type},
};

use super::{described, list, nullable, object, of, plain, seconds, short_list};
use crate::{
    domain::{
        Event, Path, Position, Predicate,
        audit::AuditRead,
        claims::{CanonicalUuid, Claims, Teams},
        client::{ClientAdded, ClientPermission, ClientRevoked, ClientRotated},
        courier::CourierIssued,
        denial::{
            CourierRefused, IssuanceRefused, RevocationByRuleRefused, RevocationRefused, RotatedTokenReused,
            RotationRefused, ShadowTokenSeen, SuspensionRefused,
        },
        event::{
            Configured, Elevation, First, KeyActivated, KeyAdded, KeyCompromised, KeyRetired, SuspensionChanged,
            TokenIssued, TokenRevoked, TokensRevokedByRule,
        },
        issue::LIST_MAX,
        key::{Algorithm, PublicJwk},
        origin::Actor,
        person::{LoginRefused, PersonSeen},
        policy::{
            Audiences, MembershipRules, MembershipSource, Narrowing, PathRules, Policy, ShellRules, Switch, TeamRules,
        },
        revoke::RevocationReason,
        rotate::Overlap,
        rule::Field,
        status_list::{Entry, StatusListBegun, StatusListRules},
        suspend::Change,
        text::{Audience, ClientName, Description, Environment, Issuer, Kid, Name, Note, Permission, Subject, TeamId},
        trusted_issuer::TrustedIssuer,
    },
    store::{Head, codec},
};

described! {
    Actor, "Actor" => OneOfBuilder::new()
        .description(Some("Who caused an event."))
        .item(object("The bearer of a token of the catalog.")
            .fixed("kind", "token")
            .member("jti", of::<CanonicalUuid>(), "The token it presented.")
            .optional("sub", plain::<String>(), "Its subject."))
        .item(object("A client, by its secret.")
            .fixed("kind", "client")
            .member("name", of::<ClientName>(), "Its name."))
        .item(object("Somebody whom an identity provider vouches for.")
            .fixed("kind", "person")
            .member("issuer", of::<Issuer>(), "The provider.")
            .optional("sub", plain::<String>(), "Whom it speaks for; of one that was not let in, the provider's name for it."))
        .item(object("A user of a machine, at a shell.")
            .fixed("kind", "os-user")
            .optional("name", plain::<String>(), "The name of the effective user.")
            .optional("uid", super::unsigned(), "The effective user id.")
            .optional("login", plain::<String>(), "The user who logged in, whatever `su` and `sudo` came after.")
            .optional("sudo_user", plain::<String>(), "Who called sudo, by its own word.")
            .optional("host", plain::<String>(), "The machine's name."))
        .item(object("Whoever it was did not say, or not credibly.").fixed("kind", "anonymous"));
    Event, "EventData" => OneOfBuilder::new()
        .description(Some("What happened: the form that `kind` names."))
        .item(of::<TokenIssued>())
        .item(of::<TokenRevoked>())
        .item(of::<SuspensionChanged>())
        .item(of::<TokensRevokedByRule>())
        .item(of::<Configured>())
        .item(of::<Policy>())
        .item(of::<StatusListBegun>())
        .item(of::<KeyAdded>())
        .item(of::<KeyActivated>())
        .item(of::<ClientAdded>())
        .item(of::<ClientRotated>())
        .item(of::<ClientRevoked>())
        .item(of::<KeyRetired>())
        .item(of::<KeyCompromised>())
        .item(of::<CourierIssued>())
        .item(of::<CourierRefused>())
        .item(of::<IssuanceRefused>())
        .item(of::<RevocationRefused>())
        .item(of::<SuspensionRefused>())
        .item(of::<RotationRefused>())
        .item(of::<RotatedTokenReused>())
        .item(of::<RevocationByRuleRefused>())
        .item(of::<LoginRefused>())
        .item(of::<PersonSeen>())
        .item(of::<ShadowTokenSeen>())
        .item(of::<AuditRead>());
    TokenIssued, "TokenIssued" => object("`token.issued.v1`.")
        .member("jti", of::<CanonicalUuid>(), "The token.")
        .member("iat", seconds(), "`iat`, in seconds since 1970.")
        .member("exp", seconds(), "`exp`, in seconds since 1970.")
        .member("kid", of::<Kid>(), "The key that signs it.")
        .member("alg", of::<Algorithm>(), "The key's algorithm.")
        .member("aud", list(of::<Audience>()), "Whom it is meant for.")
        .member("is_admin", plain::<bool>(), "Whether it claims an administrator.")
        .member("teams", of::<Teams>(), "The teams it reaches.")
        .member("permissions", short_list(of::<Permission>(), LIST_MAX), "What it may be used for.")
        .member("out_of_band", plain::<bool>(), "Whether it came past the API's controls.")
        .member("elevated", list(of::<Elevation>()), "What was elevated.")
        .member("policy_version", super::unsigned(), "The version of the policy that allowed it.")
        .optional("name", of::<Name>(), "Its name.")
        .optional("description", of::<Description>(), "What it is for.")
        .optional("reason", of::<Note>(), "Why it was issued.")
        .optional("family", of::<CanonicalUuid>(), "The first token of its family, for a successor.")
        .optional("predecessor", of::<CanonicalUuid>(), "The token whose place it takes, for a successor.")
        .optional("first", of::<First>(), "How its family began, for a successor.")
        .optional("status_list", of::<Entry>(), "Where in a status list its status stands, if it does.")
        .member("claims", nullable(of::<Claims>()), "All that was signed; `null` once erased.");
    First, "FirstOfFamily" => object("How the first token of a family was issued.")
        .member("path", of::<Path>(), "The door it came through.")
        .member("iat", seconds(), "`iat`, in seconds since 1970.")
        .member("kid", of::<Kid>(), "The key that signs it.");
    TokenRevoked, "TokenRevoked" => object("`token.revoked.v1`.")
        .member("jti", of::<CanonicalUuid>(), "The token.")
        .member("reason", of::<RevocationReason>(), "Why.")
        .optional("effective_from", instant(), "From when on it is inactive; absent = at once.")
        .optional("successor", of::<CanonicalUuid>(), "The token that takes its place, when it was rotated.")
        .optional("note", of::<Note>(), "Why, in a person's words.");
    SuspensionChanged, "SuspensionChanged" => object(
        "`token.suspended.v1`: it is inactive until it is resumed; `token.resumed.v1`: it is no longer held back.",
    )
        .member("jti", of::<CanonicalUuid>(), "The token.")
        .optional("by_full_admin", plain::<bool>(), "Whether a full administrator or a shell did it; absent = no.")
        .optional("note", of::<Note>(), "Why, in a person's words.");
    TokensRevokedByRule, "TokensRevokedByRule" => rule(
            object("`tokens.revoked_by_rule.v1`: every token issued before it that meets all its conditions is revoked.")
                .member("fields", fields(), "Its conditions. Those that are personal may have been erased."),
        )
        .member("reason", of::<RevocationReason>(), "Why.")
        .optional("note", of::<Note>(), "Why, in a person's words.");
    RevocationByRuleRefused, "RevocationByRuleRefused" => rule(
            object("`revocation_by_rule.refused.v1`: a rule that was asked for, and not added.")
                .member("rule", plain::<String>(), "The rule that said no: the `code` of the problem.")
                .member("count", super::unsigned(), "How often in a row it said so to this actor.")
                .member("since", instant(), "When it did for the first of these times.")
                .member("fields", fields(), "Its conditions. Those that are personal may have been erased."),
        )
        .member("reason", of::<RevocationReason>(), "Why.")
        .optional("note", of::<Note>(), "Why, in a person's words.");
    Predicate, "RuleConditions" => predicate(object("What a token must be like to be covered, all of it."))
        .at_least_one();
    Configured, "Configured" => object("`catalog.configured.v1`: what the catalog calls itself from here on.")
        .member("issuer", of::<Issuer>(), "`iss` of every token.")
        .member("audience", of::<Audience>(), "`aud` of a token for which none was asked.")
        .optional("env", of::<Environment>(), "`env` of every token.");
    Audiences, "Audiences" => object("Whom tokens may be meant for.")
        .member("these", list(of::<Audience>()), "These, and nobody else.");
    PathRules, "PathRules" => object("The rules of one door.")
        .member("ttl_seconds_default", super::unsigned(), "The lifetime of a token for which none was asked.")
        .member("ttl_seconds_max", super::unsigned(), "The longest lifetime.")
        .optional("audiences", of::<Audiences>(), "Whom tokens may be meant for; absent = anybody.")
        .optional("permissions", list(of::<Permission>()), "What may be granted at all; absent = everything.")
        .optional("reason_required", plain::<bool>(), "Whether every issuance has to say why; absent = no.")
        .optional("active_max", super::unsigned(), "The most active tokens of one subject; absent = any number.")
        .optional("child_outlives_parent", plain::<bool>(), "Whether a token may outlive the asker's; absent = no.");
    ShellRules, "ShellRules" => object("What else holds at the shell's door.")
        .optional("out_of_band", of::<Switch>(), "Whether anything is issued through it; absent = `allow`.")
        .optional("elevated", of::<Switch>(), "Whether its tokens may have elevated claims; absent = `allow`.")
        .optional("kid", of::<Kid>(), "The key that signs its tokens; absent = the catalog's own.");
    Switch, "Switch" => super::one_of(["allow", "deny"]).description(Some("Whether something is allowed."));
    Narrowing, "Narrowing" => object("What narrows the rules of a door.")
        .optional("ttl_seconds_default", super::unsigned(), "The lifetime of a token for which none was asked.")
        .optional("ttl_seconds_max", super::unsigned(), "The longest lifetime.")
        .optional("audiences", narrowed_audiences(), "Whom tokens may be meant for.")
        .optional("permissions", list(of::<Permission>()), "What may be granted at all.")
        .optional("reason_required", plain::<bool>(), "Whether every issuance has to say why.")
        .optional("active_max", super::unsigned(), "The most active tokens of one subject.");
    TeamRules, "TeamRules" => object("The rules of one team.")
        .optional("api", of::<Narrowing>(), "For `POST /tokens`.")
        .optional("cli_dev", of::<Narrowing>(), "For `catalog issue --dev`.");
    MembershipRules, "MembershipRules" => object("Who says which teams a subject is in.")
        .member("source", of::<MembershipSource>(), "Where it is asked.")
        .member("refresh_seconds", super::unsigned(), "For how long an answer is good.")
        .optional("unknown", of::<Switch>(), "What it means when nobody knows; absent = `deny`.");
    MembershipSource, "MembershipSource" => OneOfBuilder::new()
        .description(Some("Where it is written who is in which team."))
        .item(object("A file.").member("file", plain::<String>(), "Its path."))
        .item(object("An address.").member("url", plain::<String>(), "The address."));
    Policy, "Policy" => object("`policy.applied.v1`: what may be issued from here on.")
        .member("version", super::unsigned(), "1 for the first policy of a log, then one more each time.")
        .member("api", of::<PathRules>(), "For `POST /tokens`.")
        .member("cli_dev", of::<PathRules>(), "For `catalog issue --dev`.")
        .optional("shell", of::<ShellRules>(), "What else holds at the shell's door.")
        .optional("teams", by_team(), "What narrows both for a team.")
        .optional("membership", of::<MembershipRules>(), "Who says which teams a subject is in.")
        .optional(
            "reuse",
            super::one_of(["record", "revoke_family"]).into(),
            "What follows when a rotated token is presented after its end; absent = `record`.",
        )
        .optional("trusted_issuers", list(of::<TrustedIssuer>()), "The identity providers whose access tokens are taken.")
        .optional("status_lists", of::<StatusListRules>(), "Which tokens get an entry in a status list; absent = none.")
        .optional("text", plain::<String>(), "The file as it was applied.");
    IssuanceRefused, "IssuanceRefused" => object("`issuance.refused.v1`: what was asked for and refused.")
        .member("rule", plain::<String>(), "The rule that said no: the `code` of the problem.")
        .member("count", super::unsigned(), "How often in a row it said so to this actor.")
        .member("since", instant(), "When it did for the first of these times.")
        .member("aud", list(of::<Audience>()), "The audiences; empty = the configured one.")
        .optional("expires_in", super::unsigned(), "The lifetime, in seconds.")
        .member("is_admin", plain::<bool>(), "Whether an administrator's token.")
        .optional("teams", of::<Teams>(), "The teams, if any were said.")
        .member("permissions", list(of::<Permission>()), "The permissions.")
        .member("elevated", list(of::<Elevation>()), "What would have been elevated.")
        .optional("sub", of::<Subject>(), "For whom.")
        .optional("name", of::<Name>(), "Under which name.")
        .optional("reason", of::<Note>(), "Why it was wanted.");
    RevocationRefused, "RevocationRefused" => object("`revocation.refused.v1`: a token that was to be revoked, and was not.")
        .member("rule", plain::<String>(), "The rule that said no: the `code` of the problem.")
        .member("count", super::unsigned(), "How often in a row it said so to this actor.")
        .member("since", instant(), "When it did for the first of these times.")
        .member("jti", of::<CanonicalUuid>(), "The token; it may never have been issued.")
        .member("reason", of::<RevocationReason>(), "Why.")
        .optional("note", of::<Note>(), "Why, in a person's words.");
    SuspensionRefused, "SuspensionRefused" => object(
        "`suspension.refused.v1`: tokens that were to be suspended or resumed, and were not.",
    )
        .member("rule", plain::<String>(), "The rule that said no: the `code` of the problem.")
        .member("count", super::unsigned(), "How often in a row it said so to this actor.")
        .member("since", instant(), "When it did for the first of these times.")
        .member("change", super::one_of(Change::ALL.map(Change::as_str)).into(), "What they were to be.")
        .optional("jti", of::<CanonicalUuid>(), "The token, if it was one; it may never have been issued.")
        .optional("sub", of::<Subject>(), "The subject, if it was all of a subject's tokens.")
        .optional("note", of::<Note>(), "Why, in a person's words.");
    RotationRefused, "RotationRefused" => object("`rotation.refused.v1`: a token that was to be rotated, and was not.")
        .member("rule", plain::<String>(), "The rule that said no: the `code` of the problem.")
        .member("count", super::unsigned(), "How often in a row it said so to this actor.")
        .member("since", instant(), "When it did for the first of these times.")
        .member("jti", of::<CanonicalUuid>(), "The token; it may never have been issued.")
        .member("overlap", of::<Overlap>(), "For how long it was to stay good.")
        .optional("expires_in", super::unsigned(), "The lifetime of its successor, in seconds.");
    RotatedTokenReused, "RotatedTokenReused" => object(
        "`rotated_token.reused.v1`: a token was presented after its end, though another had taken its place.",
    )
        .member("jti", of::<CanonicalUuid>(), "The token.")
        .member("family", of::<CanonicalUuid>(), "The first token of its family.")
        .member("successor", of::<CanonicalUuid>(), "The token that had taken its place.");
    ShadowTokenSeen, "ShadowTokenSeen" => object("`shadow_token.seen.v1`: a good signature over what was never issued so.")
        .optional("jti", of::<CanonicalUuid>(), "The identifier that it claims, if it claims a usable one.")
        .member("kid", of::<Kid>(), "The key that signed it, which may be stolen.")
        .member("claims_digest", digest(), "SHA-256 over its `header.payload`, in hexadecimal.")
        .member("what", super::one_of(["never_issued", "other_claims"]).into(), "What is wrong with it.");
    AuditRead, "AuditRead" => object("`audit.read.v1`: the log was read out, before this event and without it.")
        .member("what", super::one_of(["report"]).into(), "What was made of it.")
        .member("format", plain::<String>(), "How it was written.")
        .member("first", of::<Position>(), "The first event that was counted.")
        .member("last", of::<Position>(), "The last event that was counted.")
        .member("end", of::<Position>(), "The last event that was read.")
        .optional("sub", of::<Subject>(), "The subject, where it was of one.")
        .optional("team", of::<TeamId>(), "The team, where it was of one.");
    CourierIssued, "CourierIssued" => object(
        "`courier.issued.v1`: a token with the identifier of one that is revoked here, for a gateway that takes it as the word \
         to revoke it.",
    )
        .member("jti", of::<CanonicalUuid>(), "The token that it is a courier of.")
        .member("iat", seconds(), "`iat`, in seconds since 1970.")
        .member("exp", seconds(), "`exp`, the token's own, in seconds since 1970.")
        .member("kid", of::<Kid>(), "The key that signs it.")
        .member("alg", of::<Algorithm>(), "The key's algorithm.")
        .member("aud", list(of::<Audience>()), "Whom it is meant for.")
        .member("claims_digest", digest(), "SHA-256 over its `header.payload`, in hexadecimal.")
        .member("claims", nullable(of::<Claims>()), "All that was signed; `null` once erased.");
    CourierRefused, "CourierRefused" => object("`courier.refused.v1`: a courier that was asked for, and was not issued.")
        .member("rule", plain::<String>(), "The rule that said no: the `code` of the problem.")
        .member("count", super::unsigned(), "How often in a row it said so to this actor.")
        .member("since", instant(), "When it did for the first of these times.")
        .member("jti", of::<CanonicalUuid>(), "The token; it may never have been issued.");
    KeyAdded, "KeyAdded" => object("`key.added.v1`: a key was made known.")
        .member("kid", of::<Kid>(), "The key.")
        .member("alg", of::<Algorithm>(), "Its one algorithm.")
        .optional("jwk", of::<PublicJwk>(), "Its public half; a shared secret has none.")
        .optional("dev", plain::<bool>(), "Whether it is for tokens from a shell alone, and never published; absent = no.");
    KeyActivated, "KeyActivated" => object("`key.activated.v1`: a key became the one that signs.")
        .member("kid", of::<Kid>(), "The key.")
        .optional("early", plain::<bool>(), "Whether some may not have read its public half by then; absent = no.");
    KeyRetired, "KeyRetired" => object("`key.retired.v1`: a key whose tokens were all over was put away.")
        .member("kid", of::<Kid>(), "The key.")
        .member("counted", of::<crate::domain::Position>(), "The end of the log for which they were counted.");
    ClientAdded, "ClientAdded" => object("`client.added.v1`: a client was made known.")
        .member("name", of::<ClientName>(), "The client.")
        .member("permissions", list(client_permission()), "What it may do here.")
        .member("teams", of::<Teams>(), "Whose tokens it may end or carry: those of these teams and no others; `null` = everybody's.")
        .member("secret_sha256", digest(), "SHA-256 of its secret, in hexadecimal.");
    ClientRotated, "ClientRotated" => object("`client.rotated.v1`: a client got a new secret.")
        .member("name", of::<ClientName>(), "The client.")
        .member("secret_sha256", digest(), "SHA-256 of the new secret, in hexadecimal.")
        .optional("old_until", instant(), "The first instant at which no older secret is good; absent = at once.");
    ClientRevoked, "ClientRevoked" => object("`client.revoked.v1`: a client's secrets are good no longer.")
        .member("name", of::<ClientName>(), "The client.");
    KeyCompromised, "KeyCompromised" => object(
        "`key.compromised.v1`: others may have a key. It signs no more, and its tokens that were issued from a position on are \
         revoked.",
    )
        .member("kid", of::<Kid>(), "The key.")
        .member("from", of::<crate::domain::Position>(), "The position from which on.")
        .optional("since", instant(), "The instant that was named.")
        .optional("note", of::<Note>(), "How it came about, in a person's words.");
    Head, "Head" => object("The end of the log. Worth keeping outside: it shows a later rewrite.")
        .member("log_id", of::<CanonicalUuid>(), "The log's epoch.")
        .member("position", of::<crate::domain::Position>(), "The last position.")
        .member("digest", digest(), "The last digest, SHA-256 in hexadecimal.");
}

/// The conditions of a rule that was asked for, and what they go by.
fn rule(form: super::Form) -> super::Form {
    let successors = "Whether `path`, `kid`, `issued_after` and `issued_before` may, all of them, be met by the first of its \
                      family instead; absent = no.";
    predicate(form).optional("successors", plain::<bool>(), successors)
}

/// The conditions of a rule.
fn predicate(form: super::Form) -> super::Form {
    form.optional("sub", of::<Subject>(), "It speaks for this subject.")
        .optional("team", of::<TeamId>(), "It reaches this team: it names it, or reaches every team.")
        .optional("path", of::<Path>(), "It came through this door.")
        .optional("kid", of::<Kid>(), "This key signed it.")
        .optional(
            "permission",
            of::<Permission>(),
            "It may use this permission: it names it or a wildcard over it, or names none.",
        )
        .optional("name", of::<Name>(), "It has this name.")
        .optional("issued_after", instant(), "It was issued at this instant or later.")
        .optional("issued_before", instant(), "It was issued before this instant.")
        .optional("family", of::<CanonicalUuid>(), "It is of the family that began with this token, or is this token.")
}

fn fields() -> RefOr<Schema> {
    list(super::one_of(Field::ALL.map(Field::as_str)).into())
}

/// The names of the kinds.
pub(crate) fn kind() -> RefOr<Schema> {
    super::one_of(codec::KINDS).description(Some("What kind of event it is.")).into()
}

/// Audiences that a team's rules may name: any again, or these.
fn narrowed_audiences() -> RefOr<Schema> {
    OneOfBuilder::new().item(super::one_of(["any"])).item(of::<Audiences>()).into()
}

/// The rules of each team, by its name.
fn by_team() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(of::<TeamRules>())).into()
}

/// An instant, RFC 3339 in UTC.
pub(super) fn instant() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
}

/// What a client can be allowed.
fn client_permission() -> RefOr<Schema> {
    super::one_of(ClientPermission::ALL.map(ClientPermission::as_str)).into()
}

/// A SHA-256.
pub(super) fn digest() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9a-f]{64}$")).into()
}
