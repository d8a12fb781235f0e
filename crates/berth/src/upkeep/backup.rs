use std::path::{Path, PathBuf};

use anyhow::Context;
use berth_backup::{Backup, BackupReport, RestoreReport};
use serde::{Deserialize, Serialize};

use super::verify::Problems;
use super::{Upkeep, Watcher};

/// Why what replicas share is not backed up, nor restored.
pub(crate) const NO_BACKUP: &str = "metadata is in a database and blobs are in a bucket, and a backup is a folder: back up the \
     database as PostgreSQL does it (pg_dump, or its write-ahead log), keep versions or a copy of the bucket for as long, and restore \
     the database first";

/// Where to, and how, the data is to be backed up.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct BackUp {
    /// The folder of the backup.
    pub(crate) folder: PathBuf,
    /// Whether what is there already is compared with its digests.
    pub(crate) rehash: bool,
}

impl Upkeep {
    /// Copies all that is stored at this moment. Nothing is collected meanwhile.
    pub(super) async fn back_up(
        &self,
        how: &BackUp,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<BackupReport> {
        let metadata = self.sqlite.as_deref().context(NO_BACKUP)?;
        let backup = Backup { rehash: how.rehash };
        let kept = self.registry.blob_guards().keeping_all().await;
        let watcher = Problems(watcher);
        let run = backup.run(metadata, &*self.blobs, &kept, &how.folder, &watcher);
        Ok(run.await?)
    }
}

/// Makes a data folder of a backup.
pub(crate) async fn restore(
    backup: &Path,
    data: &Path,
    watcher: &dyn Watcher,
) -> anyhow::Result<RestoreReport> {
    Ok(berth_backup::restore(backup, data, &Problems(watcher)).await?)
}
