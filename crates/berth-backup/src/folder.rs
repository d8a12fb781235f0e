use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use berth_spec::SessionId;
use tokio::task::spawn_blocking;

use crate::BackupError;

/// What the metadata of a data folder is called. A folder that has it is whole.
const METADATA: &str = "metadata.sqlite3";

/// How the names of files end that are not whole yet.
const PARTIAL: &str = ".partial";

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
            make_durably(&path).map_err(|error| unusable(&path, error))?;
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path.join("lock"))
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

    pub(crate) fn metadata(&self) -> PathBuf {
        metadata_of(&self.path)
    }

    /// A new name for metadata that is not whole yet. One that was given up may still be written for a
    /// moment, so no name is used twice.
    pub(crate) fn partial_metadata(&self) -> PathBuf {
        let name = format!("{METADATA}.{}{PARTIAL}", SessionId::random());
        self.path.join(name)
    }

    /// Gives metadata that is whole and durable its name, durably. With this, the folder is whole.
    pub(crate) async fn complete(&self, partial: PathBuf) -> Result<(), BackupError> {
        let (folder, metadata) = (self.path.clone(), self.metadata());
        blocking(move || {
            let renamed = fs::rename(&partial, &metadata);
            let synced = renamed.and_then(|()| File::open(&folder)?.sync_all());
            synced.map_err(|error| unusable(&metadata, error))
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

/// Whether part of the metadata is in the log beside it.
pub(crate) fn has_log(folder: &Path) -> bool {
    let log = fs::metadata(folder.join(format!("{METADATA}-wal")));
    log.is_ok_and(|log| log.len() > 0)
}

/// Copies a file, durably.
pub(crate) async fn copy(from: PathBuf, to: PathBuf) -> Result<(), BackupError> {
    blocking(move || {
        let copied = fs::copy(&from, &to).and_then(|_| File::open(&to)?.sync_all());
        copied.map_err(|error| unusable(&from, error))
    })
    .await
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

/// Makes a folder and those above it, and syncs the entry of each, or a power cut could take the whole
/// folder along. Those that are there are synced too: whoever made them may not have come that far.
fn make_durably(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    for folder in path.canonicalize()?.ancestors().skip(1) {
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            Err(error) if is_not_ours(&error) => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Whether this is how a folder that was there before says that it cannot be read or synced.
fn is_not_ours(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::Unsupported
    )
}
