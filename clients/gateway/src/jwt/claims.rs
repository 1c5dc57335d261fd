//! What a token says, in the one form that the catalog writes.

use std::num::NonZeroU32;

use chrono::Weekday;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::{
    key::Algorithm,
    text::{is_line, is_network, is_permission, is_time_of_day, is_word},
};
use crate::admission::{Hours, Terms, Window, covers};

/// `client_id` of every token: the catalog itself.
pub(super) const CLIENT_ID: &str = "catalog";

/// The JOSE header. One with any other member is not of the catalog's making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) typ: String,
    pub(super) alg: Algorithm,
    pub(super) kid: String,
}

/// The claims of a token (RFC 7519, RFC 9068, and the gateway's rich claims).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// Whom the token is meant for.
    pub aud: Vec<String>,
    /// Whom the token speaks for.
    pub sub: String,
    /// Always `catalog`.
    pub client_id: String,
    /// The token's identifier.
    #[serde(deserialize_with = "canonical")]
    pub jti: Uuid,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// The first second at which it is no longer accepted.
    pub exp: i64,
    /// `scopes.permissions` joined by spaces; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Always `api`.
    pub token_use: TokenUse,
    /// The deployment environment, only where one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The person or service behind `sub`.
    pub user: User,
    /// The teams whose things it reaches, besides what is public. `None` = every team.
    #[serde(deserialize_with = "present")]
    pub teams: Option<Vec<String>>,
    /// The namespaces it reaches.
    pub namespaces: Vec<String>,
    /// What narrows it.
    pub scopes: Scopes,
    /// Where in a status list its status stands, only where the catalog has lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// `status` (Token Status List, section 6.1). Whoever follows the feed knows more, and sooner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The one mechanism that the catalog uses.
    pub status_list: StatusList,
}

/// A place in a status list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusList {
    /// The place, from 0.
    pub idx: u32,
    /// Where the list is fetched.
    pub uri: String,
}

/// `token_use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenUse {
    /// A token for an API, not a session.
    Api,
}

/// `user`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The subject's e-mail address, or one under `service.invalid`.
    pub email: String,
    /// The name to show.
    pub full_name: String,
    /// Whether the token claims to speak for an administrator.
    pub is_admin: bool,
    /// Always `api_token`.
    pub auth_provider: AuthProvider,
}

/// `user.auth_provider`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthProvider {
    /// A token of the catalog.
    ApiToken,
}

/// `scopes`: what narrows a token. Whoever lets it in has to apply them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scopes {
    /// The one virtual server it is bound to.
    pub server_id: Option<String>,
    /// What it may be used for; empty = everything its subject may do.
    pub permissions: Vec<String>,
    /// From where it may be used, as addresses and networks; empty = from anywhere.
    pub ip_restrictions: Vec<String>,
    /// When it may be used.
    pub time_restrictions: TimeRestrictions,
    /// How often it may be used.
    pub usage_limits: UsageLimits,
}

/// When a token may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRestrictions {
    /// Only from 9 to 17 o'clock UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_hours_only: Option<bool>,
    /// Only from Monday to Friday.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekdays_only: Option<bool>,
    /// From this time of day, with `end_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// Until this time of day, with `start_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// The IANA zone of `start_time` and `end_time`; UTC when absent. Whether there is such a zone is not looked at here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Only on these days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<Day>>,
}

/// A day of the week, by its full English name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the days of the week say what they are")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// How often a token may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageLimits {
    /// Requests in an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_hour: Option<NonZeroU32>,
    /// Requests in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_day: Option<NonZeroU32>,
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Monday => Self::Mon,
            Day::Tuesday => Self::Tue,
            Day::Wednesday => Self::Wed,
            Day::Thursday => Self::Thu,
            Day::Friday => Self::Fri,
            Day::Saturday => Self::Sat,
            Day::Sunday => Self::Sun,
        }
    }
}

impl Claims {
    /// Whether the token names a permission, by itself or as `resource.*` or `*`. One that names none may do whatever its
    /// subject may, which is not for the token to say: so it has none by this.
    #[must_use]
    pub fn permits(&self, permission: &str) -> bool {
        self.scopes.permissions.iter().any(|granted| covers(granted, permission))
    }

    /// Whether every text is one that the catalog would write.
    pub(super) fn is_well_written(&self) -> bool {
        let are = |texts: &[String], is: fn(&str) -> bool| texts.iter().all(|text| is(text));
        let is_or_absent =
            |text: &Option<String>, length_max| text.as_deref().is_none_or(|text| is_word(text, length_max));
        is_word(&self.iss, 255)
            && are(&self.aud, |text| is_word(text, 255))
            && is_word(&self.sub, 255)
            && is_or_absent(&self.env, 64)
            && is_word(&self.user.email, 320)
            && is_line(&self.user.full_name, 255)
            && are(self.teams.as_deref().unwrap_or_default(), |text| is_word(text, 128))
            && are(&self.namespaces, |text| is_word(text, 128))
            && is_or_absent(&self.scopes.server_id, 128)
            && are(&self.scopes.permissions, is_permission)
            && are(&self.scopes.ip_restrictions, is_network)
            && self.scopes.time_restrictions.is_well_written()
    }
}

impl Scopes {
    /// What narrows the token, and how it was issued.
    #[must_use]
    pub fn terms(&self, is_out_of_band: bool) -> Terms<'_> {
        Terms {
            permissions: texts(&self.permissions),
            server_id: self.server_id.as_deref(),
            networks: texts(&self.ip_restrictions),
            hours: self.time_restrictions.hours(),
            is_out_of_band,
        }
    }
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

impl TimeRestrictions {
    fn hours(&self) -> Hours<'_> {
        let (start, end) = (self.start_time.as_deref(), self.end_time.as_deref());
        let zone = self.timezone.as_deref();
        Hours {
            is_for_business_hours: self.business_hours_only == Some(true),
            is_for_working_days: self.weekdays_only == Some(true),
            window: start.zip(end).map(|(start, end)| Window { start, end, zone }),
            weekdays: self.days.as_ref().map(|days| days.iter().map(|day| Weekday::from(*day)).collect()),
        }
    }

    fn is_well_written(&self) -> bool {
        let is_time = |time: &Option<String>| time.as_deref().is_none_or(is_time_of_day);
        is_time(&self.start_time)
            && is_time(&self.end_time)
            && self.start_time.is_some() == self.end_time.is_some()
            && self.timezone.as_deref().is_none_or(|zone| self.start_time.is_some() && is_word(zone, 64))
    }
}

fn canonical<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text = String::deserialize(deserializer)?;
    let id = Uuid::try_parse(&text).ok();
    let canonical = id.filter(|id| *id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *text);
    canonical.ok_or_else(|| serde::de::Error::custom("jti is not a canonical lower-case UUID"))
}

/// Tells a member that is `null` from one that is not there, which would be an error.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Option::deserialize(deserializer)
}
