use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_blob::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, Staged, StagedWriter,
};
use berth_spec::{BlobName, Digest, SessionId};

use crate::disk::{Disk, RealDisk};
use crate::folder::Folder;
use crate::index::Index;
use crate::reader::{FillingReader, KeptReader, MissingReader};
use crate::shared::{Look, Shared};
use crate::{CacheError, CacheSettings, Usage};

/// Blobs of another store, of which those that are read often are in a folder too.
///
/// Whoever reads all of a blob that is not in the folder brings it there; others who want the same blob meanwhile read
/// along, so that the store below is read once. Parts of a blob are read from the folder if it is there, and from the
/// store below otherwise. Everything but reading goes to the store below.
///
/// A blob is in the folder under its digest, whatever its generation. So what [`BlobStore::open`] finds there, it finds also if
/// the store below has lost it, or another process has removed it: who opens a blob here must know that it is there, as from its
/// metadata, and who wants to know what the store below has must ask that. What is removed through this value is not found any more.
pub struct CachedBlobs {
    shared: Arc<Shared>,
}

impl CachedBlobs {
    /// A cache of this store in a folder, which is made if it is missing and belongs to this value alone; what an earlier process
    /// left there is used, and evicted if it is more than the limit. Blocks: call it before serving.
    ///
    /// # Errors
    /// [`CacheError::InUse`] if another process uses the folder, and when it cannot be made, read or written.
    pub fn open(
        below: Arc<dyn BlobStore>,
        folder: &Path,
        settings: CacheSettings,
    ) -> Result<Self, CacheError> {
        Self::on(Arc::new(RealDisk), below, folder, settings)
    }

    pub(crate) fn on(
        disk: Arc<dyn Disk>,
        below: Arc<dyn BlobStore>,
        folder: &Path,
        settings: CacheSettings,
    ) -> Result<Self, CacheError> {
        let folder = Folder::claim(folder, disk)?;
        let mut index = Index::of(settings.limit, folder.kept()?);
        let victims = index.shrink_to_limit();
        let shared = Shared::new(below, folder, settings, index);
        shared.folder.remove(&shared.files_of(&victims));
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// How much is in the folder now.
    pub fn usage(&self) -> Usage {
        self.shared.state().index.usage()
    }

    /// Opens what is here, or in the store below, which may be told the size.
    async fn open_through(
        &self,
        name: &BlobName,
        size: Option<u64>,
    ) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let (shared, name) = (Arc::clone(&self.shared), name.clone());
        let removals = match shared.look_for(&name.digest).await {
            Look::Kept(file, size) => {
                return Ok(Some(Box::new(KeptReader {
                    shared,
                    name,
                    size,
                    file,
                })));
            }
            Look::Filling(seat, size) => {
                return Ok(Some(Box::new(FillingReader {
                    shared,
                    name,
                    size,
                    seat,
                })));
            }
            Look::Unreadable => return open_below(&shared, &name, size).await,
            Look::Missing { removals } => removals,
        };
        let reader = open_below(&shared, &name, size).await?;
        Ok(reader.map(|reader| {
            Box::new(MissingReader {
                shared,
                name,
                removals,
                reader,
            }) as Box<dyn BlobReader>
        }))
    }
}

impl fmt::Debug for CachedBlobs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CachedBlobs({:?})", self.usage())
    }
}

#[async_trait]
impl BlobStore for CachedBlobs {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        self.shared.below.stage_fenced(session, offset, fence).await
    }

    fn abandon(&self, session: SessionId) {
        self.shared.below.abandon(session);
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        self.shared.below.read_staged(session, length).await
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        self.shared.below.publish(session, length, digest).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        self.shared.below.discard(session).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        self.shared.below.staged().await
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        self.open_through(name, None).await
    }

    async fn open_known(
        &self,
        name: &BlobName,
        size: u64,
    ) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        self.open_through(name, Some(size)).await
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        let deleted = self.shared.below.delete(names).await;
        self.shared.forget_removed(names).await;
        deleted
    }

    fn list(&self) -> BlobList {
        self.shared.below.list()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        let quarantined = self.shared.below.quarantine(name, read).await;
        self.shared.forget_removed(std::slice::from_ref(name)).await;
        quarantined
    }

    async fn redirect(
        &self,
        name: &BlobName,
        lifetime: Duration,
    ) -> Result<Option<String>, BlobError> {
        self.shared.below.redirect(name, lifetime).await
    }
}

async fn open_below(
    shared: &Shared,
    name: &BlobName,
    size: Option<u64>,
) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
    match size {
        Some(size) => shared.below.open_known(name, size).await,
        None => shared.below.open(name).await,
    }
}
