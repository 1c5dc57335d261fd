//! In which form a request wants its answer.

use axum::http::{HeaderMap, HeaderName, header};

/// Whether `Accept` names a media type, in whichever case, and does not forbid it (RFC 9110 section 12.5.1). Wildcards are not
/// looked at.
pub(super) fn names(headers: &HeaderMap, essence: &str) -> bool {
    first_of(&offers(headers, &header::ACCEPT), &[essence])
}

/// Whether `Accept` takes a media type, by name or by wildcard; the narrowest range counts. Without the header any is
/// taken (RFC 9110 section 12.5.1).
pub(super) fn takes(headers: &HeaderMap, essence: &str) -> bool {
    if !headers.contains_key(header::ACCEPT) {
        return true;
    }
    let kind = essence.split('/').next().unwrap_or_default();
    first_of(&offers(headers, &header::ACCEPT), &[essence, &format!("{kind}/*"), "*/*"])
}

/// Whether `Accept-Encoding` names gzip, or anything, and does not forbid it (RFC 9110 section 12.5.3).
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    first_of(&offers(headers, &header::ACCEPT_ENCODING), &["gzip", "*"])
}

/// What is said of the first of these names of which anything is.
fn first_of(offers: &[(&str, bool)], names: &[&str]) -> bool {
    let said = |name: &&str| offers.iter().find(|(offered, _)| offered.eq_ignore_ascii_case(name));
    names.iter().find_map(said).is_some_and(|(_, takes)| *takes)
}

/// The names of a header, each with whether its weight is above zero.
fn offers<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<(&'a str, bool)> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(offer).collect()
}

fn offer(text: &str) -> (&str, bool) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok());
    (name, weight.is_some_and(|weight| weight > 0.0))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_sent_only_to_whoever_takes_it() {
        let takes =
            |value| takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]));

        for value in ["gzip", "br, gzip", "GZIP;q=0.1", "*", "deflate, *;q=0.5", "gzip;q=1, *;q=0"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, *", "*;q=0", "gzip;q=x", "x-gzip"] {
            assert!(!takes(value), "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_media_type_is_named_in_any_case_and_not_by_who_forbids_it() {
        let names = |value| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
            names(&headers, "text/event-stream")
        };

        for value in [
            "text/event-stream",
            "TEXT/EVENT-STREAM",
            "application/json, Text/Event-Stream;q=0.001",
            "text/event-stream; charset=utf-8; q=1",
        ] {
            assert!(names(value), "{value}");
        }
        for value in
            ["", "*/*", "text/*", "text/event-stream;q=0", "text/event-stream; q=0.000, */*", "text/event-streams"]
        {
            assert!(!names(value), "{value}");
        }
        assert!(!super::names(&HeaderMap::new(), "text/event-stream"));
    }

    #[test]
    fn a_media_type_is_sent_only_to_whoever_takes_it() {
        let takes = |value| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
            takes(&headers, "application/statuslist+jwt")
        };

        for value in [
            "application/statuslist+jwt",
            "APPLICATION/StatusList+JWT;v=1;q=0.1",
            "application/statuslist+cwt, application/statuslist+jwt;q=0.9",
            "text/html, application/*;q=0.2",
            "*/*",
            "application/*;q=0, application/statuslist+jwt",
        ] {
            assert!(takes(value), "{value}");
        }
        for value in [
            "",
            "application/statuslist+cwt",
            "application/jwt, text/*",
            "application/statuslist+jwt;q=0, */*",
            "application/*;q=0, */*",
        ] {
            assert!(!takes(value), "{value}");
        }
        assert!(super::takes(&HeaderMap::new(), "application/statuslist+jwt"));
    }
}
