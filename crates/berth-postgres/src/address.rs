use std::fmt;
use std::sync::Arc;

use berth_metadata::MetadataError;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use crate::tls::{Relay, Tls};
use crate::url::DatabaseUrl;

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

/// Where the database is. What it shows has no password in it.
#[derive(Clone)]
pub(crate) struct Address {
    url: SecretString,
    shown: String,
    secrets: Vec<SecretString>,
    /// By way of which the database is reached, if that takes TLS.
    _relay: Option<Arc<Relay>>,
}

impl Address {
    /// An address that can be connected to as long as it, or a clone, is there.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if the URL is none, or wants TLS that cannot be had.
    pub(crate) fn open(url: &SecretString) -> Result<Self, MetadataError> {
        let url = parse(url)?;
        let mut address = Self::of(&url);
        if let Some(tls) = Tls::wanted(&url)? {
            let relay = Relay::start(tls);
            let relay = relay.map_err(|error| {
                address.failed(&format!("there is no way to begin TLS: {error}"))
            })?;
            address.url = relay.url(&url).into();
            address._relay = Some(Arc::new(relay));
        }
        Ok(address)
    }

    fn of(url: &DatabaseUrl<'_>) -> Self {
        let DatabaseUrl {
            scheme,
            user,
            password,
            login,
            hosts,
            database,
            parameters,
        } = url;
        let passwords = parameters
            .iter()
            .filter(|(name, _)| name.ends_with("password"));
        let passwords = passwords.map(|(_, value)| *value).chain([*password]);
        let secrets = passwords.flat_map(spellings).collect();
        let at = if login.is_empty() { "" } else { "@" };
        Self {
            url: url.text().into(),
            shown: format!("{scheme}://{user}{at}{hosts}/{database}"),
            secrets,
            _relay: None,
        }
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

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// A URL, and what libpq is told besides.
fn parse(url: &SecretString) -> Result<DatabaseUrl<'_>, MetadataError> {
    let mut url = DatabaseUrl::parse(url.expose_secret())?;
    for (name, value) in DEFAULTS {
        if url.parameter(name).is_none() {
            url.parameters.push((name, value));
        }
    }
    Ok(url)
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

    fn address(url: &str) -> Address {
        Address::of(&parse(&url.into()).unwrap())
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
