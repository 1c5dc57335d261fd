//! A client's name and secret in HTTP Basic (RFC 7617), each written as in a form (RFC 6749 section 2.3.1).

use base64::{Engine, engine::general_purpose::STANDARD};
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

/// `application/x-www-form-urlencoded`: `+` is a space, `%` comes before two hexadecimal digits.
fn form_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? * 16 + digit(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
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
    }

    #[test]
    fn rfc_7617_section_2_the_first_colon_ends_the_name() {
        assert_eq!(parts("edge:a:b"), Some(pair("edge", "a:b")));
        assert_eq!(parts(":"), Some(pair("", "")));
        assert_eq!(parts("edge"), None);
    }

    #[test]
    fn what_has_not_the_form_is_no_credential() {
        for text in ["edge:%", "edge:%2", "edge:%zz", "edge:%+1", "edge:%ff"] {
            assert_eq!(parts(text), None, "{text}");
        }
        for credentials in ["", "ZWRnZTphYg", "ZWRnZTphYg==x", "ZWRnZTph Yg==", "ZWRnZTph\u{e9}"] {
            assert!(read(credentials).is_none(), "{credentials}");
        }
        assert!(read(&STANDARD.encode([b'a', b':', 0xff])).is_none());
    }
}
