//! What is done to the data of a registry besides serving it.

mod accounts;
mod backup;
mod collect;
mod transfer;
mod turns;
mod verify;

use std::fmt;
use std::sync::Arc;

use berth_audit::AuditLog;
use berth_backup::{BackupReport, RestoreReport};
use berth_blob::BlobStore;
use berth_collector::Collector;
use berth_metadata::SqliteMetadata;
use berth_progress::Observer;
use berth_registry::Registry;
use berth_retention::Retention;
use berth_transfer::{MigrationReport, TransferReport};
use berth_verify::VerificationReport;
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;

use crate::config::{Config, UseAccounts};
use crate::place::{Metadata, Place, Stores};
pub(crate) use accounts::{AccountEffect, AccountReport, AccountTask, NewToken, NewUser};
pub(crate) use backup::{BackUp, NO_BACKUP, restore};
pub(crate) use collect::{Collect, Collected};
pub(crate) use transfer::{ExportTo, Findings, ImportFrom};
pub(crate) use verify::Verify;

/// A task, as it is given by a command or goes to the process that serves the data.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    Collect(Collect),
    Verify(Verify),
    BackUp(BackUp),
    Account(AccountTask),
    Import(ImportFrom),
    Export(ExportTo),
}

impl Task {
    /// Whether it may be the first that happens to a data folder.
    pub(crate) fn may_come_first(&self) -> bool {
        match self {
            Self::Account(task) => task.adds(),
            Self::Import(_) => true,
            _ => false,
        }
    }

    /// Whether there is something new in the folder afterwards, which the next backup into it would lose.
    pub(crate) fn brings_news(&self) -> bool {
        match self {
            Self::Account(task) => !task.only_reads(),
            Self::Import(_) => true,
            _ => false,
        }
    }

    /// Whether it may end before it is done, if whoever gave it goes away: whatever it has done by then is as good as if it had
    /// never been meant to do more.
    pub(crate) fn may_be_given_up(&self) -> bool {
        !matches!(self, Self::Account(task) if !task.only_reads())
    }
}

/// A backup knows nothing of what was removed later.
const RESTORED_ACCOUNTS: &str = "note: users and tokens are those of the backup, also those removed or revoked since: check berth user list and \
     berth token list, and if signing keys may have been stolen, berth key rotate --forget-older";

/// What came of a task.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Collected(Collected),
    Verified(VerificationReport),
    BackedUp(BackupReport),
    Restored(RestoreReport),
    Account(AccountReport),
    Imported(TransferReport),
    Exported(TransferReport),
    Migrated(MigrationReport),
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
            Self::Imported(report) | Self::Exported(report) => report.is_complete(),
            Self::Migrated(report) => report.is_complete(),
        }
    }

    /// The same, of a registry that was begun for it.
    pub(crate) fn of_new_registry(mut self, place: &Place) -> Self {
        if let Self::Account(report) = &mut self {
            report.notes.push(format!(
                "there was no registry in {place}, and a new one was begun there; if another was meant, {}",
                place.option()
            ));
        }
        self
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
            Self::Restored(report) => write!(formatter, "{report}\n{RESTORED_ACCOUNTS}"),
            Self::Account(outcome) => outcome.fmt(formatter),
            Self::Imported(report) => write!(formatter, "import: {report}"),
            Self::Exported(report) => write!(formatter, "export: {report}"),
            Self::Migrated(report) => report.fmt(formatter),
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
    metadata: Arc<dyn Metadata>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    sqlite: Option<Arc<SqliteMetadata>>,
    collector: Collector,
    retention: Arc<Retention>,
    audit: Option<AuditLog>,
    effect: AccountEffect,
    /// Whether accounts count even if there are none.
    is_accounts_on: bool,
    /// Read by whoever changes accounts.
    changes: Arc<RwLock<()>>,
}

impl Upkeep {
    /// Of these stores.
    pub(crate) fn new(
        stores: Stores,
        config: &Config,
        audit: Option<AuditLog>,
    ) -> anyhow::Result<Self> {
        let Stores {
            metadata,
            blobs,
            sqlite,
        } = stores;
        let retention = Retention::new(
            config.retention.clone(),
            config.settings().collection_grace.0,
        )?;
        let registry = Registry::new(metadata.clone(), blobs.clone(), config.settings());
        let guards = registry.blob_guards().clone();
        Ok(Self {
            collector: Collector::new(metadata.clone(), blobs.clone(), guards),
            registry,
            metadata,
            blobs,
            sqlite,
            retention: Arc::new(retention),
            audit,
            changes: Arc::default(),
            is_accounts_on: config.accounts == UseAccounts::True,
            effect: match config.accounts {
                UseAccounts::False => AccountEffect::Never,
                UseAccounts::Auto | UseAccounts::True => AccountEffect::AtOnce,
            },
        })
    }

    /// The same beside a server that asks nobody who they are.
    pub(crate) fn of_open_server(mut self) -> Self {
        if self.effect == AccountEffect::AtOnce {
            self.effect = AccountEffect::AfterRestart;
        }
        self
    }

    /// The same beside replicas. Nobody knows here which of them ask who asks; all do if there were accounts when they
    /// were started.
    pub(crate) async fn beside_replicas(mut self) -> anyhow::Result<Self> {
        let is_known = self.is_accounts_on || self.had_accounts().await?;
        if self.effect == AccountEffect::AtOnce && !is_known {
            self.effect = AccountEffect::AfterRestarts;
        }
        Ok(self)
    }

    /// Does a task.
    pub(crate) async fn run(&self, task: &Task, watcher: &dyn Watcher) -> anyhow::Result<Outcome> {
        match task {
            Task::Collect(collect) => Ok(Outcome::Collected(self.collect(collect, watcher).await?)),
            Task::BackUp(how) => Ok(Outcome::BackedUp(self.back_up(how, watcher).await?)),
            Task::Verify(verify) => Ok(Outcome::Verified(self.verify(verify, watcher).await?)),
            Task::Account(task) => Ok(Outcome::Account(self.change_accounts(task).await?)),
            Task::Import(from) => Ok(Outcome::Imported(self.import(from, watcher).await?)),
            Task::Export(to) => Ok(Outcome::Exported(self.export(to, watcher).await?)),
        }
    }
}
