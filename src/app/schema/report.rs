//! A report, as JSON has it.

use utoipa::openapi::{
    RefOr,
    schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
};

use super::{Form, described, events::digest, events::instant, list, nullable, object, of, one_of, plain, unsigned};
use crate::{
    app::report::Format,
    domain::{
        Path, Position, Status,
        audit::{
            LogPart, Report, Scope,
            days::Day,
            denials::{DenialRow, DenialsReport},
            findings::{Finding, FindingRule, FindingsReport},
            issuance::IssuanceReport,
            live::{LiveReport, LiveRow, Notable},
            out_of_band::OutOfBandRow,
            reads::{ReadRow, ReadsReport},
            revocations::{RevocationRow, RevocationsReport, RuleRow},
            settings::ChangeRow,
            tally::Count,
            watch::{ReuseRow, ShadowRow},
        },
        claims::CanonicalUuid,
        event::Elevation,
        revoke::RevocationReason,
        text::{Subject, TeamId},
    },
};

described! {
    Report, "Report" => object("What the log says of a time. The same scope of the same log gives the same bytes.")
        .member("scope", of::<Scope>(), "What it is of.")
        .member("log", of::<LogPart>(), "The log that was read for it.")
        .member("events", number(), "How many events were counted.")
        .member("erased", number(), "How many of these had their personal part erased.")
        .member("findings", list(of::<FindingsReport>()), "What somebody should look into, the gravest first.")
        .member("by_kind", list(of::<Count>()), "The events by kind.")
        .member("by_day", list(of::<Day>()), "The days on which anything happened, in UTC.")
        .member("issuance", of::<IssuanceReport>(), "What was issued.")
        .member("out_of_band", listed(of::<OutOfBandRow>()), "What was issued past the API's controls, one by one.")
        .member("live", of::<LiveReport>(), "What may still be used at the end.")
        .member("revocations", of::<RevocationsReport>(), "What was revoked.")
        .member("suspensions", number(), "How often a token was held back.")
        .member("resumptions", number(), "How often one was let go.")
        .member("denials", of::<DenialsReport>(), "What was refused.")
        .member("shadow_tokens", listed(of::<ShadowRow>()), "Tokens with a good signature that were never issued so.")
        .member("reused_tokens", listed(of::<ReuseRow>()), "Rotated tokens that were presented after their end.")
        .member("keys", listed(of::<ChangeRow>()), "What became of keys.")
        .member("policies", listed(of::<ChangeRow>()), "What became of the policy.")
        .member("settings", listed(of::<ChangeRow>()), "What became of everything else that shapes tokens, and of clients.")
        .member("reads", of::<ReadsReport>(), "Who read the log out.");
    Format, "ReportFormat" => one_of(Format::ALL.map(Format::as_str)).description(Some("How a report is written."));
    Scope, "ReportScope" => object("What a report is of. Who asks for the same gets the same.")
        .member("version", unsigned(), "The version of the form of reports.")
        .member("log_id", of::<CanonicalUuid>(), "The log's epoch.")
        .member("first", of::<Position>(), "The first event that is counted.")
        .member("last", of::<Position>(), "The last event that is counted; none is where it lies before the first.")
        .member("end", of::<Position>(), "The last event that is read. What is still live is told as of it.")
        .member("judged_at", instant(), "The instant at which it is judged what is still live.")
        .optional("sub", of::<Subject>(), "Only what is about this subject's tokens.")
        .optional("team", of::<TeamId>(), "Only what is about tokens that reach this team.");
    LogPart, "ReportLog" => object("What was read for a report.")
        .member("log_id", of::<CanonicalUuid>(), "The log's epoch.")
        .member("position", of::<Position>(), "The last position.")
        .member("digest", digest(), "SHA-256 over the commitments of every event up to there: of a log that is whole, its digest there.");
    Count, "ReportCount" => object("How often something occurred.")
        .member("name", plain::<String>(), "What.")
        .member("count", number(), "How often.");
    Day, "ReportDay" => object("A day on which something happened.")
        .member("day", date(), "The day, in UTC.")
        .member("events", number(), "Events.")
        .member("issued", number(), "Tokens issued.")
        .member("out_of_band", number(), "Of these, past the API's controls.")
        .member("revoked", number(), "Revocations of one token, and rules that ended any.")
        .member("refused", number(), "Refusals.");
    FindingsReport, "ReportFindings" => object("The findings of one rule.")
        .member("rule", one_of(FindingRule::ALL.map(FindingRule::as_str)).into(), "By which rule.")
        .member("meaning", plain::<String>(), "What it means.")
        .member("findings", listed(of::<Finding>()), "One by one.");
    Finding, "ReportFinding" => object("Something that somebody should look into.")
        .member("positions", list(of::<Position>()), "The events that show it.")
        .member("detail", plain::<String>(), "What was seen.");
    IssuanceReport, "ReportIssuance" => object("What was issued.")
        .member("total", number(), "How many tokens.")
        .member("out_of_band", number(), "Of these, past the API's controls.")
        .member("admins", number(), "Of these, for administrators.")
        .member("successors", number(), "Of these, in the place of another token.")
        .member("by_path", list(of::<Count>()), "By door.")
        .member("by_actor", list(of::<Count>()), "By who had them issued.")
        .member("by_subject", list(of::<Count>()), "By whom they speak for.")
        .member("by_team", list(of::<Count>()), "By team that they name; a token of several is counted in each.")
        .member("by_permission", list(of::<Count>()), "By permission that they name; one of several is counted in each.")
        .member("by_key", list(of::<Count>()), "By the key that signs them.")
        .member("by_elevation", list(of::<Count>()), "By what was elevated; a token of several is counted in each.")
        .member("by_policy_version", list(of::<Count>()), "By the version of the policy that allowed them, in its order.");
    OutOfBandRow, "ReportOutOfBand" => token(object("An issuance past the API's controls. What is erased is `null`."))
        .member("at", instant(), "When it was decided.")
        .member("os_user", text(), "The user of the machine.")
        .member("login", text(), "The user who had logged in.")
        .member("sudo_user", text(), "Who called sudo, by its own word.")
        .member("host", text(), "The machine.")
        .member("reason", text(), "Why.")
        .member("kid", plain::<String>(), "The key that signs it.")
        .member("policy_version", unsigned(), "The version of the policy that allowed it.")
        .member("ended_by", nullable(of::<Position>()), "The event that ended it, or will.");
    LiveReport, "ReportLive" => object("What may still be used at the end.")
        .member("total", number(), "How many tokens: those that may be used, and those that are held back.")
        .member("active", number(), "How many may be used.")
        .member("suspended", number(), "How many are held back, and may come back.")
        .member("notable", list(of::<Count>()), "How many there are of each kind that somebody should look at.")
        .member("tokens", listed(of::<LiveRow>()), "Those that are of any such kind, the earliest first.");
    LiveRow, "ReportLiveToken" => token(object("A live token that somebody should look at."))
        .member("path", of::<Path>(), "The door it came through.")
        .member("issued_by", plain::<String>(), "Who had it issued.")
        .member("issued_at", instant(), "When it was issued.")
        .member("notable", list(one_of(Notable::ALL.map(Notable::as_str)).into()), "Why somebody should look at it.");
    RevocationsReport, "ReportRevocations" => object("What was revoked.")
        .member("total", number(), "How many revocations of one token.")
        .member("rotations", number(), "Of these, because another token took its place.")
        .member("by_reason", list(of::<Count>()), "By reason, in the words of RFC 5280.")
        .member("by_actor", list(of::<Count>()), "By who did it.")
        .member("by_age", list(of::<Count>()), "By the time from the token's issuance.")
        .member("tokens", listed(of::<RevocationRow>()), "One by one.")
        .member("ended_by_rules", number(), "How many tokens rules ended that were live by then.")
        .member("rules", listed(of::<RuleRow>()), "The rules.");
    RevocationRow, "ReportRevocation" => why(object("A revocation of one token."))
        .member("jti", of::<CanonicalUuid>(), "The token.")
        .member("effective_from", nullable(instant()), "From when on it holds; `null` = at once.")
        .member("successor", nullable(of::<CanonicalUuid>()), "The token that took its place.")
        .member("age_seconds", nullable(plain::<i64>()), "The time from its issuance; `null` when it had ended before.");
    RuleRow, "ReportRule" => why(object("A rule that revoked tokens."))
        .member("covers", plain::<String>(), "What a token is like that it covers.")
        .member("ended", number(), "How many tokens it ended that were live by then.");
    DenialsReport, "ReportDenials" => object("What was refused.")
        .member("total", number(), "How often.")
        .member("events", number(), "In how many events: those of a minute are counted in one.")
        .member("by_rule", list(of::<Count>()), "By the rule that said no.")
        .member("by_actor", list(of::<Count>()), "By who asked.")
        .member("by_kind", list(of::<Count>()), "By what was asked for: the kind of the event.")
        .member("by_rule_and_actor", list(of::<DenialRow>()), "By both, most frequent first.");
    DenialRow, "ReportDenial" => object("What a rule refused to somebody.")
        .member("rule", plain::<String>(), "The rule.")
        .member("actor", plain::<String>(), "Who asked.")
        .member("count", number(), "How often.")
        .member("first", of::<Position>(), "Where in the log the first one is.")
        .member("last", of::<Position>(), "Where in the log the last one is.");
    ShadowRow, "ReportShadow" => seen(object("A token with a good signature that was never issued so."))
        .member("jti", nullable(of::<CanonicalUuid>()), "The identifier that it claims, if it has one.")
        .member("kid", plain::<String>(), "The key that signed it, which may be stolen.")
        .member("what", one_of(["never_issued", "other_claims"]).into(), "What is wrong with it.")
        .member("claims_digest", plain::<String>(), "SHA-256 over its `header.payload`, in hexadecimal.");
    ReuseRow, "ReportReuse" => seen(object("A rotated token that was presented after its end."))
        .member("jti", of::<CanonicalUuid>(), "The token.")
        .member("family", of::<CanonicalUuid>(), "Its family.")
        .member("successor", of::<CanonicalUuid>(), "The token that had taken its place.");
    ChangeRow, "ReportChange" => seen(object("A change of what shapes tokens."))
        .member("kind", plain::<String>(), "The kind of the event.")
        .member("what", plain::<String>(), "The key, client, list or version.")
        .member("detail", plain::<String>(), "What about it.");
    ReadsReport, "ReportReads" => object("Who read the log out.")
        .member("total", number(), "How often.")
        .member("by_actor", list(of::<Count>()), "By who did.")
        .member("reads", listed(of::<ReadRow>()), "One by one.");
    ReadRow, "ReportRead" => seen(object("Something that was made of the log and handed out."))
        .member("what", one_of(["report"]).into(), "What was made of it.")
        .member("format", plain::<String>(), "How it was written.")
        .member("first", of::<Position>(), "The first event that was counted.")
        .member("last", of::<Position>(), "The last event that was counted.")
        .member("end", of::<Position>(), "The last event that was read.")
        .member("sub", text(), "The subject, where it was of one.")
        .member("team", text(), "The team, where it was of one.");
}

/// What every row has.
fn seen(form: Form) -> Form {
    form.member("position", of::<Position>(), "Where in the log.")
        .member("at", instant(), "When it was decided, or seen.")
        .member("by", plain::<String>(), "Who.")
}

fn why(form: Form) -> Form {
    seen(form).member("reason", of::<RevocationReason>(), "Why.").member(
        "note",
        text(),
        "Why, in a person's words; `null` if none were given, or erased.",
    )
}

fn token(form: Form) -> Form {
    form.member("position", of::<Position>(), "Where it was issued.")
        .member("jti", of::<CanonicalUuid>(), "The token.")
        .member("sub", text(), "Whom it speaks for.")
        .member("name", text(), "Its name.")
        .member("elevated", list(of::<Elevation>()), "What was elevated.")
        .member("teams", nullable(list(plain::<String>())), "The teams; `null` = every team.")
        .member("permissions", list(plain::<String>()), "The permissions; none = everything that its subject may do.")
        .member("expires_at", instant(), "The first instant at which it is expired.")
        .member("status", of::<Status>(), "Whether it may be used; else how it ended first.")
}

fn listed(rows: RefOr<Schema>) -> RefOr<Schema> {
    object("The first rows of a list, and how many there are.")
        .member("total", number(), "How many there are.")
        .member("left_out", number(), "How many of them are not among the rows: a shorter range shows them.")
        .member("rows", list(rows), "The first ones.")
        .into()
}

fn number() -> RefOr<Schema> {
    plain::<u64>()
}

fn text() -> RefOr<Schema> {
    nullable(plain::<String>())
}

fn date() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).into()
}
