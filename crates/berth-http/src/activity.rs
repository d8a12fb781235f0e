use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
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
    /// The answers that are watched.
    sending: BTreeMap<u64, Sending>,
    next: u64,
}

/// An answer that is watched.
#[derive(Debug)]
struct Sending {
    went_on: Instant,
    /// For how long it may not go on.
    patience: Duration,
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
    pub(crate) fn begin(&self) -> Arc<UnderWay> {
        let mut state = self.lock();
        state.requests += 1;
        state.next += 1;
        Arc::new(UnderWay {
            activity: self.clone(),
            id: state.next,
        })
    }

    /// Notes that the client took bytes, or that some wait for it to do so. The end of an answer that
    /// is not watched is handed over before it is taken.
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

    /// Whether the client takes nothing of an answer for longer than that one may wait, or of any for
    /// longer than `patience`, if answers that are watched are all there is.
    pub(crate) fn is_stalled(&self, now: Instant, patience: Duration) -> bool {
        let state = self.lock();
        let answers = || state.sending.values();
        let waits = |answer: &Sending| now.saturating_duration_since(answer.went_on);
        let is_all = state.requests > 0 && state.sending.len() == state.requests;
        answers().any(|answer| waits(answer) > answer.patience)
            || is_all && answers().all(|answer| waits(answer) > patience)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way: from its head to the last byte of its answer, which the client has taken if
/// the answer is watched, and the connection has taken over if not.
#[derive(Debug)]
pub(crate) struct UnderWay {
    activity: Activity,
    id: u64,
}

impl UnderWay {
    /// Watches from now on whether the answer goes on. If it does not do so for longer than `patience`, it
    /// counts as stalled, whatever else goes on.
    pub(crate) fn watch(&self, patience: Duration) {
        let sending = Sending {
            went_on: Instant::now(),
            patience,
        };
        self.activity.lock().sending.insert(self.id, sending);
    }

    /// Notes that the answer goes on, if that is watched. Answers whether it is.
    pub(crate) fn goes_on(&self) -> bool {
        let mut state = self.activity.lock();
        let Some(sending) = state.sending.get_mut(&self.id) else {
            return false;
        };
        sending.went_on = Instant::now();
        true
    }

    /// Bytes of the answer, for the connection. If the answer is watched, the request is under way until
    /// they are dropped, which is when the client takes them.
    pub(crate) fn hand_over(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        if !self.goes_on() {
            return bytes;
        }
        Bytes::from_owner(Piece {
            bytes,
            under_way: Arc::clone(self),
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.activity.lock();
        state.requests -= 1;
        state.idle_since = Instant::now();
        state.sending.remove(&self.id);
    }
}

/// A piece of an answer that waits for the client to take it.
struct Piece {
    bytes: Bytes,
    under_way: Arc<UnderWay>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.under_way.goes_on();
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
        let is_stalled = || activity.is_stalled(Instant::now(), SECOND);
        let unwatched = activity.begin();
        let (first, second) = (activity.begin(), activity.begin());
        assert!(!is_stalled());
        first.watch(SECOND * 10);
        second.watch(SECOND * 10);
        tokio::time::advance(SECOND * 2).await;
        assert!(!is_stalled());
        drop(unwatched);
        assert!(is_stalled());
        assert!(first.goes_on());
        assert!(!is_stalled());
        drop((first, second));
        assert!(!is_stalled());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_for_a_bounded_time_whatever_else_goes_on() {
        let activity = Activity::new();
        let is_stalled = || activity.is_stalled(Instant::now(), SECOND * 3);
        let _unwatched = activity.begin();
        let (patient, impatient) = (activity.begin(), activity.begin());
        patient.watch(SECOND * 10);
        impatient.watch(SECOND);
        for _ in 0..10 {
            tokio::time::advance(SECOND).await;
            assert!(!is_stalled());
            impatient.goes_on();
        }
        tokio::time::advance(SECOND).await;
        assert!(is_stalled(), "the patient one waits for too long");
        patient.goes_on();
        assert!(!is_stalled());
        tokio::time::advance(SECOND).await;
        assert!(is_stalled(), "the impatient one waits for too long");
    }

    #[tokio::test(start_paused = true)]
    async fn a_watched_request_ends_when_its_last_bytes_are_taken() {
        let activity = Activity::new();
        let under_way = activity.begin();
        assert_eq!(under_way.hand_over(Bytes::from("head")), "head");
        under_way.watch(SECOND);
        let mut last = under_way.hand_over(Bytes::from("the end"));
        drop(under_way);
        assert_eq!(activity.idle(Instant::now()), None);
        tokio::time::advance(SECOND * 2).await;
        assert!(activity.is_stalled(Instant::now(), SECOND));
        assert_eq!(last.split_to(4), "the ");
        assert_eq!(activity.idle(Instant::now()), None);
        drop(last);
        assert_eq!(activity.idle(Instant::now()), Some(Duration::ZERO));
        assert!(!activity.is_stalled(Instant::now(), SECOND));
    }
}
