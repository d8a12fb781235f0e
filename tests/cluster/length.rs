//! How long tests go on, and what their randomness follows from.

use std::time::Duration;

/// So short that it can be done for every commit, or what `BERTH_CLUSTER_SECONDS` says.
pub(crate) fn length(seconds: u64) -> Duration {
    Duration::from_secs(number_in("BERTH_CLUSTER_SECONDS").unwrap_or(seconds))
}

/// A new one each time, or `BERTH_CLUSTER_SEED`, to do again what went wrong, as far as nothing but chance decides.
pub(crate) fn seed() -> u64 {
    number_in("BERTH_CLUSTER_SEED").unwrap_or_else(rand::random)
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}
