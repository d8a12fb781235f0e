use std::fmt;
use std::time::Duration;

/// A request that is not served, because its client makes too many: 429 with `TOOMANYREQUESTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{too_many}; try again in {} s", self.seconds())]
pub struct Refused {
    /// What there is too much of.
    pub too_many: TooMany,
    /// After how long it is worth trying again.
    pub retry_after: Duration,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// Requests in a second.
    Requests,
    /// Requests at the same time.
    AtOnce,
    /// Failed logins.
    FailedLogins,
}

impl Refused {
    pub(super) fn new(too_many: TooMany, retry_after: Duration) -> Self {
        Self {
            too_many,
            retry_after,
        }
    }

    /// The value of `Retry-After` (RFC 9110, section 10.2.3): whole seconds, at least one.
    pub fn seconds(&self) -> u64 {
        let whole = self.retry_after.as_secs();
        let begun = u64::from(self.retry_after.subsec_nanos() > 0);
        whole.saturating_add(begun).max(1)
    }
}

impl fmt::Display for TooMany {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Requests => "too many requests came from this client in a short time",
            Self::AtOnce => "too many requests of this client are under way",
            Self::FailedLogins => "too many logins from this address have failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_begun_second_counts_and_none_is_one() {
        let seconds = |milliseconds| {
            Refused::new(TooMany::Requests, Duration::from_millis(milliseconds)).seconds()
        };
        assert_eq!([0, 1, 1000, 1001, 60_000].map(seconds), [1, 1, 1, 2, 60]);
        let longest = Refused::new(TooMany::Requests, Duration::MAX);
        assert_eq!(longest.seconds(), u64::MAX);
    }

    #[test]
    fn it_says_what_to_do() {
        let refused = Refused::new(TooMany::FailedLogins, Duration::from_secs(6));
        let message = "too many logins from this address have failed; try again in 6 s";
        assert_eq!(refused.to_string(), message);
    }
}
