//! A number of bytes in a configuration: `"10GiB"` or `1000000`.

use bytesize::ByteSize;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of bytes, such as \"10GiB\" or 1000000"
)]
enum ByteCount {
    Number(u64),
    Text(String),
}

pub(crate) fn serialize<S: Serializer>(
    bytes: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match bytes {
        // A number of TOML need not be large enough.
        Some(bytes) => serializer.serialize_str(&bytes.to_string()),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    let text = match ByteCount::deserialize(deserializer)? {
        ByteCount::Number(number) => return Ok(Some(number)),
        ByteCount::Text(text) => text,
    };
    let size: ByteSize = text.parse().map_err(|why| {
        D::Error::custom(format!(
            "{text:?} is not a number of bytes ({why}); \"10GiB\" or 1000000 would do"
        ))
    })?;
    Ok(Some(size.as_u64()))
}
