use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

use tokio::time::{Duration, Instant};

/// Into how many parts the clients are divided, so that requests of different ones seldom wait for each other.
const SHARDS: usize = 64;

/// How many clients each part remembers.
const MOST: usize = 2048;

type Shard = HashMap<u64, Client>;

/// What is remembered of many clients, under an id of fixed size for each: a client cannot choose how much
/// memory it takes, nor, since the ids depend on a random key, whose id it shares.
#[derive(Debug)]
pub(super) struct Clients {
    started: Instant,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

/// What is remembered of one client. One of whom nothing needs to be is not in the map.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Client {
    /// When its next request (or failure) is due if they come evenly, since the start.
    pub(super) due: Duration,
    /// How many of its requests are under way.
    pub(super) under_way: u32,
}

impl Client {
    fn is_new(&self, now: Duration) -> bool {
        self.due <= now && self.under_way == 0
    }
}

impl Clients {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The id of a client. That two have the same is about as likely as that a disk reads a wrong byte unnoticed; it
    /// would make them share their limits.
    pub(super) fn id(&self, client: &impl Hash) -> u64 {
        self.hasher.hash_one(client)
    }

    /// What is remembered of a client.
    pub(super) fn get(&self, id: u64) -> Client {
        let shard = self.shard(id).lock();
        let shard = shard.unwrap_or_else(PoisonError::into_inner);
        shard.get(&id).copied().unwrap_or_default()
    }

    /// Changes what is remembered of a client. `None` if there is no room for one more: every other one has requests
    /// under way. Nothing is remembered then.
    pub(super) fn change<T>(
        &self,
        id: u64,
        now: Instant,
        change: impl FnOnce(&mut Client, Duration) -> T,
    ) -> Option<T> {
        let now = self.elapsed(now);
        let shard = self.shard(id).lock();
        let mut shard = shard.unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = shard.get_mut(&id) {
            let outcome = change(client, now);
            if client.is_new(now) {
                shard.remove(&id);
            }
            return Some(outcome);
        }
        let mut client = Client::default();
        let outcome = change(&mut client, now);
        if client.is_new(now) {
            return Some(outcome);
        }
        make_room(&mut shard, now);
        if shard.len() >= MOST {
            return None;
        }
        shard.insert(id, client);
        Some(outcome)
    }

    /// The time since the start, in which `due` is told.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    fn shard(&self, id: u64) -> &Mutex<Shard> {
        &self.shards[id as usize % SHARDS]
    }
}

/// Makes room for one more: forgets whoever is as good as new, and if those are few, whoever is nearest to it. It has
/// work to do only when the map is full, and leaves a quarter of it free, so that it seldom has.
fn make_room(shard: &mut Shard, now: Duration) {
    let limit = shard.capacity().min(MOST);
    if shard.len() < limit {
        return;
    }
    shard.retain(|_, client| !client.is_new(now));
    match shard.len() {
        few if few < limit / 4 => shard.shrink_to(few * 2),
        many if limit < MOST && many > limit / 2 => shard.reserve(many),
        many if many > MOST / 4 * 3 => forget_nearest_to_new(shard, many - MOST / 4 * 3),
        _ => {}
    }
}

fn forget_nearest_to_new(shard: &mut Shard, count: usize) {
    let idle = shard.values().filter(|client| client.under_way == 0);
    let mut due: Vec<Duration> = idle.map(|client| client.due).collect();
    let Some(last) = count.min(due.len()).checked_sub(1) else {
        return;
    };
    let (_, latest, _) = due.select_nth_unstable(last);
    shard.retain(|_, client| client.under_way > 0 || client.due > *latest);
}

#[cfg(test)]
impl Clients {
    /// How many clients are remembered at most.
    pub(super) const MOST: usize = SHARDS * MOST;

    pub(super) fn len(&self) -> usize {
        self.sum_of(HashMap::len)
    }

    pub(super) fn capacity(&self) -> usize {
        self.sum_of(HashMap::capacity)
    }

    fn sum_of(&self, count: impl Fn(&Shard) -> usize) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| count(&shard.lock().unwrap())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn full(client: impl Fn(u64) -> Client) -> Shard {
        (0..MOST as u64).map(|id| (id, client(id))).collect()
    }

    #[test]
    fn those_that_ask_for_the_least_are_forgotten_first() {
        let due = |id| Client {
            due: SECOND * u32::try_from(id).unwrap(),
            under_way: u32::from(id == 0),
        };
        let mut shard = full(due);
        make_room(&mut shard, Duration::ZERO);
        let quarter = MOST as u64 / 4;
        let is_kept = |id| id == 0 || id > quarter;
        for id in 0..MOST as u64 {
            assert_eq!(shard.contains_key(&id), is_kept(id), "{id}");
        }
    }

    #[test]
    fn those_that_are_as_good_as_new_are_forgotten_before_others() {
        let due = |id| Client {
            due: SECOND * u32::from(id % 2 == 0),
            under_way: 0,
        };
        let mut shard = full(due);
        make_room(&mut shard, SECOND / 2);
        assert_eq!(shard.len(), MOST / 2);
        assert!(shard.keys().all(|id| id % 2 == 0));
    }

    #[test]
    fn where_all_have_requests_under_way_there_is_no_room() {
        let clients = Clients::new();
        let now = Instant::now();
        let begin = |id| clients.change(id, now, |client, _| client.under_way += 1);
        // All in one part.
        let ids = (0..MOST as u64).map(|number| number * SHARDS as u64);
        assert!(ids.clone().all(|id| begin(id).is_some()));
        let more = MOST as u64 * SHARDS as u64;
        assert_eq!(begin(more), None);
        assert_eq!(clients.len(), MOST);
        clients.change(0, now, |client, _| client.under_way -= 1);
        assert_eq!(begin(more), Some(()));
        assert!(ids.skip(1).all(|id| clients.get(id).under_way == 1));
    }
}
