use std::fmt;

use berth_metadata::MetadataError;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// Seconds after which an attempt to connect is given up, if the URL does not say.
const CONNECT_TIMEOUT: &str = "connect_timeout=10";

/// Milliseconds after which a server that takes nothing is taken for gone, if the URL does not say.
const TCP_TIMEOUT: &str = "tcp_user_timeout=30000";

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
        let text = url.expose_secret();
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        if !matches!(scheme, "postgresql" | "postgres") {
            return Err(refused(
                "must begin with postgresql:// (postgresql://USER:PASSWORD@HOST:PORT/DATABASE)",
            ));
        }
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (login, hosts) = match authority.split_once('@') {
            Some((_, hosts)) if hosts.contains('@') => {
                return Err(refused(
                    "has more than one @: in a password, write it as %40",
                ));
            }
            Some(parts) => parts,
            None => ("", authority),
        };
        if database.contains(['@', '/']) {
            return Err(refused(
                "has a / or an @ after the host: in a password, write them as %2F and %40",
            ));
        }
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let of_parameters = parameters.split('&').filter_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.ends_with("password").then_some(value)
        });
        let secrets = of_parameters.chain([password]).flat_map(spellings);
        let at = if login.is_empty() { "" } else { "@" };
        Ok(Self {
            url: with_timeouts(text, parameters).into(),
            shown: format!("{scheme}://{user}{at}{hosts}/{database}"),
            secrets: secrets.collect(),
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
        // There are parameters already: the timeouts.
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

fn refused(why: &str) -> MetadataError {
    MetadataError::Database(format!("the URL of the database {why}"))
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

fn with_timeouts(url: &str, parameters: &str) -> String {
    let mut url = url.to_owned();
    let mut separator = match (url.contains('?'), parameters) {
        (false, _) => "?",
        (true, "") => "",
        (true, _) => "&",
    };
    for timeout in [CONNECT_TIMEOUT, TCP_TIMEOUT] {
        let name = timeout.split('=').next().unwrap_or_default();
        if !parameters.contains(name) {
            url = format!("{url}{separator}{timeout}");
            separator = "&";
        }
    }
    url
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
    fn what_is_unclear_is_refused_without_repeating_it() {
        for url in [
            "host=db password=s3cret",
            "mysql://berth:s3cret@db/berth",
            "postgresql://berth:s3cret@more@db/berth",
            "postgresql://berth:pass/s3cret@db/berth",
        ] {
            let refused = DatabaseUrl::parse(&url.into()).unwrap_err().to_string();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn timeouts_are_those_of_the_url_if_it_has_any() {
        for (url, full) in [
            (
                "postgresql:///a",
                "postgresql:///a?connect_timeout=10&tcp_user_timeout=30000",
            ),
            (
                "postgresql:///a?",
                "postgresql:///a?connect_timeout=10&tcp_user_timeout=30000",
            ),
            (
                "postgresql:///a?connect_timeout=3",
                "postgresql:///a?connect_timeout=3&tcp_user_timeout=30000",
            ),
        ] {
            assert_eq!(address(url).url(), full);
        }
    }
}
