//! What a server does by itself, every now and then.

use std::num::NonZeroU64;
use std::time::{Duration, SystemTime};

use berth_progress::{Observer, Progress};
use berth_spec::{Digest, SessionId};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep};
use tracing::{info, warn};

use crate::upkeep::{Collect, Task, Upkeep, Verify, Watcher};

/// How often upload sessions are looked through for those whose time has run out.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// How often the names of all files are read, to find those that no record knows.
const SWEEP_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long after its start a server collects at the latest: one that is restarted often collects too.
const FIRST_COLLECTION: Duration = Duration::from_secs(5 * 60);

/// How long to rest when all that is stored is verified.
const VERIFICATION_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Does all that is due, until this is dropped.
pub(crate) async fn run(upkeep: Upkeep, collect_every: Option<Duration>, verify_rate: Option<u64>) {
    tokio::join!(
        expire_uploads(&upkeep),
        collect(&upkeep, collect_every),
        verify(&upkeep, verify_rate.and_then(NonZeroU64::new)),
    );
}

async fn expire_uploads(upkeep: &Upkeep) {
    let registry = &upkeep.registry;
    match registry.remove_orphaned_uploads().await {
        Ok(0) => {}
        Ok(orphans) => info!(orphans, "removed bytes of no upload session"),
        Err(error) => warn!(%error, "cannot remove bytes of no upload session"),
    }
    let mut ticks = interval(EXPIRY_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match registry.expire_uploads(SystemTime::now()).await {
            Ok(0) => {}
            Ok(sessions) => info!(sessions, "removed expired upload sessions"),
            Err(error) => warn!(%error, "cannot remove expired upload sessions"),
        }
    }
}

async fn collect(upkeep: &Upkeep, every: Option<Duration>) {
    let Some(every) = every else {
        return;
    };
    let mut ticks = interval_at(Instant::now() + every.min(FIRST_COLLECTION), every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept: Option<Instant> = None;
    loop {
        ticks.tick().await;
        let sweep = swept.is_none_or(|swept| swept.elapsed() >= SWEEP_INTERVAL);
        let task = Task::Collect(Collect {
            sweep,
            ..Collect::default()
        });
        match upkeep.run(&task, &Log).await {
            Ok(outcome) => {
                let outcome = outcome.to_string().replace('\n', "; ");
                info!("collected garbage: {outcome}");
            }
            Err(error) => warn!(error = format!("{error:#}"), "cannot collect garbage"),
        }
        if sweep {
            swept = Some(Instant::now());
        }
    }
}

async fn verify(upkeep: &Upkeep, bytes_per_second: Option<NonZeroU64>) {
    if bytes_per_second.is_none() {
        return;
    }
    // Not from the first on: a server that is restarted often would never come to the last.
    let mut from = Some(Digest::sha256(SessionId::random().to_string().as_bytes()));
    loop {
        let is_whole = from.is_none();
        let task = Task::Verify(Verify {
            bytes_per_second,
            keep: false,
            from: from.take(),
        });
        match upkeep.run(&task, &Log).await {
            Ok(outcome) => info!("verified: {outcome}"),
            Err(error) => warn!(error = format!("{error:#}"), "cannot verify"),
        }
        if is_whole {
            sleep(VERIFICATION_PAUSE).await;
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
