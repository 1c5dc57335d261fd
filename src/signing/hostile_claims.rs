//! Properly signed claims that lie, each in its own way, and what verification says of each.

use serde_json::{Value, json};

use super::{
    IAT_AHEAD_SECONDS_MAX, Invalid, LastPresented, PresentedToken,
    fixtures::{Bench, JTI, NOW, at, base64url, header, issuer, payload, verdict, verify},
};
use crate::domain::text::Issuer;

/// The claims with the member at a pointer replaced.
fn with(pointer: &str, value: Value) -> String {
    let mut payload = payload();
    *payload.pointer_mut(pointer).expect("a member") = value;
    payload.to_string()
}

/// Every object of the claims, and the whole.
const OBJECTS: [&str; 7] =
    ["", "/user", "/scopes", "/scopes/time_restrictions", "/scopes/usage_limits", "/status", "/status/status_list"];

/// The claims with text put at the end of the object at a pointer.
fn with_appended(pointer: &str, member: &str) -> String {
    let payload = payload();
    let object = payload.pointer(pointer).expect("an object").to_string();
    let longer = format!("{},{member}}}", object.strip_suffix('}').expect("an object"));
    payload.to_string().replace(&object, &longer)
}

fn members(pointer: &str) -> Vec<(String, Value)> {
    let payload = payload();
    let object = payload.pointer(pointer).and_then(Value::as_object).expect("an object");
    object.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[test]
fn no_object_of_the_claims_takes_an_unknown_member() {
    for object in OBJECTS {
        for member in
            [r#""zz":1"#, r#""nbf":0"#, r#""":null"#, r#""ISS":"https://tokens.example""#, r#""is_admin ":true"#]
        {
            assert_eq!(verdict(&with_appended(object, member)), Err(Invalid::Claims), "{object} {member}");
        }
    }
}

#[test]
fn rfc_7519_section_4_no_object_of_the_claims_takes_a_member_twice() {
    for object in OBJECTS {
        for (name, value) in members(object) {
            let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
            for twice in [format!(r#""{name}":{value}"#), format!(r#""{escaped}":{value}"#)] {
                assert_eq!(verdict(&with_appended(object, &twice)), Err(Invalid::Claims), "{object}/{twice}");
            }
        }
    }
}

#[test]
fn each_claim_is_needed_but_those_that_are_written_only_where_there_is_something_to_say() {
    for object in OBJECTS {
        for (name, _) in members(object) {
            let pointer = format!("{object}/{name}");
            let mut payload = payload();
            payload.pointer_mut(object).and_then(Value::as_object_mut).expect("an object").remove(&name);

            let optional = [
                "/scope",
                "/env",
                "/scopes/time_restrictions/business_hours_only",
                "/scopes/time_restrictions/weekdays_only",
                "/scopes/time_restrictions/timezone",
                "/scopes/time_restrictions/days",
                "/scopes/usage_limits/requests_per_hour",
                "/scopes/usage_limits/requests_per_day",
                "/status",
            ];
            let expected = if optional.contains(&pointer.as_str()) { Ok(()) } else { Err(Invalid::Claims) };
            assert_eq!(verdict(&payload.to_string()), expected, "{pointer}");
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn each_claim_has_its_one_type() {
    let others = || {
        [
            json!(null),
            json!(true),
            json!(7),
            json!(7.5),
            json!("x"),
            json!([]),
            json!([[]]),
            json!({}),
            json!({"api": null}),
        ]
    };
    let may_be_null = ["/teams", "/scopes/server_id"];
    for object in OBJECTS {
        for (name, own) in members(object) {
            let pointer = format!("{object}/{name}");
            for other in others().into_iter().filter(|other| kind(other) != kind(&own)) {
                let expected = if other.is_null() && may_be_null.contains(&pointer.as_str()) {
                    Ok(())
                } else {
                    Err(Invalid::Claims)
                };
                assert_eq!(verdict(&with(&pointer, other.clone())), expected, "{pointer} {other}");
            }
        }
    }
}

#[test]
fn rfc_8725_section_3_7_header_and_claims_are_utf_8() {
    let bench = Bench::get();
    let (head, body) = (header("EdDSA", &bench.eddsa), payload().to_string());
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    let latin_1 =
        body.replacen("tokens", "t\u{f6}kens", 1).chars().map(|c| u8::try_from(c).expect("a byte")).collect::<Vec<_>>();
    let sealed =
        |head: &[u8], body: &[u8]| bench.seal(&bench.eddsa, &format!("{}.{}", base64url(head), base64url(body)));

    assert!(verify(&sealed(head.as_bytes(), body.as_bytes())).is_ok());
    for lie in [utf_16(&body), latin_1, [b"\xef\xbb\xbf", body.as_bytes()].concat()] {
        assert_eq!(verify(&sealed(head.as_bytes(), &lie)), Err(Invalid::Claims));
    }
    assert_eq!(verify(&sealed(&utf_16(&head), body.as_bytes())), Err(Invalid::Foreign));
}

#[test]
fn claims_are_one_object_and_nothing_around_it() {
    let nested = Bench::get().token(&payload().to_string());
    for lie in [
        "",
        "null",
        "[]",
        "{}",
        "\"\"",
        &format!("[{}]", payload()),
        &format!("{}{}", payload(), payload()),
        &format!("{}x", payload()),
        &format!("{},", payload()),
        &format!("\u{feff}{}", payload()),
        &nested,
        &format!("\"{nested}\""),
        &json!(members("").into_iter().map(|(_, value)| value).collect::<Vec<_>>()).to_string(),
    ] {
        let expected = if lie.is_empty() { Invalid::Parts } else { Invalid::Claims };
        assert_eq!(verdict(lie), Err(expected), "{lie}");
    }
    assert_eq!(verdict(&payload().to_string().replace("Alice", "\\ud800")), Err(Invalid::Claims));
    assert_eq!(verdict(&payload().to_string().replace("Alice", "A\\u202elice")), Err(Invalid::Claims));
    assert_eq!(verdict(&with("/scopes/ip_restrictions", json!(["10.1.2.3/8"]))), Err(Invalid::Claims));
}

#[test]
fn instants_are_whole_numbers_of_64_bits() {
    let exp = |number: &str| verdict(&payload().to_string().replace(&(NOW + 3_600).to_string(), number));
    let iat = |number: &str| verdict(&payload().to_string().replace(&NOW.to_string(), number));
    let jti = JTI.parse().expect("a uuid");

    for lie in [
        "1800003600.0",
        "1.8000036e9",
        "1e400",
        "-0",
        "9223372036854775808",
        "-9223372036854775809",
        "0x7fffffff",
        "01800003600",
        "+1800003600",
        "\"1800003600\"",
        "NaN",
        "Infinity",
        "null",
        "[1800003600]",
    ] {
        assert_eq!(exp(lie), Err(Invalid::Claims), "{lie}");
        assert_eq!(iat(lie), Err(Invalid::Claims), "{lie}");
    }
    assert_eq!(exp("-1"), Err(Invalid::Expired { jti, exp: -1 }));
    assert_eq!(exp("-9223372036854775808"), Err(Invalid::Expired { jti, exp: i64::MIN }));
    assert_eq!(iat("9223372036854775807"), Err(Invalid::IssuedInFuture { iat: i64::MAX }));
}

#[test]
fn rfc_7519_section_4_1_4_a_token_lives_until_the_second_before_exp() {
    let bench = Bench::get();
    let token = bench.token(&payload().to_string());
    let verify = |seconds| bench.verifier().verify(&token, &issuer(), at(seconds)).map(|_| ());
    let expired = Err(Invalid::Expired { jti: JTI.parse().expect("a uuid"), exp: NOW + 3_600 });

    assert_eq!(verify(NOW + 3_599), Ok(()));
    assert_eq!(verify(NOW + 3_600), expired);
    assert_eq!(verify(NOW + 3_601), expired);
    let last = at(NOW + 3_600) - chrono::TimeDelta::nanoseconds(1);
    assert!(bench.verifier().verify(&token, &issuer(), last).is_ok());
}

#[test]
fn a_token_that_was_good_before_is_judged_by_the_clock_and_the_issuer_again() {
    let bench = Bench::get();
    let token = bench.token(&payload().to_string());
    for connection in [None, Some(LastPresented::default())] {
        let verifier = bench.verifier();
        let presented = || match &connection {
            Some(connection) => connection.now(&token),
            None => PresentedToken::from(&token),
        };
        let verify = |seconds| verifier.verify(presented(), &issuer(), at(seconds)).map(|_| ());
        assert_eq!(verify(NOW), Ok(()));
        assert_eq!(presented().is_known(), connection.is_some());

        let elsewhere = Issuer::parse("mcpgateway").expect("an issuer");
        assert_eq!(verifier.verify(presented(), &elsewhere, at(NOW)), Err(Invalid::Issuer));
        assert!(matches!(verify(NOW + 3_600), Err(Invalid::Expired { .. })));
        assert!(matches!(verify(NOW - 6), Err(Invalid::IssuedInFuture { .. })));
        assert_eq!(verify(NOW + 3_599), Ok(()));
    }
}

#[test]
fn of_a_token_that_was_good_before_no_other_text_is_good() {
    let bench = Bench::get();
    let token = bench.token(&payload().to_string());
    let verifier = bench.verifier();
    let verify = |text: &str| verifier.verify(text, &issuer(), at(NOW)).map(|_| ());
    assert_eq!(verify(&token), Ok(()));

    for index in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[index] = if other[index] == b'A' { b'B' } else { b'A' };
        assert!(verify(&String::from_utf8_lossy(&other)).is_err(), "{index}");
    }
    assert_eq!(verify(&token), Ok(()));
}

#[test]
fn an_iat_lies_at_most_five_seconds_ahead() {
    let iat = |ahead: i64| verdict(&with("/iat", json!(NOW + ahead)));

    assert_eq!(iat(IAT_AHEAD_SECONDS_MAX), Ok(()));
    assert_eq!(iat(5), Ok(()));
    assert_eq!(iat(6), Err(Invalid::IssuedInFuture { iat: NOW + 6 }));
}

#[test]
fn rfc_8725_section_3_8_issuer_client_and_audience_are_compared_exactly() {
    for iss in [
        "https://tokens.example/",
        "https://TOKENS.example",
        "http://tokens.example",
        "tokens.example",
        "https://tokens.example.evil",
    ] {
        assert_eq!(verdict(&with("/iss", json!(iss))), Err(Invalid::Issuer), "{iss}");
    }
    for client in ["Catalog", "catalog ", "", "cli"] {
        assert_eq!(verdict(&with("/client_id", json!(client))), Err(Invalid::ClientId), "{client}");
    }
    assert_eq!(verdict(&with("/aud", json!([]))), Err(Invalid::Audience));
    assert_eq!(verdict(&with("/aud", json!("gateway"))), Err(Invalid::Claims));
    assert_eq!(verdict(&with("/aud", json!(["gateway", 1]))), Err(Invalid::Claims));
    let bench = Bench::get();
    let elsewhere = Issuer::parse("mcpgateway").expect("an issuer");
    let verdict = bench.verifier().verify(&bench.token(&payload().to_string()), &elsewhere, at(NOW));
    assert_eq!(verdict, Err(Invalid::Issuer));
}

#[test]
fn a_jti_has_one_spelling() {
    for jti in [
        JTI.to_uppercase(),
        JTI.replace('-', ""),
        format!("{{{JTI}}}"),
        format!("urn:uuid:{JTI}"),
        format!("{JTI} "),
        JTI[..35].to_owned(),
        JTI.replace('a', "g"),
        String::new(),
    ] {
        assert_eq!(verdict(&with("/jti", json!(jti))), Err(Invalid::Claims), "{jti}");
    }
}

#[test]
fn words_that_we_never_write_are_refused() {
    for (pointer, word) in [
        ("/token_use", "session"),
        ("/token_use", "API"),
        ("/user/auth_provider", "cli"),
        ("/user/auth_provider", "local"),
        ("/scopes/time_restrictions/timezone", "Mars/Olympus"),
        ("/scopes/time_restrictions/start_time", "9:00"),
    ] {
        assert_eq!(verdict(&with(pointer, json!(word))), Err(Invalid::Claims), "{pointer} {word}");
    }
    assert_eq!(verdict(&with("/scopes/permissions", json!(["TOOLS.READ"]))), Err(Invalid::Claims));
    assert_eq!(verdict(&with("/scopes/usage_limits/requests_per_hour", json!(0))), Err(Invalid::Claims));
    assert_eq!(verdict(&with("/teams", json!([{"id": "red", "name": "Red"}]))), Err(Invalid::Claims));
}
