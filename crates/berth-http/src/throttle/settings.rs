use std::num::NonZeroU32;

/// How much one client may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// How many requests it may make; `None` for any number.
    pub requests: Option<RequestRate>,
    /// How many of its requests may be under way at the same time; `None` for any number.
    pub concurrent_requests: Option<NonZeroU32>,
    /// After how many failed logins in a minute no more are tried, as [`LoginGuard`](crate::LoginGuard) says;
    /// `None` for any number.
    pub login_failures_per_minute: Option<NonZeroU32>,
}

/// How many requests are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// In the long run, in a second.
    pub per_second: NonZeroU32,
    /// At once, by a client that has made none for a while.
    pub burst: NonZeroU32,
}

impl ThrottleSettings {
    /// No limits.
    pub const OFF: Self = Self {
        requests: None,
        concurrent_requests: None,
        login_failures_per_minute: None,
    };
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self {
            login_failures_per_minute: NonZeroU32::new(10),
            ..Self::OFF
        }
    }
}
