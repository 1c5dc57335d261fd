//! PEM (RFC 7468), as much of it as key files need: blocks in, one private or public key out.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::error::KeyFault;

/// Characters of base64 in a line, RFC 7468 section 2.
const LINE_LENGTH: usize = 64;

/// One `-----BEGIN label-----` block.
pub(super) struct Block<'a> {
    /// What it says it holds.
    pub(super) label: &'a str,
    base64: Zeroizing<String>,
}

impl Block<'_> {
    /// The bytes inside.
    pub(super) fn der(&self) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        STANDARD.decode(self.base64.as_bytes()).map(Zeroizing::new).map_err(|_| KeyFault::Damaged)
    }
}

/// The one block whose label ends in `suffix`. Others, such as `EC PARAMETERS`, and text between blocks are passed
/// over.
pub(super) fn the_block<'a>(text: &'a str, suffix: &str) -> Result<Block<'a>, KeyFault> {
    let mut found = blocks(text)?.into_iter().filter(|block| block.label.ends_with(suffix));
    match (found.next(), found.next()) {
        (Some(block), None) => Ok(block),
        (Some(_), Some(_)) => Err(KeyFault::Several),
        (None, _) => Err(KeyFault::NoKey),
    }
}

fn blocks(text: &str) -> Result<Vec<Block<'_>>, KeyFault> {
    let mut lines = text.lines().map(str::trim);
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            blocks.push(Block { label, base64: body(&mut lines, label, text.len())? });
        }
    }
    Ok(blocks)
}

fn body<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    label: &str,
    capacity: usize,
) -> Result<Zeroizing<String>, KeyFault> {
    // Room for everything at once: a string that grows leaves a copy behind that nobody overwrites.
    let mut base64 = Zeroizing::new(String::with_capacity(capacity));
    let end = format!("-----END {label}-----");
    for line in lines {
        if line == end {
            return Ok(base64);
        }
        if line.starts_with("Proc-Type:") {
            return Err(KeyFault::LockUnknown);
        }
        base64.push_str(line);
    }
    Err(KeyFault::Damaged)
}

/// A PKCS#8 private key as PEM.
pub(super) fn private_key(pkcs8: &[u8]) -> Zeroizing<String> {
    block("PRIVATE KEY", pkcs8)
}

/// A locked one.
pub(super) fn locked_key(pkcs8: &[u8]) -> Zeroizing<String> {
    block("ENCRYPTED PRIVATE KEY", pkcs8)
}

fn block(label: &str, der: &[u8]) -> Zeroizing<String> {
    let mut base64 = Zeroizing::new(String::with_capacity(der.len().div_ceil(3) * 4));
    STANDARD.encode_string(der, &mut base64);
    let mut text = Zeroizing::new(String::with_capacity(2 * base64.len() + 128));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    for line in base64.as_bytes().chunks(LINE_LENGTH) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<KeyFault> {
        the_block(text, "PRIVATE KEY").and_then(|block| block.der().map(|_| ())).err()
    }

    #[test]
    fn what_is_written_reads_back() {
        for length in [0, 1, 2, 3, 47, 48, 49, 1_000] {
            let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap_or_default()).collect();
            let text = private_key(&bytes);

            let block = the_block(&text, "PRIVATE KEY").expect("one block");

            assert_eq!(*block.der().expect("base64"), bytes);
            assert!(text.lines().all(|line| line.len() <= LINE_LENGTH));
        }
    }

    #[test]
    fn a_file_holds_exactly_one_whole_key_in_the_clear() {
        let key = private_key(b"key");

        assert_eq!(fault(""), Some(KeyFault::NoKey));
        assert_eq!(fault("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), Some(KeyFault::NoKey));
        assert_eq!(fault(&format!("{}{}", *key, *key)), Some(KeyFault::Several));
        assert_eq!(fault(key.trim_end_matches("-----END PRIVATE KEY-----\n")), Some(KeyFault::Damaged));
        assert_eq!(fault(&key.replace("a2V5", "a2V*")), Some(KeyFault::Damaged));
        assert_eq!(fault(&key.replace("a2V5", "Proc-Type: 4,ENCRYPTED")), Some(KeyFault::LockUnknown));
        assert_eq!(fault(&format!("a note\r\n{}", key.replace('\n', "\r\n"))), None);
    }
}
