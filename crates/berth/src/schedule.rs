//! What a server does by itself, every now and then, in turns with the other replicas if there are any.

use std::num::NonZeroU64;
use std::time::Duration;

use berth_progress::{Observer, Progress};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use crate::upkeep::{Upkeep, Watcher};

/// How often upload sessions are looked through for those whose time has run out.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// How long after its start a server collects at the latest: one that is restarted often collects too.
const FIRST_COLLECTION: Duration = Duration::from_secs(5 * 60);

/// How often at least it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(60);

/// Does all that is due, until this is dropped.
pub(crate) async fn run(upkeep: Upkeep, collect_every: Option<Duration>, verify_rate: Option<u64>) {
    tokio::join!(
        expire_uploads(&upkeep),
        collect(&upkeep, collect_every),
        verify(&upkeep, verify_rate.and_then(NonZeroU64::new)),
    );
}

/// How often to look whether what is done so often is due: then it is done not much later.
fn look_every(every: Duration) -> Duration {
    (every / 4).clamp(Duration::from_millis(1), LOOK)
}

async fn expire_uploads(upkeep: &Upkeep) {
    let mut ticks = interval(look_every(EXPIRY_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match upkeep.remove_orphans_in_turns().await {
            Ok(0) => {}
            Ok(orphans) => info!(orphans, "removed bytes of no upload session"),
            Err(error) => warn!(
                error = format!("{error:#}"),
                "cannot remove bytes of no upload session"
            ),
        }
        match upkeep.expire_in_turns(EXPIRY_INTERVAL).await {
            Ok(0) => {}
            Ok(sessions) => info!(sessions, "removed expired upload sessions"),
            Err(error) => warn!(
                error = format!("{error:#}"),
                "cannot remove expired upload sessions"
            ),
        }
    }
}

async fn collect(upkeep: &Upkeep, every: Option<Duration>) {
    let Some(every) = every else {
        return;
    };
    sleep(every.min(FIRST_COLLECTION)).await;
    let mut ticks = interval(look_every(every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match upkeep.collect_in_turns(every, &Log).await {
            Ok(None) => {}
            Ok(Some(outcome)) => {
                let outcome = outcome.to_string().replace('\n', "; ");
                info!("collected garbage: {outcome}");
            }
            Err(error) => warn!(error = format!("{error:#}"), "cannot collect garbage"),
        }
    }
}

async fn verify(upkeep: &Upkeep, bytes_per_second: Option<NonZeroU64>) {
    let Some(bytes_per_second) = bytes_per_second else {
        return;
    };
    loop {
        match upkeep.verify_in_turns(bytes_per_second, &Log).await {
            // Perhaps the next is due as well.
            Ok(Some(outcome)) => info!("verified: {outcome}"),
            Ok(None) => sleep(LOOK).await,
            Err(error) => {
                warn!(error = format!("{error:#}"), "cannot verify");
                sleep(LOOK).await;
            }
        }
    }
}

/// Whoever reads the log.
struct Log;

impl Observer for Log {
    fn tell(&self, _: &Progress) {}
}

impl Watcher for Log {
    fn found(&self, finding: &str) {
        warn!("{finding}");
    }
}
