use std::path::{Path, PathBuf};

use berth_blob::{BlobStore, FilesystemBlobs, KeepingAll};
use berth_metadata::SqliteMetadata;
use berth_progress::{Progress, Unit};
use berth_verify::Watcher;

use crate::copier::Copier;
use crate::folder::{Folder, blocking};
use crate::{BackupError, BackupReport};

/// How to back up.
#[derive(Clone, Debug, Default)]
pub struct Backup {
    /// Whether blobs that an earlier backup into the same folder has copied are compared with their
    /// digests, and copied again if they are damaged. Otherwise only their sizes are.
    pub rehash: bool,
}

impl Backup {
    /// Backs a registry up into a folder, which is made if it is missing, or has an earlier backup,
    /// which is brought up to date. Pushing and pulling may go on meanwhile; but no blob may be
    /// removed from before the beginning to the end, which is what `kept` says.
    ///
    /// Each blob that cannot be read, or is not what its digest says, is told as a problem, and the
    /// rest is backed up. When this answers, the backup is durable. After an error, or if the future is
    /// dropped, the backup is the earlier one or the new one.
    ///
    /// # Errors
    /// When the folder is in use, is the data folder of a registry, or cannot be written to, and when the
    /// metadata cannot be read.
    pub async fn run(
        &self,
        metadata: &SqliteMetadata,
        blobs: &dyn BlobStore,
        kept: &KeepingAll,
        destination: &Path,
        watcher: &dyn Watcher,
    ) -> Result<BackupReport, BackupError> {
        // That somebody has it is all that counts.
        let _ = kept;
        let folder = Folder::claim(destination).await?;
        folder.become_backup().await?;
        let copies = open_blobs(folder.path()).await?;
        watcher.tell(&Progress::begin("copying metadata", Unit::Items, None));
        let partial = folder.partial_metadata();
        metadata.backup_to(&partial).await?;
        let snapshot = open_metadata(partial.clone()).await?;
        let copier = Copier {
            metadata: &snapshot,
            present: metadata,
            from: blobs,
            to: &copies,
            rehash: self.rehash,
            watcher,
        };
        let copied = copier.copy_all().await?;
        snapshot.drop_generations().await?;
        close(snapshot).await?;
        folder.complete(partial).await?;
        Ok(BackupReport {
            blobs: copied.blobs,
            bytes: copied.bytes,
            kept: copied.kept,
            problems: copied.problems,
        })
    }
}

pub(crate) async fn open_blobs(folder: &Path) -> Result<FilesystemBlobs, BackupError> {
    let folder = folder.to_owned();
    blocking(move || Ok(FilesystemBlobs::open(&folder)?)).await
}

pub(crate) async fn open_metadata(path: PathBuf) -> Result<SqliteMetadata, BackupError> {
    blocking(move || Ok(SqliteMetadata::open(&path)?)).await
}

/// Makes the file of metadata all that there is of it.
pub(crate) async fn close(metadata: SqliteMetadata) -> Result<(), BackupError> {
    blocking(move || Ok(metadata.close_into_file()?)).await
}
