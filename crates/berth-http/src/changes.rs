//! Changes that go on to their end, whatever becomes of the client.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::Instrument;

/// How many changes may go on without a client before another one begins.
const LEFT: usize = 256;

/// Carries changes out, so that it is known what came of each.
#[derive(Clone, Debug)]
pub(crate) struct Changes(Arc<Semaphore>);

/// A change broke off: the server ends, or there is a mistake in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrokeOff;

impl Changes {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LEFT)))
    }

    /// Does some work to its end, also if nobody waits for it any more. Where much is under way that nobody waits for,
    /// it waits until some of that is done: clients that ask and go away must not pile up work.
    pub(crate) async fn carry_out<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, BrokeOff> {
        drop(self.0.acquire().await);
        let (left, is_left) = oneshot::channel();
        let mut client = Client {
            changes: Arc::clone(&self.0),
            left: Some(left),
        };
        let work = async move {
            // If the client goes away, this gets a place among those that go on without one, and keeps it until now.
            let _is_left = is_left;
            work.await
        };
        let outcome = tokio::spawn(work.in_current_span()).await;
        client.left = None;
        outcome.map_err(|_| BrokeOff)
    }
}

/// Who waits for a change.
struct Client {
    changes: Arc<Semaphore>,
    /// Where it is told that they do not any more.
    left: Option<oneshot::Sender<OwnedSemaphorePermit>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(left) = self.left.take()
            && let Ok(place) = Arc::clone(&self.changes).try_acquire_owned()
        {
            // If it is done already, that ends the place at once.
            let _ = left.send(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{Duration, timeout};

    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_change_ends_without_its_client() {
        let changes = Changes::new();
        let (done, is_done) = oneshot::channel();
        let work = async move {
            tokio::time::sleep(SOON * 10).await;
            done.send("done").unwrap();
        };
        assert!(timeout(SOON, changes.carry_out(work)).await.is_err());
        assert_eq!(changes.0.available_permits(), LEFT - 1);
        assert_eq!(is_done.await, Ok("done"));
        tokio::task::yield_now().await;
        assert_eq!(changes.0.available_permits(), LEFT);
        assert_eq!(changes.carry_out(async { 7 }).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_are_left_do_not_pile_up() {
        let changes = Changes::new();
        for _ in 0..LEFT {
            let left = timeout(SOON, changes.carry_out(pending::<()>())).await;
            assert!(left.is_err());
        }
        let more = changes.carry_out(async {});
        assert!(timeout(SOON, more).await.is_err());
    }
}
