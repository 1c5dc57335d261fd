//! The token that a client command presents. It comes from the environment or a file: other users can read arguments.

use std::{
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::ClientError;
use crate::{
    cli::{CliError, Variables, event_line},
    domain::{
        claims::{CATALOG_AUDIENCE, CLIENT_ID, TYP, decode_part},
        text::harmless,
        token::instant,
    },
};

/// More than any token has.
const FILE_BYTES_MAX: u64 = 65_536;
/// The most characters of an issuer that are shown.
const ISSUER_SHOWN_MAX: usize = 200;

/// The token that is presented.
pub(super) struct Credential {
    place: CredentialPlace,
    header: HeaderValue,
    says: Option<Says>,
}

/// Where a credential was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialPlace {
    /// In `CATALOG_TOKEN`.
    Variable,
    /// In a file.
    File(PathBuf),
}

impl fmt::Display for CredentialPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => f.write_str("CATALOG_TOKEN"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// What a credential says of itself, to tell its owner why it was not taken. Nothing relies on it.
struct Says {
    kind: Kind,
    exp: i64,
}

/// What a credential is, by its own words.
enum Kind {
    /// A catalog's token, and whether it is for the catalog itself.
    Ours { is_for_us: bool },
    /// An access token of somebody else (RFC 9068 section 2.1).
    AccessToken { issuer: String },
    /// An ID token, or another that is no access token.
    Other,
}

impl Says {
    fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.').map(decode_part::<Value>);
        let (header, claims) = (parts.next()?.unwrap_or_default(), parts.next()??);
        let issuer = harmless(claims["iss"].as_str().unwrap_or("somebody"), ISSUER_SHOWN_MAX);
        let is_access = header["typ"].as_str().is_some_and(|typ| typ.to_ascii_lowercase().ends_with(TYP));
        let kind = match &claims["aud"] {
            Value::Array(aud) if claims["client_id"] == CLIENT_ID => {
                Kind::Ours { is_for_us: aud.iter().any(|audience| audience == CATALOG_AUDIENCE) }
            }
            _ if is_access => Kind::AccessToken { issuer },
            _ => Kind::Other,
        };
        Some(Self { kind, exp: claims["exp"].as_i64()? })
    }
}

impl Credential {
    /// The token in the file if one is named, else the one in `CATALOG_TOKEN`.
    pub(super) fn choose(file: Option<PathBuf>, variables: &Variables) -> Result<Self, CliError> {
        let (place, text) = match (file, variables.text("CATALOG_TOKEN")?) {
            (Some(path), _) => (CredentialPlace::File(path.clone()), read(&path)?),
            (None, Some(text)) => (CredentialPlace::Variable, SecretString::from(text)),
            (None, None) => return Err(ClientError::NoCredential.into()),
        };
        Ok(Self::new(place, text.expose_secret().trim())?)
    }

    fn new(place: CredentialPlace, token: &str) -> Result<Self, ClientError> {
        let is_token = token.split('.').count() == 3
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let header = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| is_token);
        let Some(mut header) = header else { return Err(ClientError::NotACredential { place }) };
        header.set_sensitive(true);
        Ok(Self { place, header, says: Says::read(token) })
    }

    /// `Authorization`, RFC 6750 section 2.1.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Why the server may have refused it, as far as that can be seen from here.
    pub(super) fn why_not(&self, now: DateTime<Utc>) -> String {
        let place = &self.place;
        let Some(Says { kind, exp }) = &self.says else {
            return format!("what is in {place} is no token of a catalog");
        };
        if now >= instant(*exp) {
            return format!("the token in {place} expired at {}: get another", event_line::seconds(instant(*exp)));
        }
        match kind {
            Kind::Ours { is_for_us: false } => format!(
                "the token in {place} is not meant for the catalog itself: have one issued with --aud {CATALOG_AUDIENCE}"
            ),
            Kind::Ours { is_for_us: true } => {
                format!("the token in {place} was revoked, or is another catalog's: get another, or see --url")
            }
            Kind::AccessToken { issuer } => format!(
                "the token in {place} is an access token of {issuer}: see that the catalog's policy trusts it, and that it \
                 is for the audience that the policy names ('catalog decode -' shows what it says)"
            ),
            Kind::Other => format!(
                "the token in {place} is an ID token, or another that is no access token: present the access token of the \
                 same login, asked for with the audience that the catalog's policy names"
            ),
        }
    }
}

fn read(path: &Path) -> Result<SecretString, ClientError> {
    let failed = |source| ClientError::TokenFile { path: path.to_owned(), source };
    let mut text = String::new();
    fs::File::open(path).map_err(failed)?.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn credential(header: &str, claims: &str) -> Credential {
        let token = format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        Credential::new(CredentialPlace::Variable, &token).unwrap()
    }

    #[test]
    fn why_a_credential_is_not_taken_is_told_as_far_as_it_can_be_seen() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let of = |typ: &str, claims: &str| credential(&format!(r#"{{"typ":"{typ}"}}"#), claims).why_not(now);
        let ours = |claims: &str| of("at+jwt", &claims.replacen('{', r#"{"client_id":"catalog","#, 1));

        assert!(ours(r#"{"exp":1000,"aud":["catalog"]}"#).contains("expired at 1970-01-01T00:16:40Z"));
        assert!(ours(r#"{"exp":1001,"aud":["gateway"]}"#).contains("--aud catalog"));
        assert!(ours(r#"{"exp":1001,"aud":["catalog"]}"#).contains("was revoked, or is another catalog's"));
        assert!(of("at+jwt", "{}").contains("no token of a catalog"));
        for aud in [r#""https://catalog.example.com""#, r#"["https://catalog.example.com"]"#] {
            let claims = format!(r#"{{"iss":"https://login.example.com","exp":1001,"client_id":"cli","aud":{aud}}}"#);
            for typ in ["at+jwt", "application/AT+JWT"] {
                assert!(
                    of(typ, &claims).contains("is an access token of https://login.example.com: see that"),
                    "{typ}"
                );
            }
            assert!(of("JWT", &claims).contains("is an ID token, or another that is no access token"));
            assert!(credential("{}", &claims).why_not(now).contains("is an ID token, or another"));
        }
        let hostile = of("at+jwt", "{\"iss\":\"a\\u001b[31m\",\"exp\":1001}");
        assert!(hostile.contains("an access token of a") && !hostile.contains('\u{1b}'), "{hostile}");
    }

    #[test]
    fn what_is_no_token_is_never_sent_and_never_shown() {
        for bad in
            ["", "word", "a.b", "a.b.c.d", "a b.c.d", "a.b\u{7f}.c", "a.\u{e9}.c", "Bearer a.b.c", "a.b.c\r\nx: y"]
        {
            let Err(error) = Credential::new(CredentialPlace::Variable, bad) else { panic!("{bad} was taken") };
            assert_eq!(error.to_string(), "CATALOG_TOKEN does not hold a token");
        }
        assert!(format!("{:?}", credential("{}", "{}").header()).contains("Sensitive"));
    }
}
