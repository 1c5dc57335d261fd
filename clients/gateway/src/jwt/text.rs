//! What the texts in a token look like. The catalog writes no other, so any other is not of its making.

use std::net::IpAddr;

/// One identifier: no white space, nothing that deceives a reader.
pub(super) fn is_word(text: &str, length_max: usize) -> bool {
    is_line(text, length_max) && !text.contains(char::is_whitespace)
}

/// One line: spaces inside, none at the ends.
pub(super) fn is_line(text: &str, length_max: usize) -> bool {
    let length = text.chars().count();
    (1..=length_max).contains(&length) && text.trim() == text && !text.contains(deceives)
}

/// Dotted lower-case words, of which the last may be `*`.
pub(super) fn is_permission(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
    };
    let (rest, last) = text.rsplit_once('.').map_or((None, text), |(rest, last)| (Some(rest), last));
    text.len() <= 128 && (last == "*" || is_part(last)) && rest.is_none_or(|rest| rest.split('.').all(is_part))
}

/// An address or a network in CIDR notation, in its one spelling.
pub(super) fn is_network(text: &str) -> bool {
    let is_canonical = |address: &IpAddr, text: &str| address.to_string() == text;
    let Some((address, length)) = text.split_once('/') else {
        return text.parse().is_ok_and(|address| is_canonical(&address, text));
    };
    let (Ok(parsed), Ok(bits)) = (address.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    let has_no_host = match parsed {
        IpAddr::V4(v4) => bits <= 32 && v4.to_bits().checked_shl(bits).unwrap_or(0) == 0,
        IpAddr::V6(v6) => bits <= 128 && v6.to_bits().checked_shl(bits).unwrap_or(0) == 0,
    };
    has_no_host && is_canonical(&parsed, address) && bits.to_string() == length
}

/// `HH:MM`.
pub(super) fn is_time_of_day(text: &str) -> bool {
    let number = |part: &str, below: u8| {
        part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u8>().is_ok_and(|n| n < below)
    };
    text.split_once(':').is_some_and(|(hours, minutes)| number(hours, 24) && number(minutes, 60))
}

/// Control characters, line separators, bidirectional controls, invisible and tag characters.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061C}' | '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180E}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_lines_have_a_length_and_show_all_that_they_say() {
        assert!(is_word("alice@example.com", 17) && !is_word("alice@example.com", 16) && !is_word("", 9));
        assert!(is_line("Alice Smith", 20) && !is_word("Alice Smith", 20) && !is_line(" Alice", 20));
        for deceiving in ["a\u{0}", "a\n", "a\u{202e}b", "\u{200b}", "\u{e0041}"] {
            assert!(!is_line(deceiving, 20), "{deceiving:?}");
        }
    }

    #[test]
    fn permissions_are_dotted_words() {
        for good in ["*", "tools.*", "tools.read", "a-b.c_d.e1"] {
            assert!(is_permission(good), "{good}");
        }
        for bad in ["", ".", "tools.", ".read", "*.read", "Tools.read", "tools..read", "tools.r*", "a b"] {
            assert!(!is_permission(bad), "{bad}");
        }
    }

    #[test]
    fn networks_have_one_spelling() {
        for good in ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "::1", "2001:db8::/32", "::/0", "::1/128"] {
            assert!(is_network(good), "{good}");
        }
        for bad in
            ["", "x", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "2001:DB8::1", "::1/129", "1.2.3"]
        {
            assert!(!is_network(bad), "{bad}");
        }
    }

    #[test]
    fn a_time_of_day_is_one() {
        assert!(is_time_of_day("00:00") && is_time_of_day("23:59"));
        for bad in ["24:00", "9:00", "09:60", "09:5", " 9:00", "+9:00", "09-00", ""] {
            assert!(!is_time_of_day(bad), "{bad}");
        }
    }
}
