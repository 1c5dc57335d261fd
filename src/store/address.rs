//! The address of a database that somebody else runs.

use std::{fmt, str::FromStr};

use sqlx::postgres::PgConnectOptions;

/// A `postgres://` URL. It may hold a password, which neither its text nor its errors show.
#[derive(Clone)]
pub struct Address(PgConnectOptions);

/// Why a text is not such an address. The text itself is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("is not a URL that begins with postgres:// or postgresql://")]
    Scheme,
    /// A part that does not parse.
    #[error("is not the URL of a database")]
    Form(#[source] sqlx::Error),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(AddressError::Scheme);
        }
        text.parse().map(Self).map_err(AddressError::Form)
    }
}

impl From<Address> for PgConnectOptions {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.0;
        write!(f, "postgres://{}@", options.get_username())?;
        match options.get_socket() {
            Some(socket) => write!(f, "{}", socket.display())?,
            None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
        }
        // As in libpq, the database is by default named after the user.
        write!(f, "/{}", options.get_database().unwrap_or_else(|| options.get_username()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_an_address_shows_its_password() {
        let address: Address = "postgres://u:hunter2@db.example:5433/name?sslmode=require".parse().unwrap();

        assert_eq!(address.to_string(), "postgres://u@db.example:5433/name");
        assert!(!format!("{address:?}").contains("hunter2"));
    }

    #[test]
    fn no_error_shows_the_password() {
        for text in
            ["mysql://u:hunter2@h/d", "hunter2", "postgres://u:hunter2@h:99999/d", "postgres://u:hunter2@h/d?sslmode=x"]
        {
            let error = text.parse::<Address>().unwrap_err();

            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
