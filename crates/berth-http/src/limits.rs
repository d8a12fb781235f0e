use std::time::Duration;

use crate::{ConnectionLimits, ThrottleSettings};

/// How patient the server is, and how much it takes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a client may take to send the head of a request, or stay idle between two.
    pub header_timeout: Duration,
    /// How long a client may send no byte of a body that it has announced.
    pub body_timeout: Duration,
    /// How long a client may take no byte of what it is sent. Over HTTP/2, it may leave one answer for
    /// ten times as long while it takes others; a large manifest or list it may not.
    pub write_timeout: Duration,
    /// How long requests that are under way may go on when the server stops.
    pub drain_timeout: Duration,
    /// The largest head of a request, in bytes. What follows the last chunk of a body may have as many.
    pub header_bytes: usize,
    /// How many connections there may be.
    pub connections: ConnectionLimits,
    /// How much one client may ask for.
    pub throttle: ThrottleSettings,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            header_bytes: 64 * 1024,
            connections: ConnectionLimits::default(),
            throttle: ThrottleSettings::default(),
        }
    }
}
