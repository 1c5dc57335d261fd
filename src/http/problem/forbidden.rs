//! What is beyond the caller's permission or authority, or beyond the policy: the part of the list of problems that is answered 403.

/// Has `$then` told the list, these between those before and those after them.
macro_rules! forbidden {
    ($then:ident { $($before:tt)* } { $($after:tt)* }) => {
        $then! {
            $($before)*
            PermissionMissing "permission_missing" FORBIDDEN {
                "The token lacks the route's permission",
                "The presented token is good, but names neither the permission that is asked for nor a wildcard over it. A token whose list \
                 of permissions is empty holds none; at the catalog's own routes an administrator's holds all.",
                "Use a token with the permission that `detail` or the challenge names, or at the catalog's own routes an \
                 administrator's.",
                "this needs an administrator's token or one with the permission tokens.read",
            }
            IssuedOutOfBand "issued_out_of_band" FORBIDDEN {
                "The token was issued out of band",
                "The presented token is good, but came past the controls of the API, and the place takes no such tokens.",
                "Have a token issued by `POST /tokens`.",
                "the presented token was issued out of band, and such tokens are not taken here",
            }
            ServerMismatch "server_mismatch" FORBIDDEN {
                "The token is bound to another server",
                "The presented token is bound to a server, and the place is part of another, or its proxy does not say of which.",
                "Use it at its server, or have one issued that is bound to none. Proxies name the server in `server_id`.",
                "the presented token is bound to a server, and this is not known to be it",
            }
            AddressNotAllowed "address_not_allowed" FORBIDDEN {
                "The token may not be used from there",
                "The presented token is bound to addresses, and it comes from none of them, or nobody knows from where.",
                "Use it from there. Every proxy in between has to be one of `--trusted-proxies`, and to send `X-Forwarded-For`.",
                "the presented token may not be used from this address",
            }
            TimeNotAllowed "time_not_allowed" FORBIDDEN {
                "The token may not be used now",
                "The presented token may be used at some times only (`scopes.time_restrictions`), and this is none of them.",
                "Use the token at its times.",
                "the presented token may not be used at this time",
            }
            SubjectNotYours "subject_not_yours" FORBIDDEN {
                "The subject is another's",
                "A token was asked for that would speak for somebody other than the caller. Only an administrator may do \
                 that.",
                "Ask for your own subject, or let an administrator issue it.",
                "only an administrator may issue for another subject; this token speaks for alice@example.com",
            }
            AdminNotYours "admin_not_yours" FORBIDDEN {
                "Only an administrator makes an administrator",
                "An administrator's token (`is_admin`) was asked for by a caller who is none.",
                "Leave `is_admin` out, or let an administrator issue it.",
                "only an administrator may issue an administrator's token",
            }
            EmailNotYours "email_not_yours" FORBIDDEN {
                "The e-mail address is another's",
                "A token was asked for under another e-mail address than its subject's. Gateways know a bearer by that \
                 address, so only an administrator may choose it.",
                "Leave `email` out, or let an administrator issue it.",
                "only an administrator may give a token another e-mail address than its subject's",
            }
            FullNameNotYours "full_name_not_yours" FORBIDDEN {
                "The name is another's",
                "A token was asked for under another full name than the caller's own. Gateways show it, so only an administrator may \
                 choose it.",
                "Leave `full_name` out, or let an administrator issue it.",
                "only an administrator may give a token another full name than its own",
            }
            NamespacesNotYours "namespaces_not_yours" FORBIDDEN {
                "A namespace is not the caller's",
                "Namespaces were asked for that the presented token does not name, or none where it names some.",
                "Name `namespaces` from among those of the presented token.",
                "may not issue for these namespaces; its own are dev",
            }
            CredentialOfShellKey "credential_of_shell_key" FORBIDDEN {
                "The credential is for development",
                "The presented token was signed by a key for tokens from a shell, which is never published. It issues no tokens, for \
                 they would be signed by the catalog's own key.",
                "Ask with a token that the API issued.",
                "a token that was signed by a key for the shell issues no others",
            }
            RestrictionsNotKept "restrictions_not_kept" FORBIDDEN {
                "The caller's own restrictions would be lost",
                "The presented token is bound to a server, to addresses, to times or to a number of uses, and the token that \
                 was asked for would be free of that.",
                "Repeat the presented token's `server_id`, `ip_restrictions`, `time_restrictions` and `usage_limits` in \
                 `scopes`, or narrow them. `GET /whoami` shows them.",
                "the presented token is restricted; ask for its server_id, ip_restrictions, time_restrictions and usage_limits, \
                 or narrower ones",
            }
            TeamsNotYours "teams_not_yours" FORBIDDEN {
                "A team is not the caller's",
                "Teams were asked for that the presented token does not reach.",
                "Name only teams that the presented token reaches; `detail` and `GET /whoami` list them.",
                "not a member of blue; its teams are red",
            }
            TeamsRequired "teams_required" FORBIDDEN {
                "The teams must be named",
                "The caller is in teams and the request names none. A token that silently reached no team would look broken.",
                "Name `teams`: those it shall reach, or `[]` for a token that reaches public things only.",
                "name the teams, [] for public things only; its teams are red",
            }
            PermissionsNotYours "permissions_not_yours" FORBIDDEN {
                "A permission is not the caller's",
                "Permissions were asked for that the presented token does not hold, by name or by wildcard.",
                "Name only permissions that the presented token holds; `detail` and `GET /whoami` list them.",
                "does not hold tools.delete; its permissions are tools.read",
            }
            PermissionsRequired "permissions_required" FORBIDDEN {
                "The permissions must be named",
                "The request names no permissions. For a gateway that means everything its subject may do, which only a \
                 caller who holds everything may grant.",
                "Name `scopes.permissions`, from among those that the presented token holds.",
                "name the permissions: an empty list means everything the subject may do; its permissions are tools.read",
            }
            AudiencesNotYours "audiences_not_yours" FORBIDDEN {
                "An audience is not the caller's",
                "A token was asked for that would be meant for somebody whom the presented token is not meant for.",
                "Name only audiences of the presented token, or the configured one; or let an administrator issue it.",
                "may not issue for the audience billing; it may for catalog, gateway",
            }
            SubjectNotInTeams "subject_not_in_teams" FORBIDDEN {
                "The subject is not in the team",
                "A token was asked for on behalf of somebody who is not a member of every team that it names, as the membership \
                 source of the policy says.",
                "Name only teams of the subject, or have the membership changed where it is kept.",
                "the subject is not a member of blue",
            }
            MembershipUnknown "membership_unknown" FORBIDDEN {
                "Nobody can say whether the subject is in the team",
                "A token was asked for on behalf of somebody whom the membership source of the policy does not know, or the source \
                 has not answered yet.",
                "Have the subject added to the membership source, or name no teams.",
                "nobody can say whether the subject is a member of red; it is unknown to the membership source",
            }
            OutlivesParent "outlives_parent" FORBIDDEN {
                "The token would outlive the caller's",
                "A longer lifetime was asked for than the presented token has left. Only an administrator issues past the end of \
                 its own token, unless the policy lets everybody.",
                "Ask for fewer seconds in `expires_in`, or leave it out: then the lifetime is cut to what is left.",
                "a ttl of 7201s exceeds the 7200s that the presented token has left",
            }
            TtlTooLong "ttl_too_long" FORBIDDEN {
                "The lifetime exceeds the policy",
                "A longer lifetime was asked for than the policy allows at this door.",
                "Ask for fewer seconds in `expires_in`, or leave it out for the policy's default.",
                "a ttl of 9000000s exceeds the maximum of 2592000s",
            }
            ReasonRequired "reason_required" FORBIDDEN {
                "A reason is required",
                "The policy requires every issuance at this door, or for these teams, to say why.",
                "Say why in `reason`.",
                "the policy requires a reason",
            }
            PermissionsNotGrantable "permissions_not_grantable" FORBIDDEN {
                "A permission is granted to nobody",
                "Permissions were asked for that the policy has granted to nobody, whoever asks. An empty list asks for all.",
                "Name only permissions that `detail` lists.",
                "the policy grants servers.use to nobody; it may grant tools.*, tokens.create",
            }
            AudiencesNotAllowed "audiences_not_allowed" FORBIDDEN {
                "There are no tokens for the audience",
                "The policy allows no tokens for an audience that was asked for. Where none was asked, it is the configured one.",
                "Name only audiences that `detail` lists.",
                "the policy allows no tokens for the audience shop; it allows billing",
            }
            CatalogNotGrantable "catalog_not_grantable" FORBIDDEN {
                "Nobody is let manage tokens",
                "A token for the catalog's own API was asked for where the policy grants `tokens.create` to nobody.",
                "Leave `catalog` out of `aud`, or have the policy changed.",
                "the policy grants tokens.create to nobody, and so no tokens for the audience catalog",
            }
            TooManyActive "too_many_active" FORBIDDEN {
                "The subject has too many tokens",
                "The subject has as many active tokens as the policy allows. Suspended ones count, expired and revoked ones do not.",
                "Revoke a token that is no longer needed, or wait until one expires.",
                "the subject has 5 active tokens, the most that the policy allows; revoke one",
            }
            SuspendedByAnother "suspended_by_another" FORBIDDEN {
                "Somebody else suspended the token",
                "A suspended token was to be resumed by a caller whose subject did not suspend it. Nothing was changed.",
                "Let whoever suspended it resume it, or an administrator whose token names neither teams nor permissions. The \
                 token's history (`GET /tokens/{jti}/events`) says who suspended it.",
                "the token 01990000-0000-7000-8000-000000000000 was suspended by another; only its suspender or an administrator \
                 whose token names neither teams nor permissions may resume it",
            }
            SubjectOutOfReach "subject_out_of_reach" FORBIDDEN {
                "Another subject's tokens are out of reach",
                "All tokens of a subject were to be changed by a caller that is not that subject and no administrator.",
                "Name your own subject, or let an administrator do it.",
                "only an administrator reaches another subject's tokens; this token speaks for alice@example.com",
            }
            RuleTooWide "rule_too_wide" FORBIDDEN {
                "The rule could cover others' tokens",
                "Only an administrator of every team may revoke by any rule. Nothing was revoked.",
                "Name your own subject in `where.sub`, or name the tokens by their identifiers.",
                "such a rule could cover tokens beyond its caller's reach; add sub=a, or name the tokens by their identifiers",
            }
            $($after)*
        }
    };
}
pub(super) use forbidden;
