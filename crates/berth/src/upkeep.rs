//! What is done to the data of a registry besides serving it.

mod accounts;
mod backup;
mod collect;
mod verify;

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use berth_audit::AuditLog;
use berth_backup::{BackupReport, RestoreReport};
use berth_blob::FilesystemBlobs;
use berth_collector::Collector;
use berth_metadata::SqliteMetadata;
use berth_progress::Observer;
use berth_registry::Registry;
use berth_retention::Retention;
use berth_verify::VerificationReport;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::data_folder::DataFolder;
pub(crate) use accounts::{AccountOutcome, AccountTask, NewToken, NewUser};
pub(crate) use backup::{BackUp, restore};
pub(crate) use collect::{Collect, Collected};
pub(crate) use verify::Verify;

/// A task, as it is given by a command or goes to the process that serves the data.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    Collect(Collect),
    Verify(Verify),
    BackUp(BackUp),
    Account(AccountTask),
}

impl Task {
    /// Whether it may be the first that happens to a data folder.
    pub(crate) fn may_come_first(&self) -> bool {
        matches!(self, Self::Account(task) if task.adds())
    }

    /// Whether there is something new in the folder afterwards, so that it is no copy of another any more.
    pub(crate) fn brings_news(&self) -> bool {
        matches!(self, Self::Account(task) if !task.only_reads())
    }
}

/// What came of a task.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Collected(Collected),
    Verified(VerificationReport),
    BackedUp(BackupReport),
    Restored(RestoreReport),
    Account(AccountOutcome),
}

impl Outcome {
    /// Whether all is well with the data.
    pub(crate) fn is_clean(&self) -> bool {
        match self {
            Self::Collected(collected) => collected.is_clean(),
            Self::Verified(report) => report.is_sound(),
            Self::BackedUp(report) => report.is_sound(),
            Self::Restored(report) => report.is_sound(),
            Self::Account(_) => true,
        }
    }

    /// As commands print it.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        match self {
            // What was asked for needs no heading.
            Self::Account(outcome) => serde_json::to_string(outcome),
            outcome => serde_json::to_string(outcome),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collected(collected) => collected.fmt(formatter),
            Self::Verified(report) => report.fmt(formatter),
            Self::BackedUp(report) => report.fmt(formatter),
            Self::Restored(report) => report.fmt(formatter),
            Self::Account(outcome) => outcome.fmt(formatter),
        }
    }
}

/// Who watches a task.
pub(crate) trait Watcher: Observer {
    /// Takes note of something that the task came upon.
    fn found(&self, finding: &str);
}

/// The data of a registry, as this process serves it or has it for itself. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upkeep {
    pub(crate) registry: Registry,
    metadata: Arc<SqliteMetadata>,
    blobs: Arc<FilesystemBlobs>,
    collector: Collector,
    retention: Arc<Retention>,
    audit: Option<AuditLog>,
}

impl Upkeep {
    /// Opens what is in a data folder.
    pub(crate) fn open(
        folder: &DataFolder,
        config: &Config,
        audit: Option<AuditLog>,
    ) -> anyhow::Result<Self> {
        let shown = config.data.display();
        folder.refuse_orphaned_blobs()?;
        let metadata = SqliteMetadata::open(&folder.metadata())
            .with_context(|| format!("cannot open the metadata in {shown}"))?;
        let blobs = FilesystemBlobs::open(folder.blobs())
            .with_context(|| format!("cannot open the blobs in {shown}"))?;
        let retention = Retention::new(
            config.retention.clone(),
            config.settings().collection_grace.0,
        )?;
        let (metadata, blobs) = (Arc::new(metadata), Arc::new(blobs));
        let registry = Registry::new(metadata.clone(), blobs.clone(), config.settings());
        let guards = registry.blob_guards().clone();
        Ok(Self {
            collector: Collector::new(metadata.clone(), blobs.clone(), guards),
            registry,
            metadata,
            blobs,
            retention: Arc::new(retention),
            audit,
        })
    }

    /// Does a task.
    pub(crate) async fn run(&self, task: &Task, watcher: &dyn Watcher) -> anyhow::Result<Outcome> {
        match task {
            Task::Collect(collect) => Ok(Outcome::Collected(self.collect(collect, watcher).await?)),
            Task::BackUp(how) => Ok(Outcome::BackedUp(self.back_up(how, watcher).await?)),
            Task::Verify(verify) => Ok(Outcome::Verified(self.verify(verify, watcher).await?)),
            Task::Account(task) => Ok(Outcome::Account(self.change_accounts(task).await?)),
        }
    }
}
