//! `[status-lists]`: which tokens get an entry in a status list.

use serde::Deserialize;
use toml::Spanned;

use super::{Contradiction, Seconds};
use crate::{
    app::fetch,
    domain::status_list::{StatusListRules, TTL_SECONDS_DEFAULT},
};

/// The longest URL, in bytes: every token carries it.
const URL_BYTES_MAX: usize = 200;
/// A list is made once a second at most, and at half of this age: less could not be kept.
const TTL_SECONDS_MIN: u32 = 10;
/// For so long a token may be used after its revocation, where nobody fetches more often.
const TTL_SECONDS_MAX: u32 = 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Lists {
    url: Spanned<String>,
    ttl: Option<Spanned<Seconds>>,
}

/// The rules, if every value is one that can be kept.
pub(super) fn rules(lists: &Lists) -> Result<StatusListRules, Contradiction> {
    let at = lists.url.span();
    let wrong = |what: &str| Contradiction { at: at.clone(), what: format!("status-lists.url: {what}") };
    let url = lists.url.get_ref().trim_end_matches('/');
    let address = fetch::checked(url).map_err(|error| wrong(&error.to_string()))?;
    if address.query().is_some() || address.fragment().is_some() {
        return Err(wrong("the identifier of a list is put behind it, so it ends with its path"));
    }
    if url.len() > URL_BYTES_MAX {
        return Err(wrong(&format!("{} bytes exceed the maximum of {URL_BYTES_MAX}", url.len())));
    }
    let ttl_seconds = match &lists.ttl {
        None => TTL_SECONDS_DEFAULT,
        Some(ttl) if (TTL_SECONDS_MIN..=TTL_SECONDS_MAX).contains(&ttl.get_ref().0) => ttl.get_ref().0,
        Some(ttl) => {
            let what = format!(
                "status-lists.ttl of {} s is not between {TTL_SECONDS_MIN} s and {TTL_SECONDS_MAX} s",
                ttl.get_ref().0
            );
            return Err(Contradiction { at: ttl.span(), what });
        }
    };
    Ok(StatusListRules { url: url.to_owned(), ttl_seconds })
}
