mod access;
mod audit_file;
mod blob_storage;
mod clients;
mod folder;
mod log_filter;
mod metadata_storage;
mod network;
mod pulls;
mod text;
mod upkeep;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use access::{
    AccessRules, ChallengeKind, OptionalTokenServer, ServiceName, UseAccounts,
};
pub(crate) use audit_file::AuditFile;
pub(crate) use blob_storage::BlobStorage;
pub(crate) use clients::{AutoBound, Bound, Count};
pub(super) use folder::Folder;
pub(crate) use log_filter::LogFilter;
pub(crate) use metadata_storage::MetadataStorage;
pub(crate) use network::{Networks, OptionalFile, OptionalUrl, ProxyHeader};
pub(crate) use pulls::{CacheFolder, CacheLimit, RedirectFrom, UrlLifetime};
use text::text_in_files;
pub(crate) use upkeep::{Delay, Interval, Rate};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For humans on a terminal, JSON otherwise.
    Auto,
    /// For humans.
    Human,
    /// One JSON object for each line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        <Self as ValueEnum>::from_str(text, false)
            .map_err(|_| format!("{text:?} is not a format; auto, human or json would do"))
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// A length of time, written as `30s`, `10m` or `24h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match humantime::parse_duration(text) {
            Ok(Duration::ZERO) => {
                Err("it must be longer than nothing; 30s, 10m or 24h would do".to_owned())
            }
            Ok(duration) if duration > Self::LONGEST => {
                Err("it must be at most 100 years; 30s, 10m or 24h would do".to_owned())
            }
            Ok(duration) => Ok(Self(duration)),
            Err(error) => Err(format!(
                "{text:?} is not a length of time ({error}); 30s, 10m or 24h would do"
            )),
        }
    }
}

impl Time {
    /// Beyond any use, and far from where adding it to a clock overflows.
    const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(formatter)
    }
}

/// Reads a switch of a file.
pub(super) fn switch<'de, D: Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected true or false, without quotes")]
    enum Switch {
        Value(bool),
    }
    let Switch::Value(value) = Switch::deserialize(value)?;
    Ok(Some(value))
}

/// A number of bytes, written as `4MiB`, `64KiB` or `1000000`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "SizeText", into = "String")]
pub(crate) struct Size(pub(crate) usize);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of bytes, such as \"4MiB\", \"64KiB\" or 1000000"
)]
enum SizeText {
    Number(usize),
    Text(String),
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &dyn fmt::Display| {
            format!("{text:?} is not a number of bytes ({why}); 4MiB, 64KiB or 1000000 would do")
        };
        let size: bytesize::ByteSize = text.parse().map_err(|error: String| wrong(&error))?;
        let bytes = usize::try_from(size.as_u64()).map_err(|error| wrong(&error))?;
        if bytes < Self::SMALLEST {
            return Err(wrong(&format_args!(
                "at least {} are needed",
                Self::SMALLEST
            )));
        }
        Ok(Self(bytes))
    }
}

impl Size {
    /// Below this, nothing sensible works: heads of requests, with tokens and the like, have some KiB.
    const SMALLEST: usize = 8 * 1024;

    /// The bytes of a text that may also be one of some words. Who writes something else is told both.
    fn bytes_or(text: &str, words: &str) -> Result<u64, String> {
        match text.parse() {
            Ok(Self(bytes)) => Ok(bytes as u64),
            Err(error) => Err(format!("{error}, and so would {words}")),
        }
    }
}

impl TryFrom<SizeText> for Size {
    type Error = String;

    fn try_from(text: SizeText) -> Result<Self, Self::Error> {
        match text {
            SizeText::Number(number) => number.to_string().parse(),
            SizeText::Text(text) => text.parse(),
        }
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.0.to_string()
    }
}

/// An address and a port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| {
            format!(
                "{text:?} is not an IP address and a port; 127.0.0.1:5000 or [::1]:5000 would do"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

text_in_files! {
    Time: "a length of time in quotes, such as \"30s\", \"10m\" or \"24h\"",
    Listen: "an IP address and a port in quotes, such as \"127.0.0.1:5000\" or \"[::1]:5000\"",
    LogFormat: "\"auto\", \"human\" or \"json\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_values_are_read_and_written_back() {
        assert_eq!("24h".parse::<Time>(), Ok(Time(Duration::from_secs(86_400))));
        assert_eq!("4MiB".parse::<Size>(), Ok(Size(4 << 20)));
        assert_eq!("10000".parse::<Size>(), Ok(Size(10_000)));
        for text in ["1day", "30s"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
        assert_eq!(
            "[::1]:5000".parse::<Listen>().unwrap().to_string(),
            "[::1]:5000"
        );
    }

    #[test]
    fn bad_values_say_what_would_do() {
        for message in [
            "soon".parse::<Time>().unwrap_err(),
            "0s".parse::<Time>().unwrap_err(),
            "101years".parse::<Time>().unwrap_err(),
            "many".parse::<Size>().unwrap_err(),
            "1".parse::<Size>().unwrap_err(),
            "localhost".parse::<Listen>().unwrap_err(),
        ] {
            assert!(message.ends_with("would do"), "{message}");
        }
    }
}
