//! The token that a client command presents. It comes from the environment or a file: other users can read arguments.

use std::{
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::ClientError;
use crate::{
    cli::{CliError, Variables, event_line},
    domain::{
        claims::{CATALOG_AUDIENCE, decode_part},
        token::instant,
    },
};

/// More than any token has.
const FILE_BYTES_MAX: u64 = 65_536;

/// The token that is presented.
pub(super) struct Credential {
    place: CredentialPlace,
    header: HeaderValue,
    claims: Option<Claims>,
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
#[derive(Deserialize)]
struct Claims {
    exp: i64,
    aud: Vec<String>,
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
        let claims = token.split('.').nth(1).and_then(decode_part);
        Ok(Self { place, header, claims })
    }

    /// `Authorization`, RFC 6750 section 2.1.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Why the server may have refused it, as far as that can be seen from here.
    pub(super) fn why_not(&self, now: DateTime<Utc>) -> String {
        let place = &self.place;
        match &self.claims {
            Some(claims) if now >= instant(claims.exp) => {
                format!("the token in {place} expired at {}: get another", event_line::seconds(instant(claims.exp)))
            }
            Some(claims) if !claims.aud.iter().any(|audience| audience == CATALOG_AUDIENCE) => format!(
                "the token in {place} is not meant for the catalog itself: have one issued with --aud \
                 {CATALOG_AUDIENCE}"
            ),
            Some(_) => format!("the token in {place} was revoked, or is another catalog's: get another, or see --url"),
            None => format!("what is in {place} is no token of a catalog"),
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

    fn credential(claims: &str) -> Credential {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        Credential::new(CredentialPlace::Variable, &token).unwrap()
    }

    #[test]
    fn why_a_credential_is_not_taken_is_told_as_far_as_it_can_be_seen() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let why = |claims: &str| credential(claims).why_not(now);

        assert!(why(r#"{"exp":1000,"aud":["catalog"]}"#).contains("expired at 1970-01-01T00:16:40Z"));
        assert!(why(r#"{"exp":1001,"aud":["gateway"]}"#).contains("--aud catalog"));
        assert!(why(r#"{"exp":1001,"aud":["catalog"]}"#).contains("was revoked, or is another catalog's"));
        assert!(why("{}").contains("no token of a catalog"));
    }

    #[test]
    fn what_is_no_token_is_never_sent_and_never_shown() {
        for bad in
            ["", "word", "a.b", "a.b.c.d", "a b.c.d", "a.b\u{7f}.c", "a.\u{e9}.c", "Bearer a.b.c", "a.b.c\r\nx: y"]
        {
            let Err(error) = Credential::new(CredentialPlace::Variable, bad) else { panic!("{bad} was taken") };
            assert_eq!(error.to_string(), "CATALOG_TOKEN does not hold a token");
        }
        assert!(format!("{:?}", credential("{}").header()).contains("Sensitive"));
    }
}
