use std::num::NonZeroU32;
use std::time::Duration;

/// So many in a time, and so many at once: the generic cell rate algorithm (ITU-T I.371), as virtual scheduling.
///
/// All that it needs to know of a client is when its next one is due if they come evenly: each puts that off by
/// `interval`. One that comes earlier than that by more than `tolerance` is too many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    interval: Duration,
    tolerance: Duration,
}

impl Rate {
    /// `count` in `time`, and `burst` at once, which is at least one. Rounded so that it is never more.
    pub(super) fn new(count: NonZeroU32, time: Duration, burst: u32) -> Self {
        let nanoseconds = time.as_nanos().div_ceil(u128::from(count.get()));
        let interval = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        Self {
            interval,
            tolerance: interval.saturating_mul(burst.saturating_sub(1)),
        }
    }

    /// How long it is until another one may come; `None` if it may now.
    pub(super) fn wait(&self, due: Duration, now: Duration) -> Option<Duration> {
        let wait = due.saturating_sub(self.tolerance).saturating_sub(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// When the next one is due after one that comes now.
    pub(super) fn charge(&self, due: Duration, now: Duration) -> Duration {
        due.max(now).saturating_add(self.interval)
    }
}
