use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use berth_spec::SessionId;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, warn};

use crate::{HeldRevision, RecordsError, SessionLeases, SessionRecords, UploadError};

/// How long a session is lost to others after the process that worked on it was killed.
pub(crate) const DURATION: Duration = Duration::from_secs(15);

/// How much earlier than others may take a session whoever has it stops: clocks do not run equally fast, and what was
/// begun takes a moment to end.
const MARGIN: Duration = Duration::from_secs(1);

/// How long after one renewal the next one is tried.
pub(crate) const RENEWAL: Duration = Duration::from_secs(5);

/// How long after a renewal that failed it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// The right to work on a session, against other processes; renewed until this is dropped, and then given back.
#[derive(Debug)]
pub(crate) struct Lease {
    id: SessionId,
    /// Until when it lasts for certain.
    end: watch::Receiver<Instant>,
    /// Dropped to say that the work has ended.
    working: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl Lease {
    /// A lease that was asked for at `begun`, and got under this revision.
    pub(crate) fn of(
        records: &Arc<dyn SessionRecords>,
        held: HeldRevision,
        begun: Instant,
    ) -> Self {
        let id = held.id;
        let (renewed, end) = watch::channel(end_of(begun));
        let (working, ended) = oneshot::channel();
        let records = Arc::clone(records);
        let keeper = tokio::spawn(async move {
            if let Some(leases) = records.leases() {
                keep(leases, &held, renewed, ended).await;
            }
        });
        Self {
            id,
            end,
            working,
            keeper,
        }
    }

    /// Does work as long as the lease lasts for certain. What is given up when it does not may have its effect
    /// still, where a fence lets it.
    pub(crate) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, UploadError>>,
    ) -> Result<T, UploadError> {
        let mut work = pin!(work);
        let mut over = pin!(self.over());
        poll_fn(|context| {
            // Not the timer alone: a process that was paused does not take one more step when it wakes.
            if self.is_over() || over.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(UploadError::Lost(self.id)));
            }
            work.as_mut().poll(context)
        })
        .await
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= *self.end.borrow()
    }

    /// Waits until the lease does not last for certain any more.
    async fn over(&self) {
        let mut end = self.end.clone();
        while !self.is_over() {
            let until = *end.borrow_and_update();
            // An error is that nobody renews it any more: it ends.
            if let Ok(Err(_)) = timeout_at(until, end.changed()).await {
                sleep_until(until).await;
            }
        }
    }

    /// Forgets the lease: the session was changed or has ended, and so has this.
    pub(crate) fn settle(self) {
        self.keeper.abort();
    }

    /// Gives the lease back, before this answers if it lasts still.
    pub(crate) async fn give_back(self) {
        let is_over = self.is_over();
        drop(self.working);
        if !is_over {
            let _cut_off = self.keeper.await;
        }
    }
}

/// Until when a lease lasts for certain that was asked for at a time.
fn end_of(asked: Instant) -> Instant {
    asked + DURATION - MARGIN
}

async fn keep(
    leases: &dyn SessionLeases,
    held: &HeldRevision,
    renewed: watch::Sender<Instant>,
    ended: oneshot::Receiver<()>,
) {
    let renewing = async {
        renew(leases, held, &renewed).await;
        pending().await
    };
    tokio::select! {
        biased;
        _ = ended => {}
        () = renewing => {}
    }
    if let Err(error) = leases.give_back(held).await {
        debug!(session = %held.id, %error, "the lease of an upload session was not given back, and ends by itself");
    }
}

/// Renews a lease until that cannot be done in time.
async fn renew(leases: &dyn SessionLeases, held: &HeldRevision, renewed: &watch::Sender<Instant>) {
    let mut next = Instant::now() + RENEWAL;
    loop {
        let end = *renewed.borrow();
        sleep_until(next.min(end)).await;
        let asked = Instant::now();
        if asked >= end {
            return;
        }
        match timeout_at(end, leases.renew(held, DURATION)).await {
            Ok(Ok(true)) => {
                renewed.send_replace(end_of(asked));
                next = asked + RENEWAL;
            }
            // Its own work may have changed the session just now; if somebody else has, it is fenced off.
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(error)) => {
                not_renewed(held.id, &error);
                next = Instant::now() + AGAIN;
            }
        }
    }
}

fn not_renewed(id: SessionId, error: &RecordsError) {
    warn!(session = %id, %error, "cannot renew the lease of an upload session; trying again");
}
