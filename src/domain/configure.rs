//! `Configure`: the first start writes down what shapes a token; every later one must agree with it.

use super::{
    Event, Refusal, Settings,
    claims::CATALOG_AUDIENCE,
    event::{Configured, KeyActivated, KeyAdded},
    key_life::KeyRefusal,
    policy::{Policy, Rules},
    text::{Audience, Environment, Issuer},
};

/// What a process was told, and what it would write down if the log said nothing yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configure {
    /// `iss`, when this process was told one.
    pub issuer: Option<Issuer>,
    /// `iss` of a new log for which none was told.
    pub issuer_default: Issuer,
    /// `aud`, when this process was told one.
    pub audience: Option<Audience>,
    /// `aud` of a new log for which none was told.
    pub audience_default: Audience,
    /// `env`, when this process was told one.
    pub env: Option<Environment>,
    /// The key that it would sign with.
    pub key: KeyChoice,
}

/// The key of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChoice {
    /// This process was told to sign with it.
    Told(KeyAdded),
    /// A new log may begin with it; one that has a key keeps its own.
    Offered(KeyAdded),
    /// None is needed: the log was seen to have one.
    Kept,
}

/// Decides a start: nothing when the log agrees, the missing events when it is silent.
///
/// # Errors
/// [`Refusal::SettingDiffers`], with both values.
pub fn configure(settings: &Settings, command: &Configure) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::new();
    match (&settings.issuer, &settings.audience) {
        (Some(issuer), Some(audience)) => {
            agree("the issuer", command.issuer.as_ref().map(Issuer::as_str), issuer.as_str())?;
            agree("the audience", command.audience.as_ref().map(Audience::as_str), audience.as_str())?;
            let logged = settings.env.as_ref().map_or("none", Environment::as_str);
            agree("the environment", command.env.as_ref().map(Environment::as_str), logged)?;
        }
        _ => events.push(Event::Configured(configured(command)?)),
    }
    if settings.policy.is_none() {
        events.push(Event::PolicyApplied(Box::new(Policy::initial())));
    }
    match (&settings.active, &command.key) {
        // One that is still to sign, or did before, may be here already or still: which one signs is for the log to say.
        (Some(_), KeyChoice::Told(told)) if settings.key(&told.kid).is_some() => {}
        (Some(kid), KeyChoice::Told(told)) => agree("the signing key", Some(told.kid.as_str()), kid.as_str())?,
        (Some(_), KeyChoice::Offered(_) | KeyChoice::Kept) => {}
        (None, KeyChoice::Told(key) | KeyChoice::Offered(key)) => {
            events.push(Event::KeyAdded(key.clone()));
            events.push(Event::KeyActivated(KeyActivated { kid: key.kid.clone(), early: false }));
        }
        (None, KeyChoice::Kept) => return Err(Refusal::NotConfigured),
    }
    Ok(events)
}

fn configured(command: &Configure) -> Result<Configured, Refusal> {
    let audience = command.audience.as_ref().unwrap_or(&command.audience_default);
    if audience.as_str() == CATALOG_AUDIENCE {
        return Err(Refusal::CatalogByDefault);
    }
    Ok(Configured {
        issuer: command.issuer.clone().unwrap_or_else(|| command.issuer_default.clone()),
        audience: audience.clone(),
        env: command.env.clone(),
    })
}

/// Applies a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyPolicy {
    /// What it says.
    pub rules: Rules,
    /// The file that says so.
    pub text: String,
}

/// Decides the application of a policy: nothing when it is in force already, to the letter.
///
/// # Errors
/// [`KeyRefusal::NotADevKey`] for a shell's key that is published, or unknown; [`KeyRefusal::Over`] for one that signs no
/// more; [`Refusal::OwnIssuer`] for an identity provider that is called like the catalog.
pub fn apply_policy(settings: &Settings, command: &ApplyPolicy) -> Result<Option<Event>, Refusal> {
    let ApplyPolicy { rules, text } = command;
    if let Some(kid) = &rules.shell.kid {
        let key = settings.key(kid).filter(|key| key.dev).ok_or_else(|| KeyRefusal::NotADevKey { kid: kid.clone() })?;
        if let Some(over) = key.over() {
            return Err(KeyRefusal::Over { kid: kid.clone(), over }.into());
        }
    }
    if let Some(own) = settings.issuer.as_ref().and_then(|issuer| rules.trusted_like(issuer)) {
        return Err(Refusal::OwnIssuer { issuer: own.issuer.clone() });
    }
    let current = settings.policy.as_ref();
    if current.is_some_and(|policy| policy.rules == *rules && policy.text.as_ref() == Some(text)) {
        return Ok(None);
    }
    let version = current.map_or(0, |policy| policy.version) + 1;
    Ok(Some(Event::PolicyApplied(Box::new(Policy { version, rules: rules.clone(), text: Some(text.clone()) }))))
}

fn agree(setting: &'static str, given: Option<&str>, logged: &str) -> Result<(), Refusal> {
    match given {
        Some(given) if given != logged => {
            Err(Refusal::SettingDiffers { setting, given: given.to_owned(), logged: logged.to_owned() })
        }
        _ => Ok(()),
    }
}
