//! With what this process signs. There is no flag for a secret: other users can read a process's arguments.

use secrecy::SecretString;

use super::{ConfigError, Variables, identity};
use crate::{app::SigningKey, cli::GlobalArgs, domain::key::Algorithm, signing::SharedSecret};

/// The environment that `ContextForge` assumes when none is named.
pub(super) const ENVIRONMENT_DEFAULT: &str = "development";

/// With what this process was told to sign.
pub struct Signing {
    /// The key.
    pub key: SigningKey,
    /// The algorithm, if it was told.
    pub alg: Option<Algorithm>,
}

/// The signing key that the variables name.
///
/// # Errors
/// [`ConfigError`].
pub fn signing(global: &GlobalArgs, variables: &Variables) -> Result<Signing, ConfigError> {
    let alg: Option<Algorithm> = variables.setting(None, &["CATALOG_ALGORITHM", "JWT_ALGORITHM"])?;
    let private = variables.path("JWT_PRIVATE_KEY_PATH");
    let has_secret = variables.raw("JWT_SECRET_KEY").is_some();
    let key = match (alg, private) {
        (Some(Algorithm::Hs256), _) => SigningKey::Secret(secret(global, variables)?),
        // The gateway signs with the secret unless it is told another algorithm.
        (None, _) if has_secret => SigningKey::Secret(secret(global, variables)?),
        (alg, Some(private)) => SigningKey::File { private, public: variables.path("JWT_PUBLIC_KEY_PATH"), alg },
        (alg, None) => SigningKey::FromLog(alg.unwrap_or(Algorithm::EdDsa)),
    };
    Ok(Signing { key, alg })
}

/// The secret that is shared with the gateway.
///
/// # Errors
/// [`ConfigError`].
pub fn secret(global: &GlobalArgs, variables: &Variables) -> Result<SharedSecret, ConfigError> {
    let text = variables.text("JWT_SECRET_KEY")?.ok_or(ConfigError::SecretMissing)?;
    let secret = SharedSecret::new(&SecretString::from(text)).map_err(ConfigError::WeakSecret)?;
    if !variables.switch("DERIVE_KEY_PER_ENVIRONMENT")? {
        return Ok(secret);
    }
    let env = identity::env(global, variables)?;
    Ok(secret.derive_for_environment(env.as_ref().map_or(ENVIRONMENT_DEFAULT, |env| env.as_str())))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::variables, *};

    const SECRET: (&str, &str) = ("JWT_SECRET_KEY", "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8");
    const FILE: (&str, &str) = ("JWT_PRIVATE_KEY_PATH", "/k.pem");

    fn chosen(pairs: &[(&str, &str)]) -> Result<String, ConfigError> {
        Ok(match signing(&GlobalArgs::default(), &variables(pairs))?.key {
            SigningKey::FromLog(alg) => format!("generated {alg}"),
            SigningKey::Secret(_) => "secret".to_owned(),
            SigningKey::File { private, alg, .. } => format!("{} {alg:?}", private.display()),
        })
    }

    #[test]
    fn what_signs_follows_from_what_was_given() {
        let rs256 = ("JWT_ALGORITHM", "RS256");

        assert_eq!(chosen(&[]).unwrap(), "generated EdDSA");
        assert_eq!(chosen(&[SECRET]).unwrap(), "secret");
        assert_eq!(chosen(&[SECRET, FILE]).unwrap(), "secret");
        assert_eq!(chosen(&[FILE]).unwrap(), "/k.pem None");
        assert_eq!(chosen(&[SECRET, FILE, rs256]).unwrap(), "/k.pem Some(Rs256)");
        assert_eq!(chosen(&[("CATALOG_ALGORITHM", "ES256")]).unwrap(), "generated ES256");
        assert_eq!(chosen(&[("CATALOG_ALGORITHM", "HS256"), rs256, SECRET]).unwrap(), "secret");
    }

    #[test]
    fn hs256_needs_a_secret_and_a_good_one() {
        let alg = ("JWT_ALGORITHM", "HS256");

        assert!(matches!(chosen(&[alg]), Err(ConfigError::SecretMissing)));
        assert!(matches!(chosen(&[alg, FILE]), Err(ConfigError::SecretMissing)));
        assert!(matches!(chosen(&[("JWT_SECRET_KEY", "my-test-key")]), Err(ConfigError::WeakSecret(_))));
    }

    #[test]
    fn an_unknown_algorithm_is_answered_with_the_known_ones() {
        let error = chosen(&[("JWT_ALGORITHM", "HS384"), SECRET]).unwrap_err();

        assert_eq!(error.to_string(), "JWT_ALGORITHM: 'HS384' is not one of EdDSA, ES256, RS256 and HS256");
    }

    #[test]
    fn each_environment_has_its_own_secret_when_it_is_derived() {
        let kid = |pairs: &[(&str, &str)]| {
            let SigningKey::Secret(secret) = signing(&GlobalArgs::default(), &variables(pairs)).unwrap().key else {
                panic!("no secret")
            };
            let directory = tempfile::tempdir().unwrap();
            let mut keyring = crate::signing::Keyring::open(&directory.path().join("keys")).unwrap();
            keyring.add_secret(secret).unwrap()
        };
        let derive = ("DERIVE_KEY_PER_ENVIRONMENT", "true");

        let plain = kid(&[SECRET, ("ENVIRONMENT", "production")]);
        let development = kid(&[SECRET, derive]);

        assert_eq!(development, kid(&[SECRET, derive, ("ENVIRONMENT", "development")]));
        assert_ne!(development, kid(&[SECRET, derive, ("ENVIRONMENT", "production")]));
        assert_ne!(development, plain);
    }
}
