use std::net::IpAddr;
use std::num::NonZeroU32;

use tokio::time::{Duration, Instant};

use super::client_key::Network;
use super::clients::Clients;
use super::rate::Rate;
use super::refused::{Refused, TooMany};
use super::settings::ThrottleSettings;

/// How many times as many failures an address may have with all user names together as with one of them. So one
/// program that has a wrong password, and tries on and on, does not lock out all others behind the same address.
const ALL_NAMES: u32 = 3;

/// Sees to it that passwords cannot be guessed: bounds how many logins fail.
///
/// Failures are counted for each address together with each user name, and for each address with all names. They are not
/// counted for a name alone: else anybody could lock out somebody else from anywhere. Whoever is over a limit is
/// refused before anything is hashed, and being refused counts as no failure.
///
/// In any time there are at most as many failures as the rate allows, the burst (a minute's worth), and as many as
/// are tried at once. Those that were tried at once beyond the limit must be waited for all the same.
///
/// As [`Throttle`](crate::Throttle), it remembers at most some 100,000 addresses, and as many pairs.
#[derive(Debug)]
pub struct LoginGuard(Option<Guard>);

#[derive(Debug)]
struct Guard {
    one_name: Counted,
    all_names: Counted,
}

#[derive(Debug)]
struct Counted {
    clients: Clients,
    rate: Rate,
}

impl LoginGuard {
    /// With [`ThrottleSettings::login_failures_per_minute`].
    pub fn new(settings: &ThrottleSettings) -> Self {
        let guard = |per_minute: NonZeroU32| Guard {
            one_name: Counted::new(per_minute),
            all_names: Counted::new(
                per_minute.saturating_mul(NonZeroU32::MIN.saturating_add(ALL_NAMES - 1)),
            ),
        };
        Self(settings.login_failures_per_minute.map(guard))
    }

    /// Whether a login from this address as this user may be tried. The name is as the client sent it, known or not;
    /// empty where a credential has none.
    ///
    /// # Errors
    /// When too many have failed.
    pub fn check(&self, address: IpAddr, user: &str) -> Result<(), Refused> {
        let Some(guard) = &self.0 else { return Ok(()) };
        let (network, now) = (Network::of(address), Instant::now());
        let one_name = guard.one_name.wait(&(network, user), now);
        let wait = one_name.max(guard.all_names.wait(&network, now));
        match wait {
            Some(wait) => Err(Refused::new(TooMany::FailedLogins, wait)),
            None => Ok(()),
        }
    }

    /// Notes that a login failed.
    pub fn failed(&self, address: IpAddr, user: &str) {
        let Some(guard) = &self.0 else { return };
        let (network, now) = (Network::of(address), Instant::now());
        guard.one_name.charge(&(network, user), now);
        guard.all_names.charge(&network, now);
    }

    /// Notes that a login was good: what failed for this user from this address was a mistake, and is forgotten.
    /// It stays counted for the address: else one good account would let it guess the passwords of all others.
    pub fn succeeded(&self, address: IpAddr, user: &str) {
        let Some(guard) = &self.0 else { return };
        let network = Network::of(address);
        guard.one_name.forget(&(network, user), Instant::now());
    }
}

impl Counted {
    fn new(per_minute: NonZeroU32) -> Self {
        Self {
            clients: Clients::new(),
            rate: Rate::new(per_minute, Duration::from_secs(60), per_minute.get()),
        }
    }

    fn wait(&self, client: &impl std::hash::Hash, now: Instant) -> Option<Duration> {
        let client = self.clients.get(self.clients.id(client));
        self.rate.wait(client.due, self.clients.elapsed(now))
    }

    fn charge(&self, client: &impl std::hash::Hash, now: Instant) {
        let id = self.clients.id(client);
        self.clients.change(id, now, |client, now| {
            client.due = self.rate.charge(client.due, now);
        });
    }

    fn forget(&self, client: &impl std::hash::Hash, now: Instant) {
        let id = self.clients.id(client);
        self.clients
            .change(id, now, |client, _| client.due = Duration::ZERO);
    }
}
