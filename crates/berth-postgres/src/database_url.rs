use std::fmt;

use berth_metadata::MetadataError;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use crate::url_parts::{UrlParts, refused};

/// What libpq is told unless the URL says otherwise, in its words.
const DEFAULTS: [(&str, &str); 6] = [
    // Seconds after which an attempt to connect is given up.
    ("connect_timeout", "10"),
    // Milliseconds after which a server that takes nothing is taken for gone, and seconds after which one that says nothing is
    // asked whether it is still there: or who waits for the answer of a machine that is switched off does so for two hours.
    ("tcp_user_timeout", "30000"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    // A standby would answer what was true some time ago.
    ("target_session_attrs", "primary"),
];

/// Where a database is (`postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with the parameters that libpq knows). What it shows has
/// no password in it, nor parameters.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: SecretString,
    shown: String,
    secrets: Vec<SecretString>,
}

impl DatabaseUrl {
    /// Reads it.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if it is no URL of a PostgreSQL database. Only one that is clear about what its
    /// password is can be kept out of messages.
    pub fn parse(url: &SecretString) -> Result<Self, MetadataError> {
        let mut url = UrlParts::parse(url.expose_secret())?;
        let UrlParts {
            scheme,
            user,
            password,
            login,
            hosts,
            database,
            ..
        } = url;
        let passwords = url
            .parameters
            .iter()
            .filter(|(name, _)| name.ends_with("password"));
        let passwords = passwords.map(|(_, value)| *value).chain([password]);
        let secrets = passwords.flat_map(spellings).collect();
        for (name, value) in DEFAULTS {
            if url.parameter(name).is_none() {
                url.parameters.push((name, value));
            }
        }
        let at = if login.is_empty() { "" } else { "@" };
        Ok(Self {
            url: url.text().into(),
            shown: format!("{scheme}://{user}{at}{hosts}/{database}"),
            secrets,
        })
    }

    /// The same with a password.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if it has one already.
    pub fn with_password(&self, password: &SecretString) -> Result<Self, MetadataError> {
        if !self.secrets.is_empty() {
            return Err(refused("has a password, and there is another one"));
        }
        let encoded = utf8_percent_encode(password.expose_secret(), NON_ALPHANUMERIC);
        // There are parameters already: the defaults.
        let url = format!("{}&password={encoded}", self.url());
        Self::parse(&url.into())
    }

    /// The URL, with the password.
    pub(crate) fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// An error of this database. Should the text repeat the password, it is left out.
    pub(crate) fn failed(&self, error: &dyn fmt::Display) -> MetadataError {
        let text = error.to_string().replace(self.url(), &self.shown);
        let text = self.secrets.iter().fold(text, |text, secret| {
            text.replace(secret.expose_secret(), "...")
        });
        MetadataError::Database(format!("{} cannot be used: {}", self.shown, text.trim()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// A secret as it is in the URL, and as it is meant.
fn spellings(encoded: &str) -> impl Iterator<Item = SecretString> {
    let meant = percent_decode_str(encoded).decode_utf8_lossy().into_owned();
    let spellings = [encoded.to_owned(), meant];
    spellings
        .into_iter()
        .filter(|secret| !secret.is_empty())
        .map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> DatabaseUrl {
        DatabaseUrl::parse(&url.into()).unwrap()
    }

    #[test]
    fn what_is_shown_has_no_password() {
        for (url, shown) in [
            (
                "postgresql://berth:s3cret@db:5432/berth",
                "postgresql://berth@db:5432/berth",
            ),
            (
                "postgres://berth:s3cret@one,two/berth?sslmode=require",
                "postgres://berth@one,two/berth",
            ),
            (
                "postgresql://berth@/berth?host=/run/pg&password=s3cret",
                "postgresql://berth@/berth",
            ),
            ("postgresql:///berth", "postgresql:///berth"),
        ] {
            let address = address(url);
            assert_eq!(format!("{address:?}"), shown);
            let repeated = format!("\"{}\" and {url}", address.url());
            let told = address.failed(&repeated).to_string();
            assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn a_password_is_left_out_in_every_spelling() {
        let address = address("postgresql://berth:a%40b%2Fc@db/berth");
        let told = address.failed(&"no a%40b%2Fc, nor a@b/c").to_string();
        assert!(told.ends_with("no ..., nor ..."), "{told}");
    }

    #[test]
    fn a_password_of_its_own_is_one_of_the_url_and_left_out_as_well() {
        for url in ["postgresql://berth@db/berth", "postgresql:///berth?host=a"] {
            let address = address(url).with_password(&"a&b=c@ %".into()).unwrap();
            assert!(address.url().ends_with("&password=a%26b%3Dc%40%20%25"));
            let told = address.failed(&format!("{} a&b=c@ %", address.url()));
            assert!(!told.to_string().contains("b%3Dc"), "{told}");
            assert!(!told.to_string().contains("b=c"), "{told}");
            let refused = address.with_password(&"s3cret".into()).unwrap_err();
            assert!(!refused.to_string().contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn the_url_may_say_otherwise() {
        let defaults = DEFAULTS.map(|(name, value)| format!("{name}={value}"));
        assert_eq!(
            address("postgresql:///a").url(),
            format!("postgresql:///a?{}", defaults.join("&"))
        );
        let url = address("postgresql:///a?connect_timeout=3&target_session_attrs=any");
        for (name, value) in [
            ("connect_timeout", "3"),
            ("target_session_attrs", "any"),
            ("keepalives_idle", "10"),
        ] {
            let given = url
                .url()
                .split(['?', '&'])
                .filter(|part| part.starts_with(name));
            assert_eq!(given.collect::<Vec<_>>(), [format!("{name}={value}")]);
        }
    }
}
