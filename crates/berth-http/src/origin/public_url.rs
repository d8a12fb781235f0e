use std::fmt;
use std::str::FromStr;

use http::Uri;

use super::{Scheme, authority};

/// What clients call this server: `http` or `https`, a host, and a port or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(pub(super) String);

/// The text is not the URL of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a URL with http or https, a host and nothing behind it; https://registry.example.com would do"
)]
pub struct PublicUrlError(String);

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| PublicUrlError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<PublicUrl> {
    let uri: Uri = text.parse().ok()?;
    let scheme = Scheme::of(uri.scheme_str()?)?;
    let host = authority::checked(uri.authority()?.as_str())?;
    // Pages and images are found from the root of a server on, by each client.
    let is_whole = uri.path_and_query().is_none_or(|path| path == "/");
    let is_all = is_whole && !text.contains('#');
    is_all.then(|| PublicUrl(format!("{}://{host}", scheme.as_str())))
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_server_is_taken() {
        for (text, url) in [
            (
                "https://registry.example.com",
                "https://registry.example.com",
            ),
            (
                "https://registry.example.com/",
                "https://registry.example.com",
            ),
            ("HTTP://10.0.0.1:5000", "http://10.0.0.1:5000"),
            ("https://[::1]:5000", "https://[::1]:5000"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn any_other_is_not() {
        for text in [
            "",
            "registry.example.com",
            "//registry.example.com",
            "ftp://registry.example.com",
            "https://",
            "https://user@registry.example.com",
            "https://registry.example.com/path",
            "https://registry.example.com?query",
            "https://registry.example.com#fragment",
            "https://registry.example.com\r\nX: y",
        ] {
            let error = text.parse::<PublicUrl>().expect_err(text);
            assert!(error.to_string().ends_with("would do"), "{error}");
        }
    }
}
