//! Values of options about what the server does by itself.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::text::text_in_files;
use super::{Size, Time};

/// How often something is done: a length of time, or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval(pub(crate) Option<Duration>);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "never" => Ok(Self(None)),
            text => match text.parse::<Time>() {
                Ok(Time(time)) => Ok(Self(Some(time))),
                Err(error) => Err(format!("{error}, and so would never")),
            },
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => Time(time).fmt(formatter),
            None => formatter.write_str("never"),
        }
    }
}

/// A length of time that may be none: `0s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay(pub(crate) Duration);

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match humantime::parse_duration(text) {
            Ok(Duration::ZERO) => Ok(Self(Duration::ZERO)),
            _ => text.parse::<Time>().map(|Time(time)| Self(time)),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(formatter)
    }
}

/// How many bytes of something are done in a second, at most: `50MiB`, or `off` for none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) Option<u64>);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            text => Ok(Self(Some(Size::bytes_or(text, "off")?))),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(formatter, "{bytes}"),
            None => formatter.write_str("off"),
        }
    }
}

text_in_files! {
    Interval: "a length of time in quotes, such as \"30m\" or \"1h\", or \"never\"",
    Delay: "a length of time in quotes, such as \"0s\", \"10m\" or \"24h\"",
    Rate: "a number of bytes in quotes, such as \"50MiB\", or \"off\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_values_are_read_and_written_back() {
        for text in ["never", "30m"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        for text in ["0s", "1day"] {
            assert_eq!(text.parse::<Delay>().unwrap().to_string(), text);
        }
        assert_eq!("off".parse::<Rate>().unwrap().to_string(), "off");
        let rate: Rate = "50MiB".parse().unwrap();
        assert_eq!(rate, Rate(Some(50 << 20)));
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }

    #[test]
    fn bad_values_say_what_would_do() {
        for message in [
            "0s".parse::<Interval>().unwrap_err(),
            "often".parse::<Interval>().unwrap_err(),
            "soon".parse::<Delay>().unwrap_err(),
            "fast".parse::<Rate>().unwrap_err(),
            "1".parse::<Rate>().unwrap_err(),
        ] {
            assert!(message.contains("would do"), "{message}");
        }
    }
}
