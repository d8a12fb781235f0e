use std::path::Path;

use berth_blob::FilesystemBlobs;
use berth_progress::{Progress, Unit};
use berth_verify::{Verification, Watcher};

use crate::backup::{close, open_blobs, open_metadata};
use crate::copier::Copier;
use crate::folder::{self, Folder, blocking, has_log, metadata_of, share};
use crate::{BackupError, RestoreReport};

/// Restores a backup to a data folder that has no metadata: it is missing, or empty, or an earlier
/// restoration was interrupted, or all is there but the metadata. The backup is only read.
///
/// Every blob is compared with its digest, also those that are there already; then every manifest, and
/// what it refers to. Each that is damaged is told as a problem; damaged blobs are left out, and the
/// next push of them mends that. The metadata gets its name last, so a folder that has it is whole.
/// It is brought to this version's schema.
///
/// # Errors
/// When the source is no backup or is in use, and when the data folder is in use, has metadata, or
/// cannot be written to.
pub async fn restore(
    source: &Path,
    data: &Path,
    watcher: &dyn Watcher,
) -> Result<RestoreReport, BackupError> {
    let _shared = share(source).await?;
    check(source, data).await?;
    let folder = Folder::claim(data).await?;
    // Now that nobody else can make it.
    check(source, data).await?;
    folder.become_registry().await?;
    watcher.tell(&Progress::begin("copying metadata", Unit::Items, None));
    let partial = folder.partial_metadata();
    folder::copy(metadata_of(source), partial.clone()).await?;
    // A source that could not be locked may have been opened meanwhile.
    check_log(source).await?;
    let metadata = open_metadata(partial.clone()).await?;
    let copies = open_blobs(folder.path()).await?;
    let copier = Copier {
        metadata: &metadata,
        present: &metadata,
        from: &FilesystemBlobs::for_reading(source),
        to: &copies,
        rehash: true,
        watcher,
    };
    let copied = copier.copy_all().await?;
    let how = Verification::default();
    let verified = how.run_without_blobs(&metadata, watcher).await?;
    close(metadata).await?;
    folder.complete(partial).await?;
    Ok(RestoreReport {
        blobs: copied.blobs,
        bytes: copied.bytes,
        kept: copied.kept,
        manifests: verified.manifests,
        problems: copied.problems + verified.problems,
    })
}

/// Fails if the source has a log that is not empty.
async fn check_log(source: &Path) -> Result<(), BackupError> {
    let source = source.to_owned();
    blocking(move || match has_log(&source) {
        true => Err(BackupError::NotClosed(source)),
        false => Ok(()),
    })
    .await
}

/// Fails unless the source can be restored, and the data folder restored to.
async fn check(source: &Path, data: &Path) -> Result<(), BackupError> {
    let (backup, data) = (source.to_owned(), data.to_owned());
    blocking(move || {
        if !metadata_of(&backup).is_file() {
            return Err(BackupError::NoBackup(backup));
        }
        if metadata_of(&data).exists() {
            return Err(BackupError::HasMetadata(data));
        }
        Ok(())
    })
    .await?;
    check_log(source).await
}
