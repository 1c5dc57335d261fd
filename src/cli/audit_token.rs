//! `catalog audit token`: one token's life, with the authority that each of its permissions came from.

use clap::Args;
use uuid::Uuid;

use super::{
    CliError, Outcome, Shell,
    event_line::{listed, seconds},
    output::{Format, Out},
    rows::NOTHING,
    session::{self, Need, Session},
    values,
};
use crate::{
    app::{OpenError, view::LifeView},
    domain::{
        Authority, Refusal,
        audit::token_life::{Issuance, Life, Reach, Step, TokenLife, What},
        authority::Credential,
        claims::Teams,
        provenance::{Held, Traced},
        status::Inactive,
        text::harmless,
    },
    store::{life, tokens},
};

/// Show one token's life: on what authority it was issued, and what became of it
///
/// Each permission is traced to the one that its asker held, and to the entries of the policy that let it be granted. Then
/// come rotation, suspensions, revocations by name, by a rule or for its key, what others tried with it, and its end.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TokenArgs {
    /// The token
    #[arg(value_name = "JTI", value_parser = values::jti)]
    jti: Uuid,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  catalog audit token 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10
  catalog audit token 0199d7a8-5c3e-7b11-9a0e-0d5c4a3f2b10 --format json | jq '.life[].what.kind'

Exit codes: 0 shown, 1 there is no such token, 2 could not run.";

/// Longer than any line that a token's life has.
const LINE_MAX: usize = 100_000;

pub(super) async fn run(shell: &Shell<'_>, args: TokenArgs) -> Result<Outcome, CliError> {
    session::run(shell, Need::Catalog, async |session| {
        let life = read(shell, session, args.jti).await?;
        let mut out = Out::stdout();
        match args.format {
            Format::Text => text(&life).iter().try_for_each(|line| out.line(line))?,
            Format::Json => out.json(&LifeView::from(&life))?,
        }
        out.flush()?;
        Ok(Outcome::Done)
    })
    .await
}

async fn read(shell: &Shell<'_>, session: &Session, jti: Uuid) -> Result<Life, CliError> {
    let unknown = || OpenError::from(Refusal::TokenUnknown { jti });
    let reads = session.database.reads();
    let token = tokens::get(reads, jti).await?.ok_or_else(unknown)?;
    let own = life::own(reads, &token, false).await?;
    let mut told = TokenLife::of(jti);
    life::with_authority(reads, &token, &own).await?.iter().for_each(|event| told.apply(event));
    Ok(told.finish(shell.ambient.clock.now()).ok_or_else(unknown)?)
}

fn text(life: &Life) -> Vec<String> {
    let mut lines = vec![
        format!("token    {}", life.token.jti),
        format!("status   {}{}", life.status, life.inactive.map(because).unwrap_or_default()),
        String::new(),
    ];
    lines.extend(life.steps.iter().flat_map(of_step));
    lines
}

fn because(inactive: Inactive) -> String {
    match inactive {
        Inactive::Revoked { position, reason } => format!(" at position {position}: {reason}"),
        Inactive::RevokedByRule { position, reason } => format!(" by the rule at position {position}: {reason}"),
        Inactive::Rotated { deadline, successor, .. } => {
            format!(": its place was taken by {successor}, deadline {}", seconds(deadline))
        }
        Inactive::Expired { at } => format!(" since {}", seconds(at)),
        Inactive::Suspended { position, since } => format!(" since {}, position {position}", seconds(since)),
    }
}

/// What happened, and below it what there is to say of it.
fn of_step(step: &Step) -> Vec<String> {
    let place = step.source.as_ref().map_or_else(|| NOTHING.to_owned(), |source| format!("@{}", source.position));
    let by = step.source.as_ref().map(|source| {
        let actor = source.actor.display().unwrap_or_else(|| "nobody known".to_owned());
        format!(" by {actor}, path {}", source.path)
    });
    let (what, details) = of_what(&step.what);
    let head = format!("{}  {place}  {what}{}", seconds(step.at), by.unwrap_or_default());
    let line = |text: String| harmless(&text, LINE_MAX);
    let details = details.into_iter().map(|detail| format!("    {}", line(detail)));
    std::iter::once(line(head)).chain(details).collect()
}

fn of_what(what: &What) -> (String, Vec<String>) {
    let noted = |note: Option<String>| note.map(|note| format!("note '{note}'"));
    match what {
        What::Issued(issuance) => ("issued".to_owned(), of_issuance(issuance)),
        What::Rotated { successor, deadline } => {
            let until = deadline.map_or_else(|| "over at once".to_owned(), |at| format!("good until {}", seconds(at)));
            ("rotated".to_owned(), vec![format!("its place was taken by {successor}; {until}")])
        }
        What::Revoked { reason, effective_from, note } => {
            let from = effective_from.map(|from| format!(", from {} on", seconds(from))).unwrap_or_default();
            let note = noted(note.as_ref().map(ToString::to_string));
            ("revoked".to_owned(), std::iter::once(format!("{reason}{from}")).chain(note).collect())
        }
        What::RuleAdded { predicate, reason, note, reach } => {
            let note = noted(note.as_ref().map(ToString::to_string));
            let covers = format!("{reason}; the rule covers {predicate}");
            (format!("{} by a rule that was added", of_reach(*reach)), std::iter::once(covers).chain(note).collect())
        }
        What::KeyCompromised { kid, from, since, note, reach } => {
            let since = since.map(|since| format!(", since {}", seconds(since))).unwrap_or_default();
            let note = noted(note.as_ref().map(ToString::to_string));
            let covers = format!("nothing is believed that {kid} signed from position {from} on{since}");
            (format!("{} with its compromised key", of_reach(*reach)), std::iter::once(covers).chain(note).collect())
        }
        What::Suspended { note } => {
            ("suspended".to_owned(), noted(note.as_ref().map(ToString::to_string)).into_iter().collect())
        }
        What::Resumed { note } => {
            ("resumed".to_owned(), noted(note.as_ref().map(ToString::to_string)).into_iter().collect())
        }
        What::Refused { asked, rule, count, since } => {
            let times = if *count == 1 { String::new() } else { format!(", {count} times since {}", seconds(*since)) };
            (format!("{} refused", asked.as_str()), vec![format!("{rule}{times}")])
        }
        What::Reused { successor } => {
            ("presented after its end".to_owned(), vec![format!("its place had been taken by {successor}")])
        }
        What::CourierIssued { aud, expires_at } => {
            ("courier issued".to_owned(), vec![format!("for {}, until {}", listed(aud), seconds(*expires_at))])
        }
        What::ShadowSeen { kid, shadow } => {
            ("forged".to_owned(), vec![format!("{}, with a good signature of {kid}", shadow.as_str())])
        }
        What::DeadlinePassed => ("over: its deadline passed".to_owned(), Vec::new()),
        What::Expired => ("expired".to_owned(), Vec::new()),
    }
}

fn of_reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Ended => "revoked",
        Reach::WasOver => "over, and covered",
        Reach::Untold => "perhaps covered (something was erased)",
    }
}

fn of_issuance(issuance: &Issuance) -> Vec<String> {
    let Issuance { token, policy_applied, authority, provenance } = issuance;
    let erased = || "somebody whose name is erased".to_owned();
    let sub = token.sub.as_ref().map_or_else(erased, ToString::to_string);
    let name = token.name.as_ref().map(|name| format!(", name '{name}'")).unwrap_or_default();
    let mut lines = vec![
        format!("for {sub}{name}, until {}; aud {}; key {}", seconds(token.expires_at), listed(&token.aud), token.kid),
        format!(
            "on the authority of {}",
            authority.as_ref().map_or_else(|| "whoever it was: the log does not tell".to_owned(), of_authority)
        ),
        format!(
            "under policy version {}{}",
            token.policy_version,
            policy_applied.map(|position| format!(", applied at @{position}")).unwrap_or_default(),
        ),
    ];
    lines.extend(token.out_of_band.then(|| "out of band: past the controls of the API".to_owned()));
    lines.extend((!token.elevated.is_empty()).then(|| format!("elevated: {}", listed(&token.elevated))));
    lines.extend(token.reason.as_ref().map(|reason| format!("reason '{reason}'")));
    lines.extend(token.lineage.predecessor.map(|old| format!("takes the place of {old}")));
    lines.extend(provenance.permissions.iter().map(|traced| {
        let entries: Vec<String> =
            traced.allowed.iter().map(|allowed| format!("{} by {}", allowed.table, allowed.entry)).collect();
        let let_by = if entries.is_empty() { "nothing that the log tells".to_owned() } else { entries.join(", ") };
        format!("permission {}: {}; let through in {let_by}", traced.what, of_held(traced))
    }));
    lines.extend(provenance.teams.iter().map(|traced| format!("team {}: {}", traced.what, of_held(traced))));
    match &token.teams {
        Teams::Every => {
            let held =
                provenance.every_team.as_ref().map_or_else(|| "held by nothing that the log tells".to_owned(), held);
            lines.push(format!("every team: {held}"));
        }
        Teams::These(teams) if teams.is_empty() => lines.push("no team: public things only".to_owned()),
        Teams::These(_) => {}
    }
    lines
}

fn of_authority(authority: &Authority) -> String {
    let sub = authority.subject.as_ref().map(|sub| format!(" of {sub}")).unwrap_or_default();
    let admin = if authority.is_admin { ", an administrator's" } else { "" };
    match &authority.credential {
        None => "a shell: whoever can read the signing key".to_owned(),
        Some(Credential::Token(jti)) => format!("the token {jti}{sub}{admin}"),
        Some(Credential::Login { issuer }) => format!("a login at {issuer}{sub}{admin}"),
        Some(Credential::Client { name, .. }) => format!("the client {name}"),
    }
}

fn of_held<T: std::fmt::Display>(traced: &Traced<T>) -> String {
    traced.held.as_ref().map_or_else(|| "held by nothing that the log tells".to_owned(), held)
}

fn held<T: std::fmt::Display>(held: &Held<T>) -> String {
    match held {
        Held::Shell => "a shell's to grant".to_owned(),
        Held::All => "an administrator's to grant".to_owned(),
        Held::This(entry) => format!("held as {entry}"),
    }
}
