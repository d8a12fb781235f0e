use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_blob::FilesystemBlobs;
use berth_faults::Faults;
use berth_metadata::SqliteMetadata;
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::process::Process;
use crate::session::Remembered;

/// A data folder, and what a client remembers of what it did there.
pub(crate) struct Folder {
    folder: TempDir,
    remembered: Remembered,
}

impl Folder {
    /// In memory, where there is such a file system: nothing here can tell whether a sync was made, and
    /// there are thousands of them.
    pub(crate) fn new() -> Self {
        let in_memory = Path::new("/dev/shm");
        let folder = tempfile::tempdir_in(in_memory).or_else(|_| tempfile::tempdir());
        Self {
            folder: folder.unwrap(),
            remembered: Remembered::default(),
        }
    }

    /// Another with the same files. No process may have this one open.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        for file in self.files("") {
            let place = copy.path().join(file.strip_prefix(self.path()).unwrap());
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(file, place).unwrap();
        }
        copy
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// All files below a folder in it.
    pub(crate) fn files(&self, below: &str) -> Vec<PathBuf> {
        files(&self.path().join(below))
    }

    /// A process serves this folder for a while, and then dies: what it still does then is cut off.
    pub(crate) fn process<T>(&self, faults: &Faults, life: impl AsyncFnOnce(&Process) -> T) -> T {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let process = Process::over(self.open(), faults, &self.remembered);
            life(&process).await
        })
    }

    pub(crate) fn open(&self) -> (Arc<SqliteMetadata>, Arc<FilesystemBlobs>) {
        let metadata = SqliteMetadata::open(&self.path().join("metadata.sqlite3"));
        let blobs = FilesystemBlobs::open(self.path());
        (Arc::new(metadata.unwrap()), Arc::new(blobs.unwrap()))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}
