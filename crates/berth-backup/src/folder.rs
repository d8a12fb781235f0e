use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use berth_spec::SessionId;
use tokio::task::spawn_blocking;

use crate::durable::{copy_file, make_folder, sync_file_system};
use crate::{BackupError, marker};

/// What the metadata of a data folder is called. A folder that has it is whole.
const METADATA: &str = "metadata.sqlite3";

/// How the names of files end that are not whole yet.
const PARTIAL: &str = ".partial";

/// What is locked by whoever uses a data folder.
const LOCK: &str = "lock";

/// A data folder that is written to, claimed for that as a server would claim it.
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing, and claims it.
    pub(crate) async fn claim(path: &Path) -> Result<Self, BackupError> {
        let path = path.to_owned();
        blocking(move || {
            make_folder(&path).map_err(|error| unusable(&path, error))?;
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(path.join(LOCK))
                .map_err(|error| unusable(&path, error))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(BackupError::Claimed(path)),
                Err(TryLockError::Error(error)) => return Err(unusable(&path, error)),
            }
            let folder = Self { path, _lock: lock };
            folder.remove_leftovers()?;
            Ok(folder)
        })
        .await
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Marks the folder as a backup, unless a registry has its data there.
    pub(crate) async fn become_backup(&self) -> Result<(), BackupError> {
        let folder = self.path.clone();
        blocking(move || {
            if metadata_of(&folder).exists() && !marker::is_marked(&folder) {
                return Err(BackupError::HoldsRegistry(folder));
            }
            marker::mark(&folder).map_err(|error| unusable(&folder, error))
        })
        .await
    }

    /// Makes sure that the folder is not marked as a backup.
    pub(crate) async fn become_registry(&self) -> Result<(), BackupError> {
        let folder = self.path.clone();
        blocking(move || marker::unmark(&folder).map_err(|error| unusable(&folder, error))).await
    }

    /// A new name for metadata that is not whole yet. One that was given up may still be written for a
    /// moment, so no name is used twice.
    pub(crate) fn partial_metadata(&self) -> PathBuf {
        let name = format!("{METADATA}.{}{PARTIAL}", SessionId::random());
        self.path.join(name)
    }

    /// Gives metadata that is whole and durable its name, durably. With this, the folder is whole.
    pub(crate) async fn complete(&self, partial: PathBuf) -> Result<(), BackupError> {
        let folder = self.path.clone();
        blocking(move || {
            // Nobody may ever have synced the blobs that were there already.
            let synced = sync_file_system(&folder);
            let ready = synced.and_then(|()| remove_log(&folder));
            let renamed = ready.and_then(|()| fs::rename(&partial, metadata_of(&folder)));
            let completed = renamed.and_then(|()| File::open(&folder)?.sync_all());
            completed.map_err(|error| unusable(&folder, error))
        })
        .await
    }

    /// Removes what interrupted backups left of metadata.
    fn remove_leftovers(&self) -> Result<(), BackupError> {
        let removed = fs::read_dir(&self.path).and_then(|mut entries| {
            entries.try_for_each(|entry| {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let is_leftover = name.starts_with(METADATA) && name.contains(PARTIAL);
                if is_leftover {
                    fs::remove_file(entry.path())
                } else {
                    Ok(())
                }
            })
        });
        removed.map_err(|error| unusable(&self.path, error))
    }
}

pub(crate) fn metadata_of(folder: &Path) -> PathBuf {
    folder.join(METADATA)
}

/// Keeps a folder that is only read from being served or written to, as long as the answer is held.
pub(crate) async fn share(path: &Path) -> Result<Option<File>, BackupError> {
    let path = path.to_owned();
    blocking(move || {
        let Ok(lock) = File::open(path.join(LOCK)) else {
            return Ok(None);
        };
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(BackupError::Claimed(path)),
            // Where nothing can be locked, nobody serves.
            Err(TryLockError::Error(_)) => Ok(None),
            Ok(()) => Ok(Some(lock)),
        }
    })
    .await
}

/// Whether part of the metadata is in the log beside it.
pub(crate) fn has_log(folder: &Path) -> bool {
    fs::metadata(log_of(folder)).is_ok_and(|log| log.len() > 0)
}

/// Removes, durably, the log of metadata that was lost: it would be taken for that of the new metadata.
fn remove_log(folder: &Path) -> io::Result<()> {
    if !has_log(folder) {
        return Ok(());
    }
    fs::remove_file(log_of(folder))?;
    File::open(folder)?.sync_all()
}

fn log_of(folder: &Path) -> PathBuf {
    folder.join(format!("{METADATA}-wal"))
}

/// Copies a file, durably.
pub(crate) async fn copy(from: PathBuf, to: PathBuf) -> Result<(), BackupError> {
    blocking(move || copy_file(&from, &to).map_err(|error| unusable(&from, error))).await
}

/// Does file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or(Err(BackupError::Interrupted))
}

fn unusable(path: &Path, error: io::Error) -> BackupError {
    BackupError::Folder {
        path: path.to_owned(),
        error,
    }
}
