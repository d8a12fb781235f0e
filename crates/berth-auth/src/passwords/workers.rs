use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{AcquireError, Semaphore, TryAcquireError};
use tokio::time::timeout;

use super::StoredHash;
use crate::{AuthenticationError, StoreError};

/// How many hashes are computed at once, at most: other requests need processors too, and each hash takes memory.
const MOST_AT_WORK: usize = 4;

/// How many may wait until one of those is done.
const WAITING: usize = 64;

/// How long they wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// When to try again, if there was no place to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Computes hashes of passwords on blocking threads, a few at once, while some more wait.
pub(super) struct Workers {
    /// One for each that computes or waits.
    places: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
    #[cfg(test)]
    computed: Arc<std::sync::atomic::AtomicUsize>,
}

impl Default for Workers {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::new((processors / 2).clamp(1, MOST_AT_WORK), WAITING)
    }
}

impl Workers {
    fn new(at_work: usize, waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_work + waiting)),
            at_work: Arc::new(Semaphore::new(at_work)),
            #[cfg(test)]
            computed: Arc::default(),
        }
    }

    /// Whether it is the hash of this password.
    pub(super) async fn verify(
        &self,
        password: &SecretString,
        hash: &StoredHash,
    ) -> Result<bool, AuthenticationError> {
        let (password, hash) = (password.clone(), hash.clone());
        #[cfg(test)]
        let computed = Arc::clone(&self.computed);
        let verifying = self.run(move || {
            #[cfg(test)]
            computed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            hash.matches(&password)
        });
        verifying.await?.map_err(failed)
    }

    /// Whoever asked may go away: the work goes on, and has its place until it is done.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthenticationError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|error| match error {
            TryAcquireError::NoPermits => too_many(),
            TryAcquireError::Closed => failed(error),
        })?;
        let turn = timeout(PATIENCE, Arc::clone(&self.at_work).acquire_owned()).await;
        let turn = turn
            .map_err(|_| too_many())?
            .map_err(failed::<AcquireError>)?;
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, place));
            done
        });
        working.await.map_err(failed)
    }

    /// Takes every place at work until it is dropped.
    #[cfg(test)]
    pub(super) async fn occupy(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(self.at_work.available_permits()).expect("a few");
        let all = Arc::clone(&self.at_work).acquire_many_owned(all).await;
        all.expect("places")
    }

    #[cfg(test)]
    pub(super) fn computed(&self) -> usize {
        self.computed.load(std::sync::atomic::Ordering::Relaxed)
    }
}

pub(super) fn too_many() -> AuthenticationError {
    AuthenticationError::TooManyAttempts {
        retry_after: RETRY_AFTER,
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(error: E) -> AuthenticationError {
    AuthenticationError::Store(StoreError(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn who_finds_no_place_is_told_so_at_once() {
        let workers = Arc::new(Workers::new(1, 1));
        let (let_go, until) = mpsc::channel::<()>();
        let run = |work: Box<dyn FnOnce() + Send>| {
            let workers = Arc::clone(&workers);
            tokio::spawn(async move { workers.run(work).await })
        };
        let first = run(Box::new(move || until.recv().expect("a word")));
        while workers.at_work.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let second = run(Box::new(|| ()));
        while workers.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }

        let third = workers.run(|| ()).await;
        assert!(matches!(
            third,
            Err(AuthenticationError::TooManyAttempts { .. })
        ));
        let_go.send(()).expect("somebody who waits for it");
        assert!(first.await.expect("a task").is_ok());
        assert!(second.await.expect("a task").is_ok());
        assert!(workers.run(|| ()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long() {
        let workers = Workers::new(1, 1);
        let _turn = Arc::clone(&workers.at_work).acquire_owned().await;
        let waiting = workers.run(|| ()).await;
        assert!(matches!(
            waiting,
            Err(AuthenticationError::TooManyAttempts { .. })
        ));
    }

    #[tokio::test]
    async fn work_has_its_place_until_it_is_done() {
        let workers = Workers::new(1, 0);
        let (let_go, until) = mpsc::channel::<()>();
        let abandoned = workers.run(move || until.recv().expect("a word"));
        assert!(timeout(Duration::from_millis(10), abandoned).await.is_err());

        let next = workers.run(|| ()).await;
        assert!(matches!(
            next,
            Err(AuthenticationError::TooManyAttempts { .. })
        ));
        let_go.send(()).expect("somebody who waits for it");
        while workers.places.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(workers.run(|| ()).await.is_ok());
    }
}
