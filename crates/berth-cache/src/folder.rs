use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use berth_spec::Digest;
use tracing::warn;
use uuid::Uuid;

use crate::CacheError;
use crate::disk::Disk;

/// What the file ends in whose bytes are still arriving.
const UNFINISHED: &str = ".part";

/// The file that whoever uses the folder has locked.
const LOCK: &str = "lock";

/// The folder of a cache. A blob that is kept is the file `<algorithm>-<hex>.<size>`.
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    _lock: File,
}

/// A blob that an earlier process has kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) used: SystemTime,
}

impl Folder {
    /// Makes the folder if it is missing, for its owner alone, and claims it as long as this lives.
    pub(crate) fn claim(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, CacheError> {
        let unusable = |source| CacheError::Io {
            folder: path.to_owned(),
            source,
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(path.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                disk,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(CacheError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// What earlier processes have kept. Removes what a crash left unfinished, and files that have another size than
    /// their name says. What is no file of a cache stays, and is passed over.
    pub(crate) fn kept(&self) -> Result<Vec<Kept>, CacheError> {
        let unusable = |source| CacheError::Io {
            folder: self.path.clone(),
            source,
        };
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(unusable)? {
            kept.extend(self.look_at(&entry.map_err(unusable)?).map_err(unusable)?);
        }
        Ok(kept)
    }

    fn look_at(&self, entry: &DirEntry) -> io::Result<Option<Kept>> {
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let found = entry.metadata()?;
        if is_unfinished(name) {
            fs::remove_file(entry.path())?;
            return Ok(None);
        }
        match blob_of(name).filter(|_| found.is_file()) {
            Some((digest, size)) if size == found.len() => Ok(Some(Kept {
                digest,
                size,
                used: found.modified()?,
            })),
            Some((digest, size)) => {
                let found = found.len();
                warn!(%digest, size, found, "removing a damaged file of the cache");
                fs::remove_file(entry.path())?;
                Ok(None)
            }
            None => {
                if name != LOCK {
                    warn!(path = %entry.path().display(), "this is no file of the cache");
                }
                Ok(None)
            }
        }
    }

    /// Where a blob is kept.
    pub(crate) fn file_of(&self, digest: &Digest, size: u64) -> PathBuf {
        let (algorithm, hex) = (digest.algorithm(), digest.hex());
        self.path.join(format!("{algorithm}-{hex}.{size}"))
    }

    /// Where a blob is until it is whole: a name that was never used.
    pub(crate) fn unfinished(&self) -> PathBuf {
        let name = Uuid::new_v4().simple();
        self.path.join(format!("{name}{UNFINISHED}"))
    }

    /// Opens a blob that is kept; `None` if its file is not there, or not what it was.
    pub(crate) fn open(&self, digest: &Digest, size: u64) -> io::Result<Option<File>> {
        let file = match self.disk.open(&self.file_of(digest, size)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = file.metadata()?.len();
        if found != size {
            warn!(%digest, size, found, "a file of the cache is damaged: the blob is read from its store again");
            return Ok(None);
        }
        Ok(Some(file))
    }

    /// Removes files, as far as they are there and can be.
    pub(crate) fn remove(&self, paths: &[PathBuf]) {
        for path in paths {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    warn!(path = %path.display(), %error, "cannot remove a file of the cache");
                }
                _ => {}
            }
        }
    }
}

fn is_unfinished(name: &str) -> bool {
    let random = name.strip_suffix(UNFINISHED);
    random.is_some_and(|random| random.len() == 32 && Uuid::try_parse(random).is_ok())
}

/// The blob that a file keeps, if that is its name to the letter.
fn blob_of(name: &str) -> Option<(Digest, u64)> {
    let (digest, size) = name.split_once('.')?;
    let (algorithm, hex) = digest.split_once('-')?;
    let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
    let bytes: u64 = size.parse().ok()?;
    (bytes.to_string() == size).then_some((digest, bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_name_says_which_blob_it_is() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::claim(place.path(), Arc::new(RealDisk)).unwrap();
        for content in [&b""[..], b"some bytes"] {
            let digest = Digest::sha256(content);
            let path = folder.file_of(&digest, 10);
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(blob_of(name), Some((digest, 10)));
        }
        let unfinished = folder.unfinished();
        let name = unfinished.file_name().unwrap().to_str().unwrap();
        assert!(is_unfinished(name));
        assert_eq!(blob_of(name), None);
    }

    #[test]
    fn nothing_else_is_a_file_of_the_cache() {
        let hex = "0".repeat(64);
        for name in [
            "lock".to_owned(),
            format!("sha256-{hex}"),
            format!("sha256-{hex}.007"),
            format!("sha256-{hex}.+7"),
            format!("sha256-{hex}.7.part"),
            format!("sha512-{hex}.7"),
            format!("sha256-{}.7", &hex[1..]),
            "notes.part".to_owned(),
            format!("{{{}}}.part", &hex[..30]),
        ] {
            assert_eq!(blob_of(&name), None, "{name}");
            assert!(!is_unfinished(&name), "{name}");
        }
    }
}
