use std::time::Duration;

use berth_faults::{Fault, Faults};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Delays that the seed decides: most steps wait for a little, some for long.
pub(super) fn delays(seed: u64) -> Faults {
    Faults::planned(move |step, _| {
        let of_step = u64::try_from(step).unwrap().wrapping_shl(32);
        let mut random = SmallRng::seed_from_u64(seed ^ of_step);
        let time = milliseconds(1 << random.random_range(0..6));
        match random.random_range(0..8) {
            0..2 => None,
            2..4 => Some(Fault::Yield(random.random_range(1..4))),
            4 => Some(Fault::Sleep(time)),
            5 => Some(Fault::Linger(time)),
            _ => Some(Fault::Late(time)),
        }
    })
}

pub(super) fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
