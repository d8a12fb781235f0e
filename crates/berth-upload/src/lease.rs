use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use berth_spec::SessionId;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use crate::{HeldRevision, RecordsError, SessionLeases, SessionRecords, UploadError};

/// How long a session is lost to others after the process that worked on it was killed.
pub(crate) const DURATION: Duration = Duration::from_secs(15);

/// How long after one renewal the next one is tried.
pub(crate) const RENEWAL: Duration = Duration::from_secs(5);

/// How long after a renewal that failed it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long work goes on after its session is found to be changed: it may have done so itself, and learn it in a moment.
const MOMENT: Duration = Duration::from_secs(1);

/// The right to work on a session, against other processes; renewed until this is dropped, and then given back.
#[derive(Debug)]
pub(crate) struct Lease {
    id: SessionId,
    /// When work under it stops. `None`, as long as nobody else is known to have the session.
    end: watch::Receiver<Option<Instant>>,
    /// Dropped to say that the work has ended.
    working: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl Lease {
    /// A lease that was got under this revision.
    pub(crate) fn of(records: &Arc<dyn SessionRecords>, held: HeldRevision) -> Self {
        let id = held.id;
        let (over, end) = watch::channel(None);
        let (working, ended) = oneshot::channel();
        let records = Arc::clone(records);
        let keeper = tokio::spawn(async move {
            if let Some(leases) = records.leases() {
                keep(leases, &held, over, ended).await;
            }
        });
        Self {
            id,
            end,
            working,
            keeper,
        }
    }

    /// Does work until somebody else is known to have the session. What is given up then may have its effect still, where
    /// a fence lets it.
    pub(crate) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, UploadError>>,
    ) -> Result<T, UploadError> {
        tokio::select! {
            biased;
            () = self.over() => Err(UploadError::Lost(self.id)),
            done = work => done,
        }
    }

    /// Waits until work under the lease stops.
    async fn over(&self) {
        let mut end = self.end.clone();
        let known = match end.wait_for(Option::is_some).await {
            Ok(known) => *known,
            // Nobody looks any more.
            Err(_) => None,
        };
        match known {
            Some(known) => sleep_until(known).await,
            None => pending().await,
        }
    }

    /// Forgets the lease: the session was changed or has ended, and so has this.
    pub(crate) fn settle(self) {
        self.keeper.abort();
    }

    /// Gives the lease back, before this answers if that takes no longer than a moment.
    pub(crate) async fn give_back(self) {
        drop(self.working);
        // What is cut off here is the waiting.
        let _given_back = timeout(MOMENT, self.keeper).await;
    }
}

async fn keep(
    leases: &dyn SessionLeases,
    held: &HeldRevision,
    over: watch::Sender<Option<Instant>>,
    ended: oneshot::Receiver<()>,
) {
    let renewing = async {
        renew(leases, held, &over).await;
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

/// Renews a lease until somebody else has the session, or nobody. While the records cannot be reached, nothing tells, and work goes
/// on: if somebody takes the session meanwhile, its fences keep this one from doing harm.
async fn renew(
    leases: &dyn SessionLeases,
    held: &HeldRevision,
    over: &watch::Sender<Option<Instant>>,
) {
    let mut next = Instant::now() + RENEWAL;
    let mut is_told = false;
    loop {
        sleep_until(next).await;
        let asked = Instant::now();
        match leases.renew(held, DURATION).await {
            Ok(true) => {
                next = asked + RENEWAL;
                is_told = false;
            }
            Ok(false) => {
                over.send_replace(Some(Instant::now() + MOMENT));
                return;
            }
            Err(error) => {
                if !is_told {
                    not_renewed(held.id, &error);
                    is_told = true;
                }
                next = Instant::now() + AGAIN;
            }
        }
    }
}

fn not_renewed(id: SessionId, error: &RecordsError) {
    warn!(session = %id, %error, "cannot renew the lease of an upload session; going on with it, and trying again");
}
