//! Values of options about how blobs in a bucket are pulled.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::text::text_in_files;
use super::{Size, Time};

/// How large the cache of blobs is: `50GiB`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheLimit(pub(crate) Option<u64>);

impl FromStr for CacheLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            text => Ok(Self(Some(Size::bytes_or(text, "off")?))),
        }
    }
}

impl fmt::Display for CacheLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(formatter, "{bytes}"),
            None => formatter.write_str("off"),
        }
    }
}

/// Where the cache of blobs is: a folder, or `auto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheFolder(pub(crate) Option<PathBuf>);

impl FromStr for CacheFolder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("a path cannot be empty; /var/cache/berth or auto would do".to_owned()),
            "auto" => Ok(Self(None)),
            path => Ok(Self(Some(path.into()))),
        }
    }
}

impl fmt::Display for CacheFolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => path.display().fmt(formatter),
            None => formatter.write_str("auto"),
        }
    }
}

/// From how many bytes on blobs are pulled straight from the bucket: `64MiB`, `all`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RedirectFrom(pub(crate) Option<u64>);

impl FromStr for RedirectFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            "all" => Ok(Self(Some(0))),
            text => Ok(Self(Some(Size::bytes_or(text, "all or off")?))),
        }
    }
}

impl fmt::Display for RedirectFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => formatter.write_str("off"),
            Some(0) => formatter.write_str("all"),
            Some(bytes) => write!(formatter, "{bytes}"),
        }
    }
}

/// How long a URL of a bucket is good: from a second to a week, which is as long as S3 allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UrlLifetime(pub(crate) Duration);

impl UrlLifetime {
    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
}

impl FromStr for UrlLifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Time(time) = text.parse()?;
        match (Self::SHORTEST..=Self::LONGEST).contains(&time) {
            true => Ok(Self(time)),
            false => Err(
                "a bucket takes a second at least and a week at most; 30s, 10m or 24h would do"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for UrlLifetime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Time(self.0).fmt(formatter)
    }
}

text_in_files! {
    CacheLimit: "a number of bytes in quotes, such as \"50GiB\", or \"off\"",
    CacheFolder: "a path in quotes, such as \"/var/cache/berth\", or \"auto\"",
    RedirectFrom: "a number of bytes in quotes, such as \"64MiB\", or \"all\" or \"off\"",
    UrlLifetime: "a length of time in quotes, such as \"30s\", \"10m\" or \"24h\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_values_are_read_and_written_back() {
        for text in ["off", "53687091200"] {
            assert_eq!(text.parse::<CacheLimit>().unwrap().to_string(), text);
        }
        assert_eq!("50GiB".parse(), Ok(CacheLimit(Some(50 << 30))));
        for text in ["auto", "/var/cache/berth"] {
            assert_eq!(text.parse::<CacheFolder>().unwrap().to_string(), text);
        }
        for text in ["off", "all", "1000000"] {
            assert_eq!(text.parse::<RedirectFrom>().unwrap().to_string(), text);
        }
        for text in ["1s", "10m", "7days"] {
            assert_eq!(text.parse::<UrlLifetime>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_values_say_what_would_do() {
        for message in [
            "much".parse::<CacheLimit>().unwrap_err(),
            "0".parse::<CacheLimit>().unwrap_err(),
            "".parse::<CacheFolder>().unwrap_err(),
            "large".parse::<RedirectFrom>().unwrap_err(),
            "500ms".parse::<UrlLifetime>().unwrap_err(),
            "8days".parse::<UrlLifetime>().unwrap_err(),
            "long".parse::<UrlLifetime>().unwrap_err(),
        ] {
            assert!(message.contains("would do"), "{message}");
        }
    }
}
