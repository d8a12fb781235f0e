use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use berth_registry::BodyStream;
use berth_spec::{Digest, Hasher, RepositoryName};
use futures_util::StreamExt;

use crate::TransferError;
use crate::blocking::blocking;
use crate::layout::{BLOBS, INDEX, MARKER};

/// How many blobs are remembered, to be linked to when another repository has them too.
const REMEMBERED: usize = 1_000_000;

/// The folder of an export, which one process has for itself as long as this lives.
pub(super) struct ExportFolder {
    root: PathBuf,
    /// A repository in which each blob is.
    written: Mutex<HashMap<Digest, RepositoryName>>,
    _lock: File,
}

/// What became of a blob.
pub(super) enum Written {
    /// It was there already.
    Kept,
    /// It is in another repository, and linked to.
    Linked,
    /// It was copied.
    Copied,
    /// Its bytes have this digest, and were not kept.
    Damaged(Digest),
    /// It cannot be read.
    Unreadable(String),
}

impl ExportFolder {
    pub(super) async fn claim(root: &Path) -> Result<Self, TransferError> {
        let root = root.to_owned();
        blocking(move || {
            let lock = lock(&root).map_err(|error| TransferError::folder(&root, error))?;
            Ok(Self {
                root,
                written: Mutex::default(),
                _lock: lock,
            })
        })
        .await?
    }

    fn layout(&self, repository: &RepositoryName) -> PathBuf {
        self.root.join(repository.as_str())
    }

    fn path_of(&self, repository: &RepositoryName, digest: &Digest) -> PathBuf {
        let blobs = self.layout(repository).join(BLOBS);
        blobs.join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// Makes the folders of a layout, without an index.
    pub(super) async fn make_layout(
        &self,
        repository: &RepositoryName,
    ) -> Result<(), TransferError> {
        let layout = self.layout(repository);
        blocking(move || {
            let made = fs::create_dir_all(layout.join(BLOBS).join("sha256"));
            let marker = br#"{"imageLayoutVersion":"1.0.0"}"#;
            let marked = made.and_then(|()| replace(&layout.join(MARKER), marker));
            marked.map_err(|error| TransferError::folder(layout, error))
        })
        .await?
    }

    /// Makes bytes the index of a layout, when all before it is durable.
    pub(super) async fn write_index(
        &self,
        repository: &RepositoryName,
        index: Vec<u8>,
    ) -> Result<(), TransferError> {
        let (layout, root) = (self.layout(repository), self.root.clone());
        blocking(move || {
            let written = sync_folders(&root, &layout)
                .and_then(|()| replace(&layout.join(INDEX), &index))
                .and_then(|()| sync(&layout));
            written.map_err(|error| TransferError::folder(layout, error))
        })
        .await?
    }

    /// Writes a blob of so many bytes, unless it is there.
    pub(super) async fn write(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        body: BodyStream,
    ) -> Result<Written, TransferError> {
        let path = self.path_of(repository, digest);
        let elsewhere = self.elsewhere(repository, digest);
        let (place, other) = (path.clone(), elsewhere);
        let there = blocking(move || find(&place, other.as_deref(), size)).await?;
        let there = there.map_err(|error| TransferError::folder(&path, error))?;
        let written = match there {
            Some(written) => written,
            None => copy(path, digest, body).await?,
        };
        if !matches!(written, Written::Damaged(_) | Written::Unreadable(_)) {
            self.remember(repository, digest);
        }
        Ok(written)
    }

    fn elsewhere(&self, repository: &RepositoryName, digest: &Digest) -> Option<PathBuf> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let other = written.get(digest).filter(|other| *other != repository)?;
        Some(self.path_of(other, digest))
    }

    fn remember(&self, repository: &RepositoryName, digest: &Digest) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() < REMEMBERED && !written.contains_key(digest) {
            written.insert(digest.clone(), repository.clone());
        }
    }
}

fn lock(root: &Path) -> io::Result<File> {
    fs::create_dir_all(root)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let lock = options.open(root.join(".lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(io::Error::other(
            "another export is writing there; wait for it",
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Looks for a blob, in its place or, to be linked there, in another. One of another size is not it.
fn find(path: &Path, elsewhere: Option<&Path>, size: u64) -> io::Result<Option<Written>> {
    let has_size = |path: &Path| {
        let found = path.symlink_metadata();
        found.is_ok_and(|found| found.is_file() && found.len() == size)
    };
    if has_size(path) {
        return Ok(Some(Written::Kept));
    }
    let Some(elsewhere) = elsewhere.filter(|elsewhere| has_size(elsewhere)) else {
        return Ok(None);
    };
    make_parent(path)?;
    remove_if_there(path)?;
    // Not every file system has such links, and none has any number: then it is copied.
    Ok(fs::hard_link(elsewhere, path)
        .is_ok()
        .then_some(Written::Linked))
}

async fn copy(
    path: PathBuf,
    digest: &Digest,
    mut body: BodyStream,
) -> Result<Written, TransferError> {
    let unusable = |error| TransferError::folder(&path, error);
    let partial = path.with_extension("partial");
    let place = partial.clone();
    let opened = blocking(move || {
        make_parent(&place)?;
        File::create(&place)
    });
    let mut state = (
        opened.await?.map_err(unusable)?,
        Hasher::new(digest.algorithm()),
    );
    while let Some(piece) = body.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                discard(partial).await?;
                return Ok(Written::Unreadable(error.to_string()));
            }
        };
        let (mut file, mut hasher) = state;
        let writing = blocking(move || {
            hasher.update(&piece);
            file.write_all(&piece)?;
            Ok((file, hasher))
        });
        state = writing.await?.map_err(unusable)?;
    }
    let (file, hasher) = state;
    let found = hasher.finish();
    if found != *digest {
        discard(partial).await?;
        return Ok(Written::Damaged(found));
    }
    let place = path.clone();
    let kept = blocking(move || {
        file.sync_all()?;
        fs::rename(&partial, &place)
    });
    kept.await?.map_err(unusable)?;
    Ok(Written::Copied)
}

async fn discard(partial: PathBuf) -> Result<(), TransferError> {
    blocking(move || {
        let removed = remove_if_there(&partial);
        removed.map_err(|error| TransferError::folder(partial, error))
    })
    .await?
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a whole file in the place of what is there.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(partial, path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Syncs the folders of a layout, and those that lead to it.
fn sync_folders(root: &Path, layout: &Path) -> io::Result<()> {
    for entry in fs::read_dir(layout.join(BLOBS))? {
        sync(&entry?.path())?;
    }
    sync(&layout.join(BLOBS))?;
    let above = layout.ancestors();
    for folder in above.take_while(|folder| folder.starts_with(root)) {
        sync(folder)?;
    }
    Ok(())
}
