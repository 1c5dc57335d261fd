//! Every problem there is: its name, its status, and what its page says. The one list: answers, pages and the OpenAPI
//! document are made from it.

use axum::http::StatusCode;

use super::{
    entry::{Entry, codes},
    forbidden::forbidden,
};

forbidden! { codes
{
    Malformed "malformed" BAD_REQUEST {
        "The request is malformed",
        "The body, a parameter or a header of the request is not what the route takes. Unknown members and \
         parameters are refused, too, so that a misspelt one is never taken for absent. Nothing was done.",
        "See `errors`: `pointer` names the place in the body (RFC 6901, `#` is the whole body: a member is missing, \
         or members contradict each other), `parameter` the parameter or header. The OpenAPI document says what is \
         taken.",
        "/expires_in: invalid value: integer `0`, expected a whole number from 1 to 4294967295",
    }
    TokenTooLarge "token_too_large" BAD_REQUEST {
        "The token would be too large",
        "The token that was asked for would be longer than any checker looks at. Nothing was issued.",
        "Name fewer teams, permissions or restrictions, or cover several permissions with a wildcard such as \
         `tools.*`.",
        "the token would have 9143 bytes, the maximum is 8192; name fewer teams, permissions or restrictions",
    }
    CredentialMissing "credential_missing" UNAUTHORIZED {
        "A credential is needed",
        "The route answers to known callers only, and the request carries no bearer token.",
        "Send `Authorization: Bearer <token>` with an active token of this catalog whose audience includes \
         `catalog`, or with an access token of an identity provider that the policy trusts.",
        "present a token of the catalog with the audience 'catalog': Authorization: Bearer …",
    }
    CredentialInvalid "credential_invalid" UNAUTHORIZED {
        "The credential is not good",
        "The presented token is not an active token of this catalog for what it was presented to: it is expired, \
         revoked or suspended, was never issued here, was altered, or is meant for another audience. Nor is it, at the catalog's \
         own API, an access token that a trusted identity provider has issued for this catalog. Which of them is not said, but that of a \
         provider's own token it is said what it lacks.",
        "Have a new token issued, for the catalog's own API with `catalog` in `aud`, or send the provider's access token in place of its ID token. An \
         administrator can look the old one up by its `jti`, and the refused logins in the log.",
        "the presented token is not an active token of this catalog with the audience 'catalog'",
    }
    ClientInvalid "client_invalid" UNAUTHORIZED {
        "The client's credential is not good",
        "No client of that name has that secret: the client is unknown or revoked, or the secret is wrong or was replaced. \
         Which of them is not said.",
        "Have an operator look at `catalog clients list`; `catalog clients rotate` gives the client a new secret.",
        "no client of this catalog has that name and secret",
    }
    BasicNotTaken "basic_not_taken" UNAUTHORIZED {
        "A client's secret is not taken here",
        "The request carries HTTP Basic. Clients come in by it where tokens are checked, followed and revoked: \
         `/introspect`, `/revoke`, `GET /revocations`, `/revocations/snapshot`, `/revocations/{jti}` and \
         `/revocations/check`. Every other route wants a token.",
        "Send `Authorization: Bearer <token>` with an active token of this catalog whose audience includes `catalog`.",
        "Basic is taken at /introspect, /revoke, /revocations/{jti}, /revocations/check, /revocations/snapshot and GET \
         /revocations; present a token of the catalog here: Authorization: Bearer …",
    }
}
{
    NoMetadata "no_metadata" NOT_FOUND {
        "There is no OAuth metadata",
        "The issuer of this catalog is no address that clients could ask (`https`, or `http` on this machine), so RFC 8414 \
         has no place for its metadata.",
        "Tell clients the routes and the keys yourself; a new catalog with an address in `--issuer` has metadata.",
        "the issuer 'mcpgateway' is no address",
    }
    TokenUnknown "token_unknown" NOT_FOUND {
        "There is no such token",
        "No token has that identifier, or none that the caller may know of: another subject's is answered the same.",
        "See `GET /tokens` for those that you may see. For whether a token is revoked ask `GET /revocations/{jti}`, \
         which answers for any identifier.",
        "no token 01990000-0000-7000-8000-000000000000",
    }
    RouteUnknown "route_unknown" NOT_FOUND {
        "There is nothing here",
        "The API has no such path. A trailing slash makes another path.",
        "See `/docs` or `/openapi.json` for the paths there are.",
        "no route /token",
    }
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED {
        "The method is not allowed",
        "The path exists, but does not take this method.",
        "See the `Allow` header of the answer for those that it takes.",
        "/tokens does not take PUT",
    }
    NotAcceptable "not_acceptable" NOT_ACCEPTABLE {
        "The answer has no such form",
        "The `Accept` header of the request names none of the media types that the path answers with.",
        "Name the media type that `detail` names, or leave the header out.",
        "this is answered as application/statuslist+jwt",
    }
    BodyTooSlow "body_too_slow" REQUEST_TIMEOUT {
        "The body is too slow",
        "The body of the request did not arrive within 4 seconds. Nothing was done.",
        "Send the request again on a better connection. A body larger than 64 KiB would be refused anyway.",
        "the body did not arrive in time; nothing was done",
    }
    NameInUse "name_in_use" CONFLICT {
        "The name is in use",
        "Another active token of the same subject has the name that was asked for. Nothing was issued. Which one it is, is \
         told to whoever may know of it.",
        "Take another `name`, or revoke that token first: the name of a revoked or expired token is free again.",
        "the name 'ci' is in use by the active token 01990000-0000-7000-8000-000000000000 of the same subject",
    }
    AlreadyRotated "already_rotated" CONFLICT {
        "The token was rotated already",
        "Another token has taken the token's place. A token is rotated once. Nothing was issued.",
        "Go on with the `successor`, and rotate that one when it is time. Whoever lost its text rotates it, too.",
        "the token 01990000-0000-7000-8000-000000000000 was rotated already; its successor is \
         01990000-0000-7000-8000-000000000001",
    }
    NothingToCarry "nothing_to_carry" CONFLICT {
        "There is nothing to tell a gateway",
        "A courier is made of a token that is revoked and not expired yet. This one is not revoked (perhaps not yet, where it \
         was rotated and has some time left), or gateways refuse it for its `exp` already. Nothing was issued.",
        "See `GET /revocations/{jti}` for the token's status.",
        "the token 01990000-0000-7000-8000-000000000000 is active; there are couriers of tokens that are revoked and not \
         expired",
    }
    NotMeantFor "not_meant_for" CONFLICT {
        "The token is not meant for that audience",
        "A courier was asked for an audience that the token does not name: a gateway of that audience refuses the token \
         anyway. Nothing was issued.",
        "Leave the token out, or ask for one of its own audiences.",
        "the token 01990000-0000-7000-8000-000000000000 is not meant for mcpgateway-api",
    }
    TokenErased "token_erased" CONFLICT {
        "Whom the token spoke for is erased",
        "A courier names the same subject as the token, and that is known no more. Nothing was issued.",
        "Revoke the token at the gateway itself.",
        "whom the token 01990000-0000-7000-8000-000000000000 spoke for is erased",
    }
    OverlapTooLong "overlap_too_long" CONFLICT {
        "The overlap passes the token's end",
        "The token was to stay good beside its successor for longer than it lives. Nothing was issued.",
        "Ask for a shorter `overlap`: at most what the token has left.",
        "an overlap of 1h exceeds the 600s that the token has left",
    }
    WrongStatus "wrong_status" CONFLICT {
        "The token's status does not allow it",
        "What was asked for cannot be done to a token in its status: one that is revoked or expired is over for good, and \
         is neither suspended nor resumed nor rotated; one that is suspended is not rotated. Nothing was changed.",
        "See `GET /tokens/{jti}` for the token's status. In place of one that is over issue a new one.",
        "the token 01990000-0000-7000-8000-000000000000 is expired and cannot be resumed",
    }
    TooManyTokens "too_many_tokens" CONFLICT {
        "There are too many tokens for one request",
        "The request would change more tokens of the subject than one transaction takes. Nothing was changed.",
        "Change them one by one: `GET /tokens?sub=…` lists them.",
        "the subject has more than 1000 tokens that this would change; name them by their identifiers",
    }
    RepeatOver "repeat_over" CONFLICT {
        "The request was answered, and its token is over",
        "The same request was answered before under its `Idempotency-Key`, with a token that is no longer active. It \
         is neither handed out again nor replaced.",
        "Send the request under a new `Idempotency-Key` for a new token.",
        "the request was answered with the token 01990000-0000-7000-8000-000000000000, which is no longer active",
    }
    FeedReload "feed_reload" CONFLICT {
        "What is followed is not this log",
        "The place that a reader of the revocations wants to go on from is none of this log: the log was restored from a \
         backup, another server was asked, or the place was made up. What the reader knows may be of another log.",
        "Begin again with `GET /revocations/snapshot`, in place of what is known. What was revoked in the other log is \
         revoked nowhere else.",
        "it is a place of another log, or of this one before it was restored; begin again with GET /revocations/snapshot",
    }
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE {
        "The body is too large",
        "The body of the request is larger than any request needs to be. Nothing was done.",
        "Send at most 65,536 bytes. Check many identifiers in several requests.",
        "the body exceeds 65536 bytes",
    }
    NotJson "not_json" UNSUPPORTED_MEDIA_TYPE {
        "The media type is not supported",
        "The route takes a JSON body, and the request does not say that it sends one.",
        "Send `Content-Type: application/json`.",
        "the body must be application/json",
    }
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY {
        "The idempotency key was used for another request",
        "The same credential sent another request under this `Idempotency-Key` within the last 24 hours. Nothing was \
         done.",
        "Give every request that is not a repeat a key of its own, such as a random UUID.",
        "the idempotency key 'build-7' was used for another request",
    }
    Internal "internal" INTERNAL_SERVER_ERROR {
        "Something went wrong here",
        "The server could not answer, for a defect of its own. If the request was a write, it may have been \
         recorded.",
        "Look at `GET /tokens` or the log before you ask again, and report the `x-request-id` of the answer: the \
         cause is in the server's diagnostics under it.",
        "the cause is in the server's diagnostics under this answer's x-request-id",
    }
    HistoryNotKept "history_not_kept" NOT_IMPLEMENTED {
        "There are no lists of former times",
        "A status list as of another time was asked for. Only the present one is published: who follows former ones follows people.",
        "Leave `time` out. What a token was at another time the log tells, to whoever may read it: `GET /tokens/{jti}/events`.",
        "only the present list is published",
    }
    Unavailable "unavailable" SERVICE_UNAVAILABLE {
        "The log cannot be reached",
        "The database did not answer in time, so the server cannot say. That is not a no: it says nothing about any \
         token. Nothing was recorded.",
        "Ask again after the seconds in `Retry-After`. Until then treat a check as undecided, and let nothing pass \
         on it.",
        "the log cannot be reached at the moment; try again",
    }
    ProviderUnavailable "provider_unavailable" SERVICE_UNAVAILABLE {
        "The identity provider's keys cannot be had",
        "The presented token names a key of an identity provider that this server does not know, and the provider's keys \
         cannot be had at the moment, or were asked for only now. That is not a no: it says nothing about the token.",
        "Ask again after the seconds in `Retry-After`. If it stays so, let an operator look at the server's diagnostics.",
        "the keys of the identity provider cannot be had at the moment, so its token cannot be judged",
    }
    OutcomeUnknown "outcome_unknown" SERVICE_UNAVAILABLE {
        "The outcome is unknown",
        "The connection to the database broke off while the command was being committed: it may have been recorded, \
         or not.",
        "If the request had an `Idempotency-Key`, send it again under the same key: it gets the one answer. \
         Otherwise look at `GET /tokens` or the log before asking again.",
        "it may have been recorded: look at the log before asking again",
    }
    PositionAhead "position_ahead" SERVICE_UNAVAILABLE {
        "The log is not that long yet",
        "The answer was asked to include a position (`min_position`), or to go on after one (`after`), that this server does not \
         see yet.",
        "Ask again after the seconds in `Retry-After`. If it stays so, the position is of another catalog, or of one \
         that was restored to an earlier state.",
        "position 42 was asked for, the log ends at 41",
    }
    Busy "busy" SERVICE_UNAVAILABLE {
        "There is too much to do",
        "More commands or streams are waiting than the server takes on. Nothing was recorded.",
        "Ask again after the seconds in `Retry-After`.",
        "too many commands are waiting to be recorded; nothing was recorded",
    }
    NotConfigured "not_configured" SERVICE_UNAVAILABLE {
        "The catalog is not configured",
        "The log does not say yet who the catalog is and with what it signs.",
        "Let an operator start `catalog serve` once with its settings: the first start writes them into the log.",
        "the catalog is not configured yet",
    }
    KeyNotHere "key_not_here" SERVICE_UNAVAILABLE {
        "The signing key is not here",
        "The log names an active signing key that this server does not hold, so it cannot issue. It still lists, \
         revokes and checks. Nothing was recorded.",
        "Ask another server, or let an operator bring the key to this one; `/readyz` says when it is there.",
        "the active key mV8fFOi5XbjkTQwPt1kZ7BeXmyEWqDGbAzVhaCG1X7o is not in the keyring of this process",
    }
    SettingDiffers "setting_differs" SERVICE_UNAVAILABLE {
        "A setting differs from the log",
        "A setting that this server was given differs from what the log says. A server that finds this at its start \
         does not come up.",
        "Let an operator start the server with the log's value, or without the setting.",
        "issuer is 'https://a.example.com' here but 'https://b.example.com' in the log",
    }
}
}
