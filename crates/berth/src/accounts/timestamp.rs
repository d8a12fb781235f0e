use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, shown and written as RFC 3339 has it, in UTC: `2026-11-25T12:00:00Z`; in JSON with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(pub(crate) SystemTime);

impl Timestamp {
    /// So long from now.
    pub(crate) fn after(time: Duration) -> Self {
        Self(SystemTime::now() + time)
    }

    /// Whether it is not in the future.
    pub(crate) fn has_come(self) -> bool {
        self.0 <= SystemTime::now()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(self.0).fmt(formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_millis(self.0))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = humantime::parse_rfc3339(&text);
        time.map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_and_read_to_the_millisecond() {
        let time = Timestamp(SystemTime::UNIX_EPOCH + Duration::from_micros(1_500_999));
        assert_eq!(time.to_string(), "1970-01-01T00:00:01Z");
        let text = serde_json::to_string(&time).unwrap();
        assert_eq!(text, "\"1970-01-01T00:00:01.500Z\"");
        let read: Timestamp = serde_json::from_str(&text).unwrap();
        assert_eq!(read.0, SystemTime::UNIX_EPOCH + Duration::from_millis(1500));
    }

    #[test]
    fn what_is_to_come_has_not_come() {
        assert!(!Timestamp::after(Duration::from_secs(60)).has_come());
        assert!(Timestamp(SystemTime::now()).has_come());
    }
}
