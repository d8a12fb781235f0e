use std::sync::Arc;
use std::time::Duration;

use berth_spec::SessionId;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, warn};

use crate::{RecordsError, SessionLeases, SessionRecords, UploadError};

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
    is_lost: watch::Receiver<bool>,
    /// Dropped to say that the work has ended.
    working: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl Lease {
    /// A lease that was asked for at `begun`, and got under this revision.
    pub(crate) fn of(
        records: &Arc<dyn SessionRecords>,
        id: SessionId,
        revision: u64,
        begun: Instant,
    ) -> Self {
        let (lost, is_lost) = watch::channel(false);
        let (working, ended) = oneshot::channel();
        let records = Arc::clone(records);
        let keeper = tokio::spawn(async move {
            if let Some(leases) = records.leases() {
                keep(leases, id, revision, begun, lost, ended).await;
            }
        });
        Self {
            id,
            is_lost,
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
        let mut is_lost = self.is_lost.clone();
        tokio::select! {
            biased;
            outcome = work => outcome,
            _ = is_lost.wait_for(|is_lost| *is_lost) => Err(UploadError::Lost(self.id)),
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        *self.is_lost.borrow()
    }

    /// Forgets the lease: the session was changed or has ended, and so has this.
    pub(crate) fn settle(self) {
        self.keeper.abort();
    }

    /// Gives the lease back, before this answers if the records can be reached.
    pub(crate) async fn give_back(self) {
        let is_lost = self.is_lost();
        drop(self.working);
        if !is_lost {
            let _cut_off = self.keeper.await;
        }
    }
}

async fn keep(
    leases: &dyn SessionLeases,
    id: SessionId,
    revision: u64,
    begun: Instant,
    lost: watch::Sender<bool>,
    mut ended: oneshot::Receiver<()>,
) {
    tokio::select! {
        biased;
        _ = &mut ended => {}
        () = renew(leases, id, revision, begun) => {
            lost.send_replace(true);
            let _ = ended.await;
        }
    }
    if let Err(error) = leases.give_back(id, revision).await {
        debug!(session = %id, %error, "the lease of an upload session was not given back, and ends by itself");
    }
}

/// Renews a lease until that cannot be done in time.
async fn renew(leases: &dyn SessionLeases, id: SessionId, revision: u64, begun: Instant) {
    let mut end = begun + DURATION - MARGIN;
    let mut next = begun + RENEWAL;
    loop {
        sleep_until(next.min(end)).await;
        let asked = Instant::now();
        if asked >= end {
            return;
        }
        match timeout_at(end, leases.renew(id, revision, DURATION)).await {
            Ok(Ok(true)) => {
                end = asked + DURATION - MARGIN;
                next = asked + RENEWAL;
            }
            // Its own work may have changed the session just now; if somebody else has, it is fenced off.
            Ok(Ok(false)) => next = end,
            Ok(Err(error)) => {
                not_renewed(id, &error);
                next = Instant::now() + AGAIN;
            }
            Err(_) => return,
        }
    }
}

fn not_renewed(id: SessionId, error: &RecordsError) {
    warn!(session = %id, %error, "cannot renew the lease of an upload session; trying again");
}
