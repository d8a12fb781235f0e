mod blocking;
mod delete;
mod layout;
mod pieces;
mod publish;
mod quarantine;
mod staging;
mod sync_behind;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use berth_spec::{BlobName, Digest, SessionId};
use futures_util::{StreamExt, stream};

use crate::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, Listed, Staged,
    StagedWriter,
};
use blocking::blocking;
use layout::Layout;
pub use pieces::pieces_of_file;
use staging::FileWriter;

/// Blobs in a folder: `blobs/<algorithm>/<first two hex>/<hex>`, staging areas in
/// `uploads/<session>`, and bytes that are not what their digest says in
/// `quarantine/<algorithm>-<hex>.<number>`.
///
/// A blob is published by linking the synced staging file to its name and syncing the folder, so
/// it is never seen in part, and a published file is never written again. All work happens on
/// tokio's blocking threads. One process at a time may use a folder; the caller sees to that. So there are
/// no generations: a name with one is nowhere.
#[derive(Debug)]
pub struct FilesystemBlobs {
    layout: Arc<Layout>,
}

impl FilesystemBlobs {
    /// Opens the storage in `root`, creating what is missing. Blocks: call it before serving.
    ///
    /// # Errors
    /// [`BlobError::Io`] if the folders cannot be made.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        let layout = Arc::new(Layout::create(root)?);
        Ok(Self { layout })
    }

    /// The storage in `root`, to be read: makes nothing, and removes nothing that a crash left. Storing
    /// fails where folders are missing.
    pub fn for_reading(root: &Path) -> Self {
        let layout = Arc::new(Layout::of(root));
        Self { layout }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Layout) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let layout = Arc::clone(&self.layout);
        blocking(move || work(&layout)).await
    }
}

#[async_trait]
impl BlobStore for FilesystemBlobs {
    /// No other process has the folder: a fence would keep nobody out.
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        _fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        let layout = Arc::clone(&self.layout);
        let writer = blocking(move || FileWriter::open(layout, session, offset)).await?;
        Ok(Box::new(writer))
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        let file = self
            .blocking(move |layout| staging::open_for_reading(layout, session, length))
            .await?;
        Ok(pieces_of_file(Arc::new(file), 0..length))
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        let digest = digest.clone();
        self.blocking(move |layout| {
            publish::publish(layout, session, length, &digest)?;
            Ok(BlobName::plain(digest))
        })
        .await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        self.blocking(move |layout| {
            remove_if_there(&layout.staged(session))?;
            Ok(())
        })
        .await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        let sessions = self.blocking(Layout::sessions).await?.into_iter();
        let staged = sessions.map(|session| Staged {
            session,
            touched_at: None,
        });
        Ok(staged.collect())
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let Some(digest) = plain(name).cloned() else {
            return Ok(None);
        };
        self.blocking(move |layout| open_blob(&layout.blob(&digest)))
            .await
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        let digests: Vec<Digest> = names.iter().filter_map(plain).cloned().collect();
        self.blocking(move |layout| Ok(delete::delete(layout, &digests)?))
            .await
    }

    fn list(&self) -> BlobList {
        let layout = Arc::clone(&self.layout);
        let folders = stream::iter(layout.folders());
        let batches = folders.then(move |(algorithm, folder)| {
            let layout = Arc::clone(&layout);
            blocking(move || {
                let digests = layout.digests_in(algorithm, &folder)?;
                Ok(digests.into_iter().map(listed).collect())
            })
        });
        batches.boxed()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        let file = read.known_by::<Arc<File>>().cloned();
        let (Some(digest), Some(file)) = (plain(name).cloned(), file) else {
            return Ok(false);
        };
        self.blocking(move |layout| quarantine::quarantine(layout, &digest, &file))
            .await
    }
}

/// The digest of a name that can be here.
fn plain(name: &BlobName) -> Option<&Digest> {
    name.generation.is_none().then_some(&name.digest)
}

fn listed(digest: Digest) -> Listed {
    Listed {
        name: BlobName::plain(digest),
        written_at: None,
    }
}

fn open_blob(path: &Path) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let size = file.metadata()?.len();
    let file = Arc::new(file);
    Ok(Some(Box::new(FileReader { file, size })))
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

struct FileReader {
    file: Arc<File>,
    size: u64,
}

impl BlobReader for FileReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn identity(&self) -> BlobIdentity {
        BlobIdentity::new(Arc::clone(&self.file))
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        pieces_of_file(self.file, range)
    }

    fn file(&self) -> Option<Arc<File>> {
        Some(Arc::clone(&self.file))
    }
}
