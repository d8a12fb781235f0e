//! How many connections there are at most, in all and from one address.
//!
//! When all places are taken, nobody more is accepted until one is free: clients wait in the queue of the system. To
//! close their connections instead would make them come again at once, and that takes time from those that are
//! served. Places become free, since connections that are idle or stalled are closed. Who has too many connections is
//! known only after one more was accepted, so that one is closed at once: it must not take a place that others could have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant};
use tracing::warn;

use crate::throttle::Network;

/// How often at most the log is told.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// How many file handles the database, and a few blobs and uploads, need in any case.
const RESERVE: u64 = 128;

/// How many connections there may be at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all; `None` for as many as there are file handles. More wait to be accepted.
    pub all: Option<NonZeroU32>,
    /// From one address, or one network of 64 bits of IPv6, that is no trusted proxy. More are closed at once.
    pub one_address: Option<NonZeroU32>,
}

impl ConnectionLimits {
    /// For a process that may have so many file handles: three quarters of them, which leaves the others to
    /// blobs, uploads and the database, or fewer where these were less than 128 (but a quarter at least); and a
    /// quarter of that to one address, if it is more than 256.
    pub fn of_file_handles(handles: u64) -> Self {
        let quarter = handles / 4;
        let all = (quarter * 3)
            .min(handles.saturating_sub(RESERVE))
            .max(quarter);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        let all = NonZeroU32::new(all).unwrap_or(NonZeroU32::MIN);
        Self::of_connections(all)
    }

    /// For so many connections in all: a quarter of them to one address, if it is more than 256.
    pub fn of_connections(all: NonZeroU32) -> Self {
        let quarter = (all.get() / 4).max(256);
        Self {
            all: Some(all),
            one_address: NonZeroU32::new(quarter),
        }
    }
}

/// The places for connections.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    networks: Arc<Networks>,
    told: Told,
}

/// A place that is free.
pub(crate) struct Free {
    /// `None` never: the places are not closed.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The place of one connection, free again when this is dropped.
pub(crate) struct Place {
    _free: Free,
    _counted: Option<Counted>,
}

/// How many connections the networks have that have any: as many as there are places at most.
struct Networks {
    taken: Mutex<HashMap<Network, u32>>,
    most: u32,
}

/// A connection that counts among those of its network.
struct Counted {
    networks: Arc<Networks>,
    network: Network,
}

/// When the log was told last that there are too many.
#[derive(Default)]
struct Told(Option<Instant>);

impl Places {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        let most = |limit: Option<NonZeroU32>| limit.map_or(u32::MAX, NonZeroU32::get);
        let all = usize::try_from(most(limits.all)).unwrap_or(usize::MAX);
        Self {
            free: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            networks: Arc::new(Networks {
                taken: Mutex::default(),
                most: most(limits.one_address),
            }),
            told: Told::default(),
        }
    }

    /// Waits until a place is free.
    pub(crate) async fn free(&mut self) -> Free {
        if self.free.available_permits() == 0 && self.told.is_time() {
            warn!(
                "all connections are taken: more wait; the option connections says how many there are"
            );
        }
        let permit = Arc::clone(&self.free).acquire_owned().await;
        Free {
            _permit: permit.ok(),
        }
    }

    /// Gives the place to a connection from this address; `None` if that has too many. A proxy has as many as it
    /// likes: it has those of all its clients.
    pub(crate) fn give(&mut self, free: Free, peer: IpAddr, is_proxy: bool) -> Option<Place> {
        if is_proxy {
            return Some(Place {
                _free: free,
                _counted: None,
            });
        }
        let counted = Networks::count(&self.networks, Network::of(peer));
        if counted.is_none() && self.told.is_time() {
            warn!(
                client = %peer,
                "a client has too many connections: more are closed; the option connections_per_address says how many it may have"
            );
        }
        Some(Place {
            _free: free,
            _counted: Some(counted?),
        })
    }
}

impl Networks {
    fn count(networks: &Arc<Self>, network: Network) -> Option<Counted> {
        let mut taken = networks.taken();
        let count = taken.entry(network).or_default();
        if *count >= networks.most {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Counted {
            networks: Arc::clone(networks),
            network,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Network, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = self.networks.taken();
        let left = taken.get(&self.network).map_or(0, |count| count - 1);
        match left {
            0 => taken.remove(&self.network),
            left => taken.insert(self.network, left),
        };
    }
}

impl Told {
    fn is_time(&mut self) -> bool {
        let is_time = self.0.is_none_or(|told| told.elapsed() >= TELL_AGAIN);
        if is_time {
            self.0 = Some(Instant::now());
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    fn places(all: u32, one_address: u32) -> Places {
        Places::new(ConnectionLimits {
            all: NonZeroU32::new(all),
            one_address: NonZeroU32::new(one_address),
        })
    }

    async fn connect(places: &mut Places, peer: &str, is_proxy: bool) -> Option<Place> {
        let free = places.free().await;
        places.give(free, peer.parse().unwrap(), is_proxy)
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_places_are_taken_the_next_one_waits_for_one_that_ends() {
        let mut places = places(2, 2);
        let first = connect(&mut places, "192.0.2.1", false).await;
        let second = connect(&mut places, "192.0.2.2", false).await;
        assert!(first.is_some() && second.is_some());
        let wait = timeout(Duration::from_secs(60), places.free()).await;
        assert!(wait.is_err());
        drop(first);
        assert!(connect(&mut places, "192.0.2.3", false).await.is_some());
    }

    #[tokio::test]
    async fn an_address_has_its_share_and_takes_no_more() {
        let mut places = places(100, 2);
        let mut kept = Vec::new();
        for (peer, is_let_in) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8::1", true),
            ("2001:db8::2", true),
            ("2001:db8::3:4", false),
            ("2001:db8:0:1::1", true),
        ] {
            let place = connect(&mut places, peer, false).await;
            assert_eq!(place.is_some(), is_let_in, "{peer}");
            kept.extend(place);
        }
        // Those that were refused have no place.
        assert_eq!(places.free.available_permits(), 100 - kept.len());
        kept.clear();
        assert!(places.networks.taken().is_empty());
        assert_eq!(places.free.available_permits(), 100);
        assert!(connect(&mut places, "192.0.2.1", false).await.is_some());
    }

    #[tokio::test]
    async fn a_proxy_has_the_connections_of_all_its_clients() {
        let mut places = places(100, 1);
        let mut kept = Vec::new();
        for _ in 0..10 {
            kept.push(connect(&mut places, "10.0.0.1", true).await.unwrap());
        }
        assert!(kept.iter().all(|place| place._counted.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_is_told_once_a_second() {
        let mut told = Told::default();
        assert!(told.is_time());
        assert!(!told.is_time());
        advance(TELL_AGAIN).await;
        assert!(told.is_time());
    }

    #[test]
    fn a_quarter_of_the_file_handles_is_for_other_things() {
        for (handles, all, one_address) in [
            (0, 1, 256),
            (64, 16, 256),
            (256, 128, 256),
            (1024, 768, 256),
            (20_000, 15_000, 3750),
            (u64::MAX, u32::MAX, u32::MAX / 4),
        ] {
            let limits = ConnectionLimits::of_file_handles(handles);
            let told = (limits.all, limits.one_address);
            let expected = (NonZeroU32::new(all), NonZeroU32::new(one_address));
            assert_eq!(told, expected, "{handles}");
        }
    }
}
