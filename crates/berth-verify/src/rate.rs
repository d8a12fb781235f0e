use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How many bytes may be read in a second, all readers together.
pub(crate) struct Rate {
    bytes_per_second: Option<NonZeroU64>,
    /// When those that were let through so far are through at this rate.
    free_at: Mutex<Option<Instant>>,
}

impl Rate {
    pub(crate) fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self {
            bytes_per_second,
            free_at: Mutex::new(None),
        }
    }

    /// Waits for the turn of so many bytes. Time in which nobody read is not made up for.
    pub(crate) async fn wait_for(&self, bytes: u64) {
        let Some(bytes_per_second) = self.bytes_per_second else {
            return;
        };
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second.get());
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        sleep_until(self.turn(takes)).await;
    }

    fn turn(&self, takes: Duration) -> Instant {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let turn = free_at.map_or(now, |free_at| free_at.max(now));
        *free_at = Some(turn.checked_add(takes).unwrap_or(turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock of these tests stands still but for what is slept.
    #[tokio::test(start_paused = true)]
    async fn bytes_come_evenly_and_no_burst_follows_a_pause() {
        let rate = Rate::new(NonZeroU64::new(1000));
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..4 {
            rate.wait_for(500).await;
            times.push(start.elapsed().as_millis());
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..3 {
            rate.wait_for(100).await;
            times.push(start.elapsed().as_millis());
        }
        assert_eq!(times, [0, 500, 1000, 1500, 0, 100, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn readers_share_a_rate() {
        let rate = Rate::new(NonZeroU64::new(1000));
        let start = Instant::now();
        let read = async || {
            for _ in 0..4 {
                rate.wait_for(250).await;
            }
        };
        tokio::join!(read(), read());
        assert_eq!(start.elapsed().as_millis(), 1750);
    }

    #[tokio::test(start_paused = true)]
    async fn no_rate_is_no_limit() {
        let start = Instant::now();
        Rate::new(None).wait_for(u64::MAX).await;
        assert!(start.elapsed().is_zero());
    }
}
