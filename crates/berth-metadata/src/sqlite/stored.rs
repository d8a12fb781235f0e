//! Between what is stored and what it means.

use std::fmt::Display;
use std::str::FromStr;

use crate::MetadataError;

/// Reads a text that was valid when it was stored.
pub(super) fn parse<T>(text: &str) -> Result<T, MetadataError>
where
    T: FromStr<Err: Display>,
{
    text.parse()
        .map_err(|error| MetadataError::Damaged(format!("{text:?} is stored, but {error}")))
}

/// A size or a count as SQLite keeps it.
pub(super) fn to_integer(number: u64) -> Result<i64, MetadataError> {
    i64::try_from(number)
        .map_err(|_| MetadataError::Database(format!("{number} is too large to be stored")))
}

/// The inverse of [`to_integer`].
pub(super) fn to_number(integer: i64) -> Result<u64, MetadataError> {
    u64::try_from(integer)
        .map_err(|_| MetadataError::Damaged(format!("{integer} is stored where a size should be")))
}

impl From<diesel::result::Error> for MetadataError {
    fn from(error: diesel::result::Error) -> Self {
        // Diesel keeps SQLite's text, not its code.
        match error.to_string() {
            text if text.contains("disk is full") => Self::StorageFull,
            text => Self::Database(text),
        }
    }
}
