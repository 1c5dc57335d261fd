//! A client's name and secret in HTTP Basic (RFC 7617), each written as in a form (RFC 6749 section 2.3.1).

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// A name and a secret as they were presented.
pub(super) struct NameAndSecret {
    /// The name.
    pub(super) name: String,
    /// The secret.
    pub(super) secret: Zeroizing<String>,
}

/// What comes after the scheme; `None` when it has not the form.
pub(super) fn read(credentials: &str) -> Option<NameAndSecret> {
    let bytes = Zeroizing::new(STANDARD.decode(credentials).ok()?);
    let (name, secret) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some(NameAndSecret { name: form_decoded(name)?, secret: Zeroizing::new(form_decoded(secret)?) })
}

/// `application/x-www-form-urlencoded`: `+` is a space, `%` comes before two hexadecimal digits, and else stands for itself.
fn form_decoded(text: &str) -> Option<String> {
    let spaced = Zeroizing::new(text.replace('+', " "));
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, String)> {
        read(&STANDARD.encode(text)).map(|read| (read.name, read.secret.to_string()))
    }

    fn pair(name: &str, secret: &str) -> (String, String) {
        (name.to_owned(), secret.to_owned())
    }

    #[test]
    fn rfc_6749_section_2_3_1_name_and_secret_are_written_as_in_a_form() {
        assert_eq!(parts("edge:secret"), Some(pair("edge", "secret")));
        assert_eq!(parts("edge%2Dgateway:catsec%5Fa%2db"), Some(pair("edge-gateway", "catsec_a-b")));
        assert_eq!(parts("a+b:%C3%A9%3A%2B"), Some(pair("a b", "é:+")));
        assert_eq!(parts("edge:50%,%zz%2"), Some(pair("edge", "50%,%zz%2")), "a sign that begins nothing is itself");
    }

    #[test]
    fn rfc_7617_section_2_the_first_colon_ends_the_name() {
        assert_eq!(parts("edge:a:b"), Some(pair("edge", "a:b")));
        assert_eq!(parts(":"), Some(pair("", "")));
        assert_eq!(parts("edge"), None);
    }

    #[test]
    fn what_has_not_the_form_is_no_credential() {
        assert_eq!(parts("edge:%ff"), None, "no UTF-8");
        for credentials in ["", "ZWRnZTphYg", "ZWRnZTphYg==x", "ZWRnZTph Yg==", "ZWRnZTph\u{e9}"] {
            assert!(read(credentials).is_none(), "{credentials}");
        }
        assert!(read(&STANDARD.encode([b'a', b':', 0xff])).is_none());
    }
}
