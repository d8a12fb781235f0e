mod audit;
mod scheduled;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_collector::{CollectionPlan, CollectionReport, SweepReport};
use berth_registry::Grace;
use berth_retention::{Deleted, Deletion, Mode, Retention, RetentionReport, Rule};
use serde::{Deserialize, Serialize};

use super::{Upkeep, Watcher};

/// How garbage is to be collected.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Collect {
    /// Only tell what would be done.
    pub(crate) dry_run: bool,
    /// Another grace period than the one that is configured.
    pub(crate) grace: Option<Duration>,
    /// Whether the names of all files are read, to find those that no record knows.
    pub(crate) sweep: bool,
    /// Whether such files are removed even if they are most of all.
    pub(crate) even_most: bool,
    /// Other retention rules than those that are configured.
    pub(crate) rules: Option<Vec<Rule>>,
}

/// What was collected, or would be.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Collected {
    Done(Done),
    Planned(Planned),
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Done {
    expired_sessions: u64,
    staged_without_session: u64,
    /// If it was its turn.
    retention: Option<RetentionReport>,
    blobs: CollectionReport,
    sweep: Option<SweepReport>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Planned {
    retention: RetentionReport,
    blobs: CollectionPlan,
}

impl Collected {
    /// Whether all repositories could be read.
    pub(crate) fn is_clean(&self) -> bool {
        let retention = match self {
            Self::Done(done) => done.retention.as_ref(),
            Self::Planned(planned) => Some(&planned.retention),
        };
        retention.is_none_or(|retention| retention.failed == 0)
    }
}

impl Upkeep {
    /// Collects garbage, or tells what would go.
    pub(super) async fn collect(
        &self,
        collect: &Collect,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<Collected> {
        let configured = self.registry.settings().collection_grace;
        let grace = collect.grace.map_or(configured, Grace);
        let retention = match collect.rules.clone() {
            Some(rules) => Arc::new(Retention::new(rules, grace.0)?),
            None => Arc::clone(&self.retention),
        };
        if collect.dry_run {
            let retention = self.retain(&retention, Mode::DryRun, watcher).await?;
            let now = SystemTime::now();
            let blobs = self.collector.plan(grace, now, watcher).await?;
            return Ok(Collected::Planned(Planned { retention, blobs }));
        }
        let now = SystemTime::now();
        let expired_sessions = self.registry.expire_uploads(now).await?;
        let staged_without_session = self.registry.remove_orphaned_uploads().await?;
        // What it could not do holds up nothing else.
        let retention = self.retain(&retention, Mode::Apply, watcher).await;
        // A moment of its own: what retention took away just now has nothing newer.
        let now = SystemTime::now();
        let blobs = self.collector.collect(grace, now, watcher).await?;
        let sweep = match collect.sweep {
            true => Some(self.collector.sweep(collect.even_most, watcher).await?),
            false => None,
        };
        let done = Done {
            expired_sessions,
            staged_without_session,
            retention: Some(retention?),
            blobs,
            sweep,
        };
        self.record_collection(&done).await;
        Ok(Collected::Done(done))
    }

    async fn record_collection(&self, done: &Done) {
        if let (Some(log), Some(record)) = (&self.audit, audit::of_run(done)) {
            log.record(record).await;
        }
    }

    async fn retain(
        &self,
        retention: &Retention,
        mode: Mode,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<RetentionReport> {
        let now = SystemTime::now();
        // What is deleted is in the log, too. An audit log that must be there holds up no deletion: where the disk is
        // full, it is what makes room.
        let tell = |deletion: &Deletion| match (mode, &self.audit) {
            (Mode::DryRun, _) => watcher.found(&format!("would delete {}", Told(deletion))),
            (Mode::Apply, Some(log)) => log.record_now(&audit::of_deletion(deletion)),
            (Mode::Apply, None) => {}
        };
        let run = retention.run(&*self.metadata, watcher, &tell, mode, now);
        Ok(run.await?)
    }
}

/// A deletion in words.
struct Told<'a>(&'a Deletion);

impl fmt::Display for Told<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deletion {
            repository,
            rule,
            deleted,
        } = self.0;
        match deleted {
            Deleted::Tag { tag, digest } => {
                write!(
                    formatter,
                    "tag {repository}:{tag} of {digest} (rule {rule})"
                )
            }
            Deleted::Manifest { digest, .. } => {
                write!(formatter, "manifest {repository}@{digest} (rule {rule})")
            }
        }
    }
}

impl fmt::Display for Collected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(done) => done.fmt(formatter),
            Self::Planned(planned) => planned.fmt(formatter),
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            expired_sessions,
            staged_without_session,
            retention,
            blobs,
            sweep,
        } = self;
        writeln!(
            formatter,
            "expired upload sessions removed: {expired_sessions}"
        )?;
        writeln!(
            formatter,
            "staged bytes of no session removed: {staged_without_session}"
        )?;
        if let Some(retention) = retention.as_ref().filter(|report| report.repositories > 0) {
            writeln!(formatter, "{retention}")?;
        }
        writeln!(formatter, "blobs condemned: {}", blobs.condemned)?;
        write!(formatter, "blobs deleted: {}", blobs.deleted)?;
        if blobs.postponed > 0 {
            write!(
                formatter,
                "\nblobs in use, left for the next run: {}",
                blobs.postponed
            )?;
        }
        if blobs.not_removed > 0 {
            write!(
                formatter,
                "\nfiles that could not be removed: {}",
                blobs.not_removed
            )?;
        }
        if blobs.replaced.blobs > 0 {
            write!(formatter, "\nreplaced files removed: {}", blobs.replaced)?;
        }
        let mut adopted = blobs.adopted;
        adopted.include(sweep.map(|sweep| sweep.adopted).unwrap_or_default());
        if adopted.blobs > 0 {
            write!(
                formatter,
                "\nblobs whose file was lost, and another one was found: {adopted}"
            )?;
        }
        if let Some(sweep) = sweep {
            write!(
                formatter,
                "\nfiles without a record removed: {}",
                sweep.unrecorded
            )?;
            if sweep.left > 0 {
                write!(
                    formatter,
                    "\nfiles without a record left, because they are most of all: {} \
                     (is this the right metadata? berth gc --even-most removes them)",
                    sweep.left
                )?;
            }
            if sweep.corrupt.blobs > 0 {
                write!(
                    formatter,
                    "\ncorrupt files left, of blobs whose file is lost: {}",
                    sweep.corrupt
                )?;
            }
            write!(formatter, "\nrecords without a file: {}", sweep.missing)?;
        }
        Ok(())
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CollectionPlan {
            to_condemn,
            to_delete,
            waiting,
        } = self.blobs;
        if self.retention.repositories > 0 {
            writeln!(formatter, "{}", self.retention)?;
        }
        writeln!(formatter, "blobs that would be condemned: {to_condemn}")?;
        writeln!(formatter, "blobs that would be deleted: {to_delete}")?;
        write!(
            formatter,
            "blobs condemned, within their grace period: {waiting}"
        )
    }
}
