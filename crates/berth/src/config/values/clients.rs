//! Values of options about how much one client may ask for.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many of something, at least one: `100`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "NumberText", into = "String")]
pub(crate) struct Count(pub(crate) NonZeroU32);

/// How many of something at most: `100`, or `off` for any number.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "BoundText", into = "String")]
pub(crate) struct Bound(pub(crate) Option<NonZeroU32>);

/// How many of something at most: `100`, or `auto` for what suits this machine.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "AutoText", into = "String")]
pub(crate) struct AutoBound(pub(crate) Option<NonZeroU32>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, such as 100, or \"auto\"")]
enum AutoText {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, such as 100")]
enum NumberText {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, such as 100, or \"off\"")]
enum BoundText {
    Number(i64),
    Text(String),
}

impl Count {
    pub(crate) const HUNDRED: Self = Self(NonZeroU32::MIN.saturating_add(99));

    /// Beyond any use, and far from where counting overflows.
    const MOST: u32 = 1_000_000;
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().and_then(NonZeroU32::new);
        let number = number.filter(|number| number.get() <= Self::MOST);
        number.map(Self).ok_or_else(|| {
            format!(
                "{text:?} is not a number from 1 to {}; 100 would do",
                Self::MOST
            )
        })
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            text => match text.parse::<Count>() {
                Ok(Count(number)) => Ok(Self(Some(number))),
                Err(error) => Err(format!("{error}, and so would off")),
            },
        }
    }
}

impl FromStr for AutoBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self(None)),
            text => match text.parse::<Count>() {
                Ok(Count(number)) => Ok(Self(Some(number))),
                Err(error) => Err(format!("{error}, and so would auto")),
            },
        }
    }
}

impl TryFrom<AutoText> for AutoBound {
    type Error = String;

    fn try_from(text: AutoText) -> Result<Self, Self::Error> {
        match text {
            AutoText::Number(number) => number.to_string().parse(),
            AutoText::Text(text) => text.parse(),
        }
    }
}

impl TryFrom<NumberText> for Count {
    type Error = String;

    fn try_from(text: NumberText) -> Result<Self, Self::Error> {
        match text {
            NumberText::Number(number) => number.to_string().parse(),
            NumberText::Text(text) => text.parse(),
        }
    }
}

impl TryFrom<BoundText> for Bound {
    type Error = String;

    fn try_from(text: BoundText) -> Result<Self, Self::Error> {
        match text {
            BoundText::Number(number) => number.to_string().parse(),
            BoundText::Text(text) => text.parse(),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(formatter),
            None => formatter.write_str("off"),
        }
    }
}

impl fmt::Display for AutoBound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(formatter),
            None => formatter.write_str("auto"),
        }
    }
}

impl From<AutoBound> for String {
    fn from(bound: AutoBound) -> Self {
        bound.to_string()
    }
}

impl From<Count> for String {
    fn from(count: Count) -> Self {
        count.to_string()
    }
}

impl From<Bound> for String {
    fn from(bound: Bound) -> Self {
        bound.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_values_are_read_and_written_back() {
        assert_eq!("100".parse(), Ok(Count::HUNDRED));
        for text in ["1", "1000000"] {
            assert_eq!(text.parse::<Count>().unwrap().to_string(), text);
        }
        for text in ["auto", "10"] {
            assert_eq!(text.parse::<AutoBound>().unwrap().to_string(), text);
        }
        for text in ["off", "10"] {
            assert_eq!(text.parse::<Bound>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn files_have_numbers_with_and_without_quotes() {
        #[derive(Deserialize)]
        struct File {
            count: Count,
            bound: Bound,
        }
        let read = |text: &str| toml::from_str::<File>(text);
        let file = read("count = 100\nbound = 100").unwrap();
        assert_eq!(
            (file.count, file.bound.0),
            (Count::HUNDRED, Some(Count::HUNDRED.0))
        );
        let file = read("count = \"100\"\nbound = \"off\"").unwrap();
        assert_eq!((file.count, file.bound), (Count::HUNDRED, Bound(None)));
        for wrong in ["0", "-1", "true", "1.5", "\"many\""] {
            assert!(
                read(&format!("count = {wrong}\nbound = 1")).is_err(),
                "{wrong}"
            );
            assert!(
                read(&format!("count = 1\nbound = {wrong}")).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn bad_values_say_what_would_do() {
        for text in ["0", "-1", "many", "1000001", "", "off"] {
            let message = text.parse::<Count>().unwrap_err();
            assert!(message.ends_with("100 would do"), "{message}");
        }
        let message = "off".parse::<AutoBound>().unwrap_err();
        assert!(message.ends_with("so would auto"), "{message}");
        let message = "none".parse::<Bound>().unwrap_err();
        assert!(message.ends_with("so would off"), "{message}");
    }
}
