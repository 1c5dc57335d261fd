//! Access tokens of identity providers (RFC 9068): somebody else's making, so unknown members are no fault, and everything
//! that is relied on is checked.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    provider_keys::{ProviderAlgorithm, ProviderKeys},
    strict_json,
    verify::{IAT_AHEAD_SECONDS_MAX, is_typ},
};
use crate::domain::{
    person::{LoginRefusal, Person},
    text::{ClaimName, Email, EmailDomain, Subject},
    trusted_issuer::TrustedIssuer,
};

/// The longest token of a provider that is looked at: it may name many groups.
const BYTES_MAX: usize = 16 * 1024;
/// The last second of the year 9999, since 1970.
const SECONDS_MAX: i64 = 253_402_300_799;

/// A token that somebody else issued, read and not yet believed.
pub struct ProviderToken<'a> {
    signing_input: &'a str,
    signature: Vec<u8>,
    alg: Option<ProviderAlgorithm>,
    kid: Option<String>,
    typ: Option<String>,
    is_critical: bool,
    claims: Map<String, Value>,
}

/// Why a provider's token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untaken {
    /// Nobody knows who made it: its header asks for what is not done, or its signature is not the provider's.
    #[error("{0}")]
    Unproven(&'static str),
    /// The provider made it, and its time is over or has not come.
    #[error("{0}")]
    OutOfTime(&'static str),
    /// The provider made it, and it is not enough here.
    #[error("{refusal}")]
    Refused {
        /// Whom the provider says it is about, by its own name.
        sub: Option<String>,
        /// Why it is not enough.
        refusal: LoginRefusal,
    },
}

impl<'a> ProviderToken<'a> {
    /// Reads a token; `None` for what is no signed JWT, or has a member twice.
    #[must_use]
    pub fn read(token: &'a str) -> Option<Self> {
        if token.len() > BYTES_MAX {
            return None;
        }
        let (signing_input, signature) = token.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header = strict_json::read_object(&decode(header)?)?;
        let text = |member| header.get(member).and_then(Value::as_str);
        Some(Self {
            signing_input,
            signature: decode(signature)?,
            alg: text("alg").and_then(ProviderAlgorithm::named),
            kid: text("kid").map(str::to_owned),
            typ: text("typ").map(str::to_owned),
            is_critical: header.contains_key("crit"),
            claims: strict_json::read_object(&decode(payload)?)?,
        })
    }

    /// Whose token it says it is.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// The name of the key that it says has signed it, if that could be at all: with an algorithm that is taken, and
    /// without an extension that we would have to know. Where its header says that keys are to be had (`jku`, `x5u`, `jwk`),
    /// nobody looks.
    ///
    /// # Errors
    /// [`Untaken::Unproven`].
    pub fn kid(&self) -> Result<&str, Untaken> {
        if self.is_critical {
            return Err(Untaken::Unproven("its header has a critical extension"));
        }
        if self.alg.is_none() {
            return Err(Untaken::Unproven("its algorithm is not taken"));
        }
        self.kid.as_deref().ok_or(Untaken::Unproven("it names no key"))
    }

    /// Whom it speaks for, if its provider, which is trusted so far, has made it for this catalog (RFC 9068 section 4).
    ///
    /// # Errors
    /// [`Untaken`].
    pub fn person(&self, trusted: &TrustedIssuer, keys: &ProviderKeys, now: DateTime<Utc>) -> Result<Person, Untaken> {
        let kid = self.kid()?;
        let is_signed =
            self.alg.is_some_and(|alg| keys.have_signed(kid, alg, self.signing_input.as_bytes(), &self.signature));
        if !is_signed || self.issuer() != Some(trusted.issuer.as_str()) {
            return Err(Untaken::Unproven("no key of its provider has signed it so"));
        }
        let sub = self.text("sub").filter(|sub| !sub.is_empty()).map(str::to_owned);
        let refused = |refusal| Untaken::Refused { sub: sub.clone(), refusal };
        if !self.typ.as_deref().is_some_and(is_typ) || sub.is_none() {
            return Err(refused(LoginRefusal::NotAnAccessToken));
        }
        if !self.is_for(trusted.audience.as_str()) {
            return Err(refused(LoginRefusal::OtherAudience));
        }
        let iat = self.check_times(now)?.ok_or_else(|| refused(LoginRefusal::NotAnAccessToken))?;
        if let Some(missing) =
            trusted.required_claims().find(|claim| self.text(claim.as_str()).is_none_or(str::is_empty))
        {
            return Err(refused(missing.into()));
        }
        self.read_person(trusted, iat).map_err(refused)
    }

    fn is_for(&self, audience: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        }
    }

    /// `iat`, if its time is now; `None` if it does not say its times. `exp` without leeway, the others with as little as
    /// for our own.
    fn check_times(&self, now: DateTime<Utc>) -> Result<Option<i64>, Untaken> {
        let now = now.timestamp();
        let latest = now.saturating_add(IAT_AHEAD_SECONDS_MAX);
        let (Some(exp), Some(iat)) = (self.seconds("exp"), self.seconds("iat")) else { return Ok(None) };
        if now >= exp {
            return Err(Untaken::OutOfTime("it is expired"));
        }
        let is_early =
            iat > latest || self.claims.contains_key("nbf") && self.seconds("nbf").is_none_or(|nbf| nbf > latest);
        if is_early { Err(Untaken::OutOfTime("its time has not come")) } else { Ok(Some(iat)) }
    }

    fn read_person(&self, trusted: &TrustedIssuer, iat: i64) -> Result<Person, LoginRefusal> {
        if self.claims.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(LoginRefusal::EmailUnverified);
        }
        let email = self.named(&trusted.claims.email).and_then(Value::as_str).ok_or(LoginRefusal::EmailUnusable)?;
        let email = within(email, trusted)?;
        let subject = if trusted.names_by_other_claim() { self.other_subject(trusted)? } else { email.clone() };
        let groups = self.names(&trusted.claims.groups);
        let roles = self.names(&trusted.claims.roles);
        Ok(Person {
            issuer: trusted.issuer.clone(),
            subject: Subject::parse(subject).map_err(|_| LoginRefusal::SubjectUnusable)?,
            email: Email::parse(email).map_err(|_| LoginRefusal::EmailUnusable)?,
            logged_in: iat,
            grant: trusted.grant(groups, roles),
        })
    }

    /// A subject that looks like an address has to be one that the provider may speak for.
    fn other_subject(&self, trusted: &TrustedIssuer) -> Result<String, LoginRefusal> {
        let subject = self.named(&trusted.claims.subject).and_then(Value::as_str);
        match subject.ok_or(LoginRefusal::SubjectUnusable)? {
            address if address.contains('@') => within(address, trusted),
            name => Ok(name.to_owned()),
        }
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// `NumericDate`, RFC 7519 section 2: the fraction of a second is cut off. Before 1970 and after the year 9999 is no time.
    fn seconds(&self, claim: &str) -> Option<i64> {
        let number = self.claims.get(claim)?;
        #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and such a time is out of bounds")]
        let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))?;
        (0..=SECONDS_MAX).contains(&seconds).then_some(seconds)
    }

    /// A claim by its name, or by the path to it: `realm_access.roles` is the member `roles` of the object `realm_access`.
    fn named(&self, claim: &ClaimName) -> Option<&Value> {
        let name = claim.as_str();
        self.claims.get(name).or_else(|| {
            let (first, rest) = name.split_once('.')?;
            rest.split('.').try_fold(self.claims.get(first)?, |object, member| object.get(member))
        })
    }

    /// The names in a list: plain ones, and those of RFC 9068 section 2.2.3.1 (SCIM), which are objects with a `value`.
    fn names(&self, claim: &ClaimName) -> Vec<&str> {
        match self.named(claim) {
            Some(Value::Array(names)) => {
                names.iter().filter_map(|value| value.as_str().or_else(|| value.get("value")?.as_str())).collect()
            }
            Some(Value::String(name)) => vec![name],
            _ => Vec::new(),
        }
    }
}

/// An address of one of the provider's domains, in lower case: a person is one person however a provider writes it.
fn within(address: &str, trusted: &TrustedIssuer) -> Result<String, LoginRefusal> {
    let (local, domain) = address.split_once('@').ok_or(LoginRefusal::EmailUnusable)?;
    let domain = EmailDomain::parse(domain.to_ascii_lowercase()).map_err(|_| LoginRefusal::EmailUnusable)?;
    if local.is_empty() {
        return Err(LoginRefusal::EmailUnusable);
    }
    if !trusted.speaks_for(&domain) {
        return Err(LoginRefusal::OtherDomain);
    }
    Ok(format!("{}@{domain}", local.to_lowercase()))
}
