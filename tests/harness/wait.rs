use std::thread;
use std::time::{Duration, Instant};

/// Only so that a test that fails does not hang.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
