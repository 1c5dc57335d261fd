//! A thief of a key: signs whatever it is given, with the private half that it read from the disk.

use std::path::Path;

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaEncoding,
        RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use catalog::domain::key::{Algorithm, KeyRecord};
use serde_json::Value;

/// One key of the log in the wrong hands.
pub struct Forger {
    pub kid: String,
    pub alg: &'static str,
    /// What the world knows of the key; null for a shared secret.
    pub jwk: Value,
    pub key: Key,
}

pub enum Key {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    Hs256(Box<hmac::Key>),
}

impl Forger {
    /// The thief of a key file.
    pub fn of_file(record: &KeyRecord, directory: &Path) -> Self {
        let pem = std::fs::read_to_string(directory.join(format!("{}.pem", record.kid))).unwrap();
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(base64).unwrap();
        Self::new(
            record,
            match record.alg {
                Algorithm::EdDsa => Key::EdDsa(Ed25519KeyPair::from_pkcs8(&der).unwrap()),
                Algorithm::Es256 => {
                    Key::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap())
                }
                Algorithm::Rs256 => Key::Rs256(RsaKeyPair::from_pkcs8(&der).unwrap()),
                Algorithm::Hs256 => panic!("a shared secret is in no file"),
            },
        )
    }

    /// One of those who know the shared secret.
    pub fn of_secret(record: &KeyRecord, secret: &[u8]) -> Self {
        Self::new(record, Key::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))))
    }

    fn new(record: &KeyRecord, key: Key) -> Self {
        let jwk = serde_json::to_value(&record.jwk).unwrap();
        Self { kid: record.kid.to_string(), alg: record.alg.as_str(), jwk, key }
    }

    /// A header of our making.
    pub fn header(&self) -> String {
        format!(r#"{{"typ":"at+jwt","alg":"{}","kid":"{}"}}"#, self.alg, self.kid)
    }

    /// A token of these two, signed.
    pub fn token(&self, header: &str, payload: &str) -> String {
        self.seal(&format!("{}.{}", base64url(header), base64url(payload)))
    }

    /// Parts that are encoded already, signed.
    pub fn seal(&self, signing_input: &str) -> String {
        format!("{signing_input}.{}", base64url(self.sign(signing_input.as_bytes())))
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Key::Es256(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Key::Rs256(key) => rsa(key, &RSA_PKCS1_SHA256, message),
            Key::Hs256(key) => hmac::sign(key, message).as_ref().to_vec(),
        }
    }

    /// What is public of the key, in every spelling that a careless verifier might take for a shared secret.
    pub fn public_spellings(&self) -> Vec<Vec<u8>> {
        let (raw, spki) = match &self.key {
            Key::EdDsa(key) => (key.public_key().as_ref().to_vec(), spki(key.public_key())),
            Key::Es256(key) => (key.public_key().as_ref().to_vec(), spki(key.public_key())),
            Key::Rs256(key) => (key.public_key().as_ref().to_vec(), spki(key.public_key())),
            Key::Hs256(_) => return vec![Vec::new(), b"secret".to_vec(), self.kid.clone().into_bytes()],
        };
        let lines: Vec<String> = STANDARD.encode(&spki).as_bytes().chunks(64).map(text).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
        let mut published = self.jwk.clone();
        for (member, value) in [("alg", self.alg), ("kid", &self.kid), ("use", "sig")] {
            published[member] = value.into();
        }
        let parts = ["x", "n"].into_iter().filter_map(|member| self.jwk[member].as_str());
        let mut spellings = vec![
            format!("{pem}\n").into_bytes(),
            pem.replace('\n', "\r\n").into_bytes(),
            pem.into_bytes(),
            STANDARD.encode(&spki).into_bytes(),
            spki,
            raw,
            self.jwk.to_string().into_bytes(),
            published.to_string().into_bytes(),
            self.kid.clone().into_bytes(),
            Vec::new(),
        ];
        for part in parts {
            spellings.extend([part.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(part).unwrap()]);
        }
        spellings
    }
}

pub fn rsa(key: &RsaKeyPair, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn spki<'a, Key: AsDer<aws_lc_rs::encoding::PublicKeyX509Der<'a>>>(key: &Key) -> Vec<u8> {
    key.as_der().unwrap().as_ref().to_vec()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
