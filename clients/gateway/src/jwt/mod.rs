//! Strict verification of the catalog's tokens (RFC 8725, RFC 9068) against its keys.
//!
//! A good signature says that the holder of a key has signed, and nothing else. Whether the token was revoked since, a
//! [`crate::RevocationSet`] says, and whether it was ever issued, the catalog alone.
//!
//! ```
//! use catalog_gateway::{Now, jwt::{Invalid, KeySet, Rules}};
//! # use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
//! # use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
//! # // What a catalog publishes, and a token of it.
//! # let pair = Ed25519KeyPair::generate()?;
//! # let x = URL_SAFE_NO_PAD.encode(pair.public_key());
//! # let jwk_set = serde_json::json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig", "kid": "k1"}]});
//! # let iat = Now::read().wall().timestamp();
//! # let claims = serde_json::json!({
//! #     "iss": "https://tokens.example.com", "aud": ["gateway"], "sub": "alice@example.com", "client_id": "catalog",
//! #     "jti": "0197f3a0-5b1c-7c3e-8d4f-0123456789ab", "iat": iat, "exp": iat + 60, "scope": "tools.read", "token_use": "api",
//! #     "user": {"email": "alice@example.com", "full_name": "Alice", "is_admin": false, "auth_provider": "api_token"},
//! #     "teams": ["red"], "namespaces": [], "scopes": {"server_id": null, "permissions": ["tools.read"], "ip_restrictions": [],
//! #     "time_restrictions": {}, "usage_limits": {}}
//! # });
//! # let [header, payload] = [serde_json::json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "k1"}), claims]
//! #     .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
//! # let signature = URL_SAFE_NO_PAD.encode(pair.sign(format!("{header}.{payload}").as_bytes()));
//! # let token = format!("{header}.{payload}.{signature}");
//!
//! // Without I/O. A `Verifier` does the same and asks the catalog for its keys, when it needs them.
//! let keys = KeySet::of_jwks(jwk_set.to_string().as_bytes())?;
//! let rules = Rules { issuer: "https://tokens.example.com".to_owned(), audience: "gateway".to_owned() };
//!
//! let verified = rules.verify(&token, &keys, Now::read().wall())?;
//! assert_eq!(verified.claims.sub, "alice@example.com");
//! assert!(verified.claims.permits("tools.read") && !verified.claims.permits("tools.write"));
//!
//! let elsewhere = Rules { audience: "another gateway".to_owned(), ..rules };
//! assert_eq!(elsewhere.verify(&token, &keys, Now::read().wall()), Err(Invalid::Audience));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod claims;
mod jwks;
mod key;
mod remember;
mod set;
mod text;
mod verify;

pub use claims::{AuthProvider, Claims, Day, Scopes, TimeRestrictions, TokenUse, UsageLimits, User};
pub use jwks::{KeysUnavailable, Verifier, VerifyError};
pub use key::{Algorithm, Secret, WeakSecret};
pub use set::{KeySet, KeySetError};
pub use verify::{Invalid, Rules, Verified};
#[cfg(feature = "judge")]
pub(crate) use verify::{names, sha256};
