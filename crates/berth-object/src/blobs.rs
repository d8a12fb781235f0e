use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_blob::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, Listed, Staged,
    StagedWriter,
};
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::Method;
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::signer::Signer;
use tracing::warn;

use crate::error::failed;
use crate::layout::Layout;
use crate::owner::{self, OwnerError};
use crate::shared::{Bucket, Shared};
use crate::{Settings, probe, publish, reading, removal, staging};

/// How many blobs a batch of a list has at most: as many as S3 tells at once.
const BATCH: usize = 1_000;

/// The largest piece of a staging area that is handed on, in bytes.
const PIECE: usize = 256 * 1024;

/// Blobs in a bucket: `<prefix>/blobs/<algorithm>/<first two hex>/<hex>.<generation>` (without a generation, what
/// earlier versions wrote), staging areas in
/// `<prefix>/uploads/<session>/`, and bytes that are not what their digest says in
/// `<prefix>/quarantine/<algorithm>-<hex>.<random>`.
///
/// Any number of processes may use a bucket at once. Of two that write to one upload session, one is
/// refused when it syncs. What is open may be gone when it is removed or replaced: see
/// [`BlobStore::open`].
pub struct ObjectBlobs {
    shared: Arc<Shared>,
}

impl ObjectBlobs {
    /// Blobs in this bucket, under this prefix, which may be empty.
    pub fn new(bucket: Arc<dyn Bucket>, prefix: Path, settings: Settings) -> Self {
        let shared = Shared::new(bucket, Layout::new(prefix), settings);
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Blobs in this bucket that can be read over URLs of their own: see [`ObjectBlobs::presigned_get`].
    pub fn signing(
        bucket: Arc<dyn Bucket>,
        signer: Arc<dyn Signer>,
        prefix: Path,
        settings: Settings,
    ) -> Self {
        let mut shared = Shared::new(bucket, Layout::new(prefix), settings);
        shared.signer = Some(signer);
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Tries in the bucket what is needed of it, with an object of its own: to write, to read, to delete, and
    /// to write only in the place of a version that is known. Call it before serving.
    ///
    /// # Errors
    /// If the bucket cannot be used, or does not keep apart those who write at the same time.
    pub async fn try_out(&self) -> Result<(), BlobError> {
        probe::try_out(&self.shared).await
    }

    /// Makes sure that the blobs are those of one registry: who takes another's would remove them as garbage.
    /// The first to claim a bucket without blobs has it. `owner` is any text that no other registry has.
    ///
    /// # Errors
    /// If it is another's, or has blobs and no owner.
    pub async fn claim(&self, owner: &str) -> Result<(), OwnerError> {
        owner::claim(&self.shared, owner).await
    }

    /// A URL from which whoever has it can `GET` the blob, ranges too, for so long (S3 allows a week).
    /// `None` if this bucket has no such URLs. Whether the blob is there is not asked.
    ///
    /// # Errors
    /// If the credentials cannot be had.
    pub async fn presigned_get(
        &self,
        name: &BlobName,
        lifetime: Duration,
    ) -> Result<Option<String>, BlobError> {
        let Some(signer) = &self.shared.signer else {
            return Ok(None);
        };
        let blob = self.shared.layout.blob(name);
        let signed = signer.signed_url(Method::GET, &blob, lifetime).await;
        let url = signed.map_err(|error| failed(&error))?;
        Ok(Some(url.into()))
    }
}

/// No settings of the bucket: they may have secrets.
impl fmt::Debug for ObjectBlobs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { bucket, layout, .. } = &*self.shared;
        write!(
            formatter,
            "ObjectBlobs({bucket}, {:?})",
            layout.prefix().as_ref()
        )
    }
}

#[async_trait]
impl BlobStore for ObjectBlobs {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        let writer = staging::open(&self.shared, session, offset, fence).await?;
        Ok(Box::new(writer))
    }

    fn abandon(&self, session: SessionId) {
        self.shared.closed().remove(&session);
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        let staged = publish::staged(&self.shared, session).await?;
        let mut staged = staged.unwrap_or_default();
        if staged.record.length < length {
            return Err(staging::missing(session, length, staged.record.length));
        }
        if staged.record.is_small() {
            return Ok(in_pieces(staged.tail, length));
        }
        let data = publish::complete(&self.shared, session, &mut staged).await?;
        reading::object(&self.shared, &data, 0..length).await
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        publish::publish(&self.shared, session, length, digest).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        publish::discard(&self.shared, session).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        let layout = &self.shared.layout;
        let objects = self.shared.bucket.list(Some(&layout.uploads()));
        let staged = objects.map_ok(|object| {
            let session = layout.session_of(&object.location)?;
            Some(Staged {
                session,
                touched_at: Some(object.last_modified.into()),
            })
        });
        let staged = staged.try_filter_map(async |staged| Ok(staged));
        staged.try_collect().await.map_err(|error| failed(&error))
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let blob = self.shared.layout.blob(name);
        let reader = reading::open(&self.shared, &blob).await?;
        Ok(reader.map(|reader| Box::new(reader) as Box<dyn BlobReader>))
    }

    /// What has a generation is never replaced, so its bytes are those that the metadata mean.
    async fn open_known(
        &self,
        name: &BlobName,
        size: u64,
    ) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        if name.generation.is_none() {
            return self.open(name).await;
        }
        let blob = self.shared.layout.blob(name);
        Ok(Some(Box::new(reading::known(&self.shared, blob, size))))
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        removal::delete(&self.shared, names).await
    }

    fn list(&self) -> BlobList {
        let layout = self.shared.layout.clone();
        let objects = self.shared.bucket.list(Some(&layout.blobs()));
        let listed = objects.try_filter_map(move |object| {
            let name = layout.name_of(&object.location);
            if name.is_none() {
                warn!(object = %object.location, "this is no blob");
            }
            let written_at = Some(object.last_modified.into());
            let listed = name.map(|name| Listed { name, written_at });
            std::future::ready(Ok(listed))
        });
        let batches = listed.map_err(|error| failed(&error)).try_chunks(BATCH);
        batches.map_err(|unfinished| unfinished.1).boxed()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        removal::quarantine(&self.shared, name, read).await
    }

    async fn redirect(
        &self,
        name: &BlobName,
        lifetime: Duration,
    ) -> Result<Option<String>, BlobError> {
        self.presigned_get(name, lifetime).await
    }
}

fn in_pieces(mut bytes: Bytes, length: u64) -> ByteStream {
    bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    let pieces = std::iter::from_fn(move || {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        (!piece.is_empty()).then_some(Ok(piece))
    });
    stream::iter(pieces).boxed()
}
