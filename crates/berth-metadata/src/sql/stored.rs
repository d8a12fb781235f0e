//! Between what is stored and what it means.

use std::fmt::Display;
use std::str::FromStr;

use crate::MetadataError;
pub use crate::store::{milliseconds, time_of};

/// Reads a text that was valid when it was stored.
pub fn parse<T>(text: &str) -> Result<T, MetadataError>
where
    T: FromStr<Err: Display>,
{
    text.parse()
        .map_err(|error| MetadataError::Damaged(format!("{text:?} is stored, but {error}")))
}

/// A size or a count as databases keep it.
pub fn to_integer(number: u64) -> Result<i64, MetadataError> {
    i64::try_from(number)
        .map_err(|_| MetadataError::Database(format!("{number} is too large to be stored")))
}

/// The inverse of [`to_integer`].
pub fn to_number(integer: i64) -> Result<u64, MetadataError> {
    u64::try_from(integer)
        .map_err(|_| MetadataError::Damaged(format!("{integer} is stored where a size should be")))
}
