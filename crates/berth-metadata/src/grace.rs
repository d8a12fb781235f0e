use std::time::{Duration, SystemTime};

/// How long a blob that nothing refers to stays, after the registry last told somebody that it is
/// there.
///
/// A finished upload, a mount and a `HEAD` that answers 200 are such promises. They are written down as
/// the time of the link between repository and blob: a `HEAD` does so only now and then
/// ([`Grace::renew_before`]), so that reads stay reads, and the blob is unused only when its newest
/// link is older than a promise and such a delay together ([`Grace::unused_since`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace(pub Duration);

impl Grace {
    /// How often at most a link is renewed, if the grace period is long enough.
    const RENEWAL: Duration = Duration::from_secs(10 * 60);

    /// A link that is older is to be renewed when the blob is promised again.
    pub fn renew_before(self, now: SystemTime) -> SystemTime {
        before(now, self.renewal())
    }

    /// A blob that nothing refers to and whose links are older than this is unused.
    pub fn unused_since(self, now: SystemTime) -> SystemTime {
        before(now, self.0.saturating_add(self.renewal()))
    }

    /// A blob that was condemned before this may be deleted.
    pub fn condemned_before(self, now: SystemTime) -> SystemTime {
        before(now, self.0)
    }

    fn renewal(self) -> Duration {
        Self::RENEWAL.min(self.0 / 4)
    }
}

fn before(now: SystemTime, duration: Duration) -> SystemTime {
    now.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_is_not_renewed_yet_is_never_older_than_what_is_unused() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for seconds in [0, 1, 60, 3600, 24 * 3600, u64::MAX] {
            let grace = Grace(Duration::from_secs(seconds));
            // Promised at the last moment at which the link was not renewed, and then for `grace`.
            let promised_until = grace.renew_before(now).checked_add(grace.0);
            let unused_since = grace.unused_since(now + grace.0.min(Duration::from_secs(1 << 30)));
            let newest = grace.renew_before(now);
            assert!(
                newest >= unused_since || promised_until.is_none(),
                "{seconds}"
            );
        }
    }

    #[test]
    fn without_grace_what_is_older_than_now_is_unused() {
        let now = SystemTime::now();
        let none = Grace(Duration::ZERO);
        assert_eq!(none.unused_since(now), now);
        assert_eq!(none.condemned_before(now), now);
    }
}
