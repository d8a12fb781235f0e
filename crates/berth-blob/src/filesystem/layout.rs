use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use berth_spec::{Algorithm, Digest, SessionId};
use tracing::warn;

use crate::BlobError;

/// Where everything is.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
    blobs: PathBuf,
    uploads: PathBuf,
    quarantine: PathBuf,
    /// Shared by whoever gives files the names of blobs, and held alone by whoever looks what file has
    /// such a name, to move that one.
    publishing: RwLock<()>,
}

impl Layout {
    pub(super) fn of(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            blobs: root.join("blobs"),
            uploads: root.join("uploads"),
            quarantine: root.join("quarantine"),
            publishing: RwLock::new(()),
        }
    }

    /// Makes all folders, durably, so that publishing never has to.
    pub(super) fn create(root: &Path) -> Result<Self, BlobError> {
        let layout = Self::of(root);
        fs::create_dir_all(&layout.uploads)?;
        fs::create_dir_all(&layout.blobs)?;
        for algorithm in Algorithm::ALL {
            create_fan_out(&layout.blobs.join(algorithm.as_str()))?;
        }
        sync_folder(&layout.blobs)?;
        sync_folder(root)?;
        layout.remove_leftovers()?;
        Ok(layout)
    }

    pub(super) fn folder(&self, digest: &Digest) -> PathBuf {
        let first_two = &digest.hex()[..2];
        self.blobs.join(digest.algorithm().as_str()).join(first_two)
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.folder(digest).join(digest.hex())
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn quarantine(&self) -> &Path {
        &self.quarantine
    }

    /// While a file is being given the name of a blob.
    pub(super) fn somebody_publishes(&self) -> RwLockReadGuard<'_, ()> {
        let publishing = self.publishing.read();
        publishing.unwrap_or_else(PoisonError::into_inner)
    }

    /// While no file may be given the name of a blob.
    pub(super) fn nobody_publishes(&self) -> RwLockWriteGuard<'_, ()> {
        let publishing = self.publishing.write();
        publishing.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn uploads(&self) -> &Path {
        &self.uploads
    }

    pub(super) fn staged(&self, session: SessionId) -> PathBuf {
        self.uploads.join(session.to_string())
    }

    /// Where a file of this session is made that will then be renamed: no [`SessionId`] has such a
    /// text, and what a crash leaves here is removed at the next start.
    pub(super) fn temporary(&self, session: SessionId) -> PathBuf {
        self.uploads.join(format!("{session}.temporary"))
    }

    /// All folders with blobs.
    pub(super) fn folders(&self) -> Vec<(Algorithm, PathBuf)> {
        let of = |algorithm: Algorithm| {
            let folder = self.blobs.join(algorithm.as_str());
            (0..=u8::MAX).map(move |first_two| (algorithm, folder.join(format!("{first_two:02x}"))))
        };
        Algorithm::ALL.into_iter().flat_map(of).collect()
    }

    /// The blobs in one of [`Layout::folders`]. What is no blob is passed over.
    pub(super) fn digests_in(
        &self,
        algorithm: Algorithm,
        folder: &Path,
    ) -> io::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let digest = name.to_str().and_then(|hex| {
                let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
                (self.folder(&digest) == folder).then_some(digest)
            });
            match digest {
                Some(digest) => digests.push(digest),
                None => warn!(folder = %folder.display(), ?name, "this is no blob"),
            }
        }
        Ok(digests)
    }

    /// The sessions that have a staging file.
    pub(super) fn sessions(&self) -> Result<Vec<SessionId>, BlobError> {
        let mut sessions = Vec::new();
        for entry in fs::read_dir(&self.uploads)? {
            sessions.extend(session_of(&entry?));
        }
        Ok(sessions)
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.uploads)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "temporary") {
                warn!(path = %path.display(), "removing what a crash left");
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

fn session_of(entry: &fs::DirEntry) -> Option<SessionId> {
    entry.file_name().to_str()?.parse().ok()
}

/// Makes the folders `00` to `ff`, and syncs also when all are there: whoever made them may not have
/// come that far.
fn create_fan_out(folder: &Path) -> io::Result<()> {
    for first_two in 0..=u8::MAX {
        fs::create_dir_all(folder.join(format!("{first_two:02x}")))?;
    }
    sync_folder(folder)
}

/// Makes the entries of a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
