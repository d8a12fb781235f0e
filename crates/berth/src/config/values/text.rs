//! Values that stand in files as text.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};

/// Implements serde's traits for values that are text in files. What is told of each is what a
/// value of another type is refused with.
macro_rules! text_in_files {
    ($($kind:ty: $expected:literal),* $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
                $crate::config::values::text::parse(value, $expected)
            }
        }

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

pub(super) use text_in_files;

pub(super) fn parse<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(
    value: D,
    expected: &'static str,
) -> Result<T, D::Error> {
    let text = value.deserialize_string(Text { expected })?;
    text.parse().map_err(D::Error::custom)
}

struct Text {
    expected: &'static str,
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}
