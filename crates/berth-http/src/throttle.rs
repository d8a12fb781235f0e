//! How much one client may ask for: so many requests in a second, so many at once, and so many wrong passwords.
//!
//! The rates are by the generic cell rate algorithm. It is written out here (`rate.rs`), because both limits of a client
//! are then found and changed under one lock, and because what is remembered is bounded (`clients.rs`).

mod client_key;
mod clients;
mod login_guard;
mod rate;
mod refused;
mod settings;

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::time::{Duration, Instant};

pub use client_key::ClientKey;
pub(crate) use client_key::Network;
use clients::{Client, Clients};
pub use login_guard::LoginGuard;
use rate::Rate;
pub use refused::{Refused, TooMany};
pub use settings::{RequestRate, ThrottleSettings};

/// How long a client that has too many requests under way is told to wait: nobody knows when one of them ends.
const SOON: Duration = Duration::from_secs(1);

/// Bounds how many requests one client makes, in a second and at once.
///
/// It is remembered of at most some 100,000 clients how much they ask for. If there are more at the same time, those
/// that have asked for the least are forgotten, and begin anew.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use berth_auth::Identity;
/// use berth_http::{ClientKey, Throttle, ThrottleSettings};
///
/// let throttle = Throttle::new(&ThrottleSettings {
///     concurrent_requests: Some(2.try_into().unwrap()),
///     ..ThrottleSettings::default()
/// });
/// let address = "192.0.2.1".parse().unwrap();
/// let client = ClientKey::of(&Identity::Anonymous, address);
/// let first = throttle.admit(&client).unwrap();
/// let second = throttle.admit(&client).unwrap();
/// assert_eq!(throttle.admit(&client).unwrap_err().seconds(), 1);
/// drop(first);
/// assert!(throttle.admit(&client).is_ok());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Throttle(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    clients: Clients,
    rate: Option<Rate>,
    at_once: Option<NonZeroU32>,
}

/// The right to be served, which ends when this is dropped: keep it until the last byte of the answer is gone.
#[derive(Debug)]
#[must_use = "the request counts as ended when this is dropped"]
pub struct Permit {
    _under_way: Option<UnderWay>,
}

/// A request that counts among those that its client has under way.
#[derive(Debug)]
struct UnderWay {
    shared: Arc<Shared>,
    client: u64,
}

impl Throttle {
    /// With these limits. Without any, nothing is remembered and admitting costs nothing.
    pub fn new(settings: &ThrottleSettings) -> Self {
        let rate = settings.requests.map(|requests| {
            Rate::new(
                requests.per_second,
                Duration::from_secs(1),
                requests.burst.get(),
            )
        });
        let at_once = settings.concurrent_requests;
        let is_on = rate.is_some() || at_once.is_some();
        Self(is_on.then(|| {
            Arc::new(Shared {
                clients: Clients::new(),
                rate,
                at_once,
            })
        }))
    }

    /// Takes in one more request of a client. It waits for nothing.
    ///
    /// # Errors
    /// When the client has made too many; such a request does not count, and is to be answered with 429.
    pub fn admit(&self, client: &ClientKey<'_>) -> Result<Permit, Refused> {
        match &self.0 {
            Some(shared) => shared.admit(client, Instant::now()),
            None => Ok(Permit { _under_way: None }),
        }
    }
}

impl Shared {
    fn admit(self: &Arc<Self>, client: &ClientKey<'_>, now: Instant) -> Result<Permit, Refused> {
        let id = self.clients.id(client);
        self.clients
            .change(id, now, |client, now| self.take_in(client, now))
            .unwrap_or(Err(Refused::new(TooMany::AtOnce, SOON)))?;
        let under_way = self.at_once.is_some().then(|| UnderWay {
            shared: Arc::clone(self),
            client: id,
        });
        Ok(Permit {
            _under_way: under_way,
        })
    }

    fn take_in(&self, client: &mut Client, now: Duration) -> Result<(), Refused> {
        let at_once = self.at_once.map_or(u32::MAX, NonZeroU32::get);
        if client.under_way >= at_once {
            return Err(Refused::new(TooMany::AtOnce, SOON));
        }
        if let Some(rate) = &self.rate {
            if let Some(wait) = rate.wait(client.due, now) {
                return Err(Refused::new(TooMany::Requests, wait));
            }
            client.due = rate.charge(client.due, now);
        }
        client.under_way += u32::from(self.at_once.is_some());
        Ok(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let clients = &self.shared.clients;
        clients.change(self.client, Instant::now(), |client, _| {
            client.under_way = client.under_way.saturating_sub(1);
        });
    }
}

#[cfg(test)]
mod tests;
