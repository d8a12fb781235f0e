use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

/// Keys cannot be had now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} cannot be had now: {why}")]
pub struct Unavailable {
    what: String,
    why: String,
}

impl Unavailable {
    pub(super) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
        }
    }
}

/// How long loading may take: whoever waits for it waits no longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where a value comes from.
#[async_trait]
pub(super) trait Load: Send + Sync + 'static {
    type Value: Send + Sync + 'static;

    /// What the value is, for messages.
    fn what(&self) -> String;

    async fn load(&self) -> Result<Self::Value, Unavailable>;
}

/// How often a value is loaded.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// A value of this age is served as it is.
    pub(super) fresh_for: Duration,
    /// One of this age too, while the next is loaded in the background.
    pub(super) usable_for: Duration,
    /// One of this age only if there is no other to be had.
    pub(super) kept_for: Duration,
    /// The shortest time from one attempt to the next, once there is a value.
    pub(super) apart: Duration,
    /// The same, while there is none.
    pub(super) apart_at_first: Duration,
}

/// A value that is loaded from somewhere slow, kept in memory and loaded again: never twice at a time, never more often than its
/// pace says, whatever requests come.
pub(super) struct Refreshed<L: Load>(Arc<Shared<L>>);

struct Shared<L: Load> {
    loader: L,
    pace: Pace,
    loaded: RwLock<Option<Loaded<L::Value>>>,
    /// Held while loading.
    attempt: Arc<Mutex<Attempt>>,
}

struct Loaded<V> {
    value: Arc<V>,
    at: Instant,
}

/// The last attempt to load.
#[derive(Default)]
struct Attempt {
    at: Option<Instant>,
    failure: Option<Unavailable>,
}

impl<L: Load> Refreshed<L> {
    pub(super) fn new(loader: L, pace: Pace) -> Self {
        Self(Arc::new(Shared {
            loader,
            pace,
            loaded: RwLock::new(None),
            attempt: Arc::default(),
        }))
    }

    /// The value: of memory, if it is not too old.
    pub(super) async fn get(&self) -> Result<Arc<L::Value>, Unavailable> {
        let pace = self.0.pace;
        if let Some((value, age)) = self.0.value() {
            if age <= pace.fresh_for {
                return Ok(value);
            }
            if age <= pace.usable_for {
                self.start();
                return Ok(value);
            }
        }
        self.load().await;
        self.newest().await
    }

    /// The value, loaded again if the pace allows it: for whoever misses something in it.
    pub(super) async fn get_again(&self) -> Result<Arc<L::Value>, Unavailable> {
        self.load().await;
        self.newest().await
    }

    async fn newest(&self) -> Result<Arc<L::Value>, Unavailable> {
        if let Some(value) = self.0.kept() {
            return Ok(value);
        }
        let attempt = self.0.attempt.lock().await;
        // Perhaps somebody has loaded it meanwhile.
        if let Some(value) = self.0.kept() {
            return Ok(value);
        }
        let failure = attempt.failure.clone();
        Err(failure.unwrap_or_else(|| Unavailable::new(self.0.loader.what(), "not loaded yet")))
    }

    /// Loads in the background, if nobody does and the pace allows it.
    fn start(&self) {
        if let Ok(attempt) = Arc::clone(&self.0.attempt).try_lock_owned()
            && self.0.is_due(&attempt)
        {
            tokio::spawn(Arc::clone(&self.0).load(attempt));
        }
    }

    /// Loads, if the pace allows it. Whoever comes while somebody loads waits for that.
    async fn load(&self) {
        match Arc::clone(&self.0.attempt).try_lock_owned() {
            // A task of its own: a client that hangs up does not end what others wait for.
            Ok(attempt) if self.0.is_due(&attempt) => {
                let loaded = tokio::spawn(Arc::clone(&self.0).load(attempt)).await;
                if let Err(error) = loaded {
                    tracing::error!(%error, "loading {} ended early", self.0.loader.what());
                }
            }
            Ok(_) => {}
            Err(_) => drop(self.0.attempt.lock().await),
        }
    }
}

impl<L: Load> Shared<L> {
    fn value(&self) -> Option<(Arc<L::Value>, Duration)> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.as_ref()?;
        Some((Arc::clone(&loaded.value), loaded.at.elapsed()))
    }

    /// The value, if it is not too old to be served at all.
    fn kept(&self) -> Option<Arc<L::Value>> {
        let (value, age) = self.value()?;
        (age <= self.pace.kept_for).then_some(value)
    }

    fn is_due(&self, attempt: &Attempt) -> bool {
        let apart = match self.value() {
            Some(_) => self.pace.apart,
            None => self.pace.apart_at_first,
        };
        attempt.at.is_none_or(|at| at.elapsed() >= apart)
    }

    async fn load(self: Arc<Self>, mut attempt: OwnedMutexGuard<Attempt>) {
        attempt.at = Some(Instant::now());
        let loaded = timeout(PATIENCE, self.loader.load()).await;
        let too_slow = |_| {
            let why = format!("it took longer than {} s", PATIENCE.as_secs());
            Err(Unavailable::new(self.loader.what(), why))
        };
        match loaded.unwrap_or_else(too_slow) {
            Ok(value) => {
                attempt.failure = None;
                let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
                *loaded = Some(Loaded {
                    value: Arc::new(value),
                    at: Instant::now(),
                });
            }
            Err(failure) => {
                tracing::warn!("{failure}");
                attempt.failure = Some(failure);
            }
        }
        // From the end, so that a slow answer does not make the next attempt follow at once.
        attempt.at = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    struct Never;

    #[async_trait]
    impl Load for Never {
        type Value = ();

        fn what(&self) -> String {
            "what never comes".to_owned()
        }

        async fn load(&self) -> Result<(), Unavailable> {
            pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_never_comes() {
        let second = Duration::from_secs(1);
        let refreshed = Refreshed::new(
            Never,
            Pace {
                fresh_for: second,
                usable_for: second,
                kept_for: second,
                apart: second,
                apart_at_first: second,
            },
        );
        let start = Instant::now();
        let (one, other) = tokio::join!(refreshed.get(), refreshed.get_again());
        for failed in [one, other] {
            let failed = failed.expect_err("an error").to_string();
            let expected = "what never comes cannot be had now: it took longer than 15 s";
            assert_eq!(failed, expected);
        }
        assert!(start.elapsed() < PATIENCE + second);
    }
}
