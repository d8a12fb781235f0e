use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

/// What goes on on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    requests: usize,
    /// When the last request ended, or the last bytes after that were taken.
    idle_since: Instant,
    /// Whether bytes wait for the client to take them.
    must_write: bool,
    /// When each answer that is watched last went on.
    sending: BTreeMap<u64, Instant>,
    next: u64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            requests: 0,
            idle_since: Instant::now(),
            must_write: false,
            sending: BTreeMap::new(),
            next: 0,
        })))
    }

    /// Notes that a request is under way, until the answer is dropped.
    pub(crate) fn begin(&self) -> UnderWay {
        self.lock().requests += 1;
        UnderWay {
            activity: self.clone(),
            watched: None,
        }
    }

    /// Notes that the client took bytes, or that some wait for it to do so. The end of an answer is
    /// handed over before it is taken.
    pub(crate) fn wrote(&self, all: bool) {
        let mut state = self.lock();
        if all && state.must_write {
            state.idle_since = Instant::now();
        }
        state.must_write = !all;
    }

    /// For how long no request has been under way and no bytes have waited; `None` if there are.
    pub(crate) fn idle(&self, now: Instant) -> Option<Duration> {
        let state = self.lock();
        let is_idle = state.requests == 0 && !state.must_write;
        is_idle.then(|| now.saturating_duration_since(state.idle_since))
    }

    /// For how long nothing has gone on, if all there is are answers that are watched. `None` as long
    /// as there is anything else: one that is not taken harms no other.
    pub(crate) fn stalled(&self, now: Instant) -> Option<Duration> {
        let state = self.lock();
        let latest = state.sending.values().max()?;
        let is_all = state.sending.len() == state.requests;
        is_all.then(|| now.saturating_duration_since(*latest))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way, from its head to the last byte of its answer.
#[derive(Debug)]
pub(crate) struct UnderWay {
    activity: Activity,
    watched: Option<u64>,
}

impl UnderWay {
    /// Watches from now on whether the answer goes on.
    pub(crate) fn watch(&mut self) {
        let mut state = self.activity.lock();
        let id = state.next;
        state.next += 1;
        state.sending.insert(id, Instant::now());
        drop(state);
        self.watched = Some(id);
    }

    /// Notes that the answer goes on, if that is watched.
    pub(crate) fn goes_on(&self) {
        if let Some(id) = self.watched {
            self.activity.lock().sending.insert(id, Instant::now());
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.activity.lock();
        state.requests -= 1;
        state.idle_since = Instant::now();
        if let Some(id) = self.watched {
            state.sending.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_no_request_is_under_way() {
        let activity = Activity::new();
        tokio::time::advance(SECOND).await;
        assert_eq!(activity.idle(Instant::now()), Some(SECOND));
        let (first, second) = (activity.begin(), activity.begin());
        drop(first);
        assert_eq!(activity.idle(Instant::now()), None);
        drop(second);
        assert_eq!(activity.idle(Instant::now()), Some(Duration::ZERO));
        tokio::time::advance(SECOND).await;
        activity.wrote(false);
        assert_eq!(activity.idle(Instant::now()), None);
        activity.wrote(true);
        assert_eq!(activity.idle(Instant::now()), Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn answers_stall_together() {
        let activity = Activity::new();
        let unwatched = activity.begin();
        let (mut first, mut second) = (activity.begin(), activity.begin());
        assert_eq!(activity.stalled(Instant::now()), None);
        first.watch();
        second.watch();
        tokio::time::advance(SECOND).await;
        assert_eq!(activity.stalled(Instant::now()), None);
        drop(unwatched);
        assert_eq!(activity.stalled(Instant::now()), Some(SECOND));
        first.goes_on();
        assert_eq!(activity.stalled(Instant::now()), Some(Duration::ZERO));
        drop((first, second));
        assert_eq!(activity.stalled(Instant::now()), None);
    }
}
