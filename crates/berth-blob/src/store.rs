use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use berth_spec::{Digest, SessionId};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{BlobError, BlobIdentity};

/// Where the bytes of blobs live.
///
/// Bytes arrive in a staging area, one per upload session, and become a blob by being published
/// under their digest: at once and whole, so that nobody ever sees half a blob. The store does not
/// check digests; who publishes has hashed the bytes while they arrived.
///
/// Methods may be called from async code: none blocks the calling thread.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Opens a staging area for writing at `offset`, creating it if it is missing and `offset` is 0.
    /// What it holds beyond `offset` is cut off: bytes that were never acknowledged. At most one
    /// writer may be open for one session; the caller sees to that.
    ///
    /// # Errors
    /// [`BlobError::StagedBytesMissing`] if it holds fewer than `offset` bytes.
    async fn stage(
        &self,
        session: SessionId,
        offset: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError>;

    /// The first `length` bytes of a staging area, in order, in pieces of bounded size, each read
    /// only when it is asked for.
    ///
    /// # Errors
    /// [`BlobError::StagedBytesMissing`] if it holds fewer than `length` bytes.
    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError>;

    /// Makes the first `length` bytes of a staging area the blob `digest`. When this answers `Ok`,
    /// the blob is durable. The staging area stays, so that this can be done again after a crash;
    /// but nothing may be appended to it any more. If the blob is there already, these bytes take its
    /// place: they were hashed just now, and nobody knows what has become of the older ones. Whoever
    /// reads those goes on, as with [`BlobStore::open`]. A staging area that is missing counts as empty if `length` is 0.
    ///
    /// # Errors
    /// [`BlobError::StagedBytesMissing`] if it does not hold exactly `length` bytes.
    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<(), BlobError>;

    /// Removes a staging area. One that is missing is no error.
    async fn discard(&self, session: SessionId) -> Result<(), BlobError>;

    /// The sessions that have a staging area, in no order.
    async fn staged(&self) -> Result<Vec<SessionId>, BlobError>;

    /// Opens a blob for reading; `None` if there is no such blob. Once open, it can be read to its
    /// end even if it is deleted or replaced meanwhile; or, where a store cannot keep what is open, its
    /// bytes end with [`BlobError::Gone`]. Bytes of another blob never follow.
    async fn open(&self, digest: &Digest) -> Result<Option<Box<dyn BlobReader>>, BlobError>;

    /// Removes blobs, and answers how many there were. [`BlobGuards`](crate::BlobGuards) tell when that
    /// is safe. A power cut may bring some back, but never one that is published again after that.
    ///
    /// # Errors
    /// If some could not be removed; the others are.
    async fn delete(&self, digests: &[Digest]) -> Result<u64, BlobError>;

    /// All blobs there are, in no order, in batches that are each read only when asked for. One that
    /// comes or goes meanwhile may be among them or not.
    fn list(&self) -> DigestStream;

    /// Moves the bytes of a blob aside, durably, to where nobody reads them as that blob: they are not
    /// what their digest says. They replace nothing that was moved there before. There is no such
    /// blob then, until it is published again. `false`, and nothing happens, if the blob's bytes are
    /// not those that were `read`: they may have been replaced since then, by good ones.
    async fn quarantine(&self, digest: &Digest, read: &BlobIdentity) -> Result<bool, BlobError>;
}

/// Names of blobs, in batches.
pub type DigestStream = BoxStream<'static, Result<Vec<Digest>, BlobError>>;

/// Bytes in pieces of bounded size, each produced only when it is asked for.
pub type ByteStream = BoxStream<'static, Result<Bytes, BlobError>>;

/// An open staging area. Dropping it without [`StagedWriter::sync`] leaves bytes that may or may
/// not survive a crash, and that the next [`BlobStore::stage`] cuts off.
#[async_trait]
pub trait StagedWriter: Send {
    /// Appends pieces, in order. They are in the store, but not yet durable, when this answers.
    /// After an error, nothing more may be written with this writer but it may be synced: how much of
    /// these pieces was written is unknown, and what came before them is unharmed.
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), BlobError>;

    /// Makes all that was written durable, and the staging area itself too.
    async fn sync(&mut self) -> Result<(), BlobError>;

    /// Ends writing without a sync: what the store began in the background has ended when this
    /// answers. An error of that is told here or never, so bytes count only after this or
    /// [`StagedWriter::sync`].
    async fn close(&mut self) -> Result<(), BlobError>;
}

/// An open blob.
pub trait BlobReader: Send + Sync {
    /// The size of the blob, in bytes.
    fn size(&self) -> u64;

    /// Which bytes it reads.
    fn identity(&self) -> BlobIdentity;

    /// The bytes of `range`, which must lie within the size, in pieces of bounded size, each read
    /// only when it is asked for (one may be read ahead).
    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream;

    /// The open file that holds the blob and nothing else, if there is one: a shorter way out than
    /// [`BlobReader::read`]. Nobody writes to it any more.
    fn file(&self) -> Option<Arc<File>>;
}
