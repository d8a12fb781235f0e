use std::fs::File;
use std::future::ready;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::{BlobError, BlobIdentity};

/// Where the bytes of blobs live.
///
/// Bytes arrive in a staging area, one per upload session, and become a blob by being published
/// under their digest: at once and whole, so that nobody ever sees half a blob. The store does not
/// check digests; who publishes has hashed the bytes while they arrived.
///
/// A store of one process has at most one blob of each digest, under a name without a generation. A store that
/// several processes use gives each publication a name of its own, with a new
/// [`Generation`](berth_spec::Generation), and never writes under a name twice: whoever removes a name can do so
/// whenever it likes, and removes nothing that was published later. Which of the names is the blob, its
/// metadata tell. Such a store also reads what has a name without a generation.
///
/// Methods may be called from async code: none blocks the calling thread.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Opens a staging area for writing at `offset`, creating it if it is missing and `offset` is 0.
    /// What it holds beyond `offset` is cut off: bytes that were never acknowledged. At most one
    /// writer may be open for one session; the caller sees to that.
    ///
    /// Where several processes use the store, a caller may be paused, and not know that another has taken its
    /// place. So each that takes a session brings a larger `fence` than all before it: what a larger one has
    /// written, a smaller one neither cuts nor writes over, at whatever time, and of two that work at the same time,
    /// one gets an error. A write that was under way when its caller lost the session may, at worst, spoil what comes
    /// after it: then that can be neither read nor published, and never passes for other bytes. A store of one
    /// process may pass over this.
    ///
    /// # Errors
    /// [`BlobError::StagedBytesMissing`] if it holds fewer than `offset` bytes, and [`BlobError::Superseded`] if
    /// it was written with a larger fence.
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError>;

    /// [`BlobStore::stage_fenced`] for a caller that nobody takes the place of.
    async fn stage(
        &self,
        session: SessionId,
        offset: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        self.stage_fenced(session, offset, 0).await
    }

    /// Lets go of what this process has in memory for a session that it works on no more. What is
    /// stored is not touched.
    fn abandon(&self, session: SessionId) {
        let _ = session;
    }

    /// The first `length` bytes of a staging area, in order, in pieces of bounded size, each read
    /// only when it is asked for.
    ///
    /// # Errors
    /// [`BlobError::StagedBytesMissing`] if it holds fewer than `length` bytes.
    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError>;

    /// Makes the first `length` bytes of a staging area a blob of `digest`, and answers its name. When this
    /// answers `Ok`, the blob is durable. The staging area stays, so that this can be done again after a crash;
    /// but nothing may be appended to it any more. If a blob is there already under this name, these
    /// bytes take its place: they were hashed just now, and nobody knows what has become of the older ones. Whoever
    /// reads those goes on, as with [`BlobStore::open`]. A staging area that is missing counts as empty if `length` is 0.
    ///
    /// # Errors
    /// [`BlobError::StagedBytesMissing`] if it does not hold exactly `length` bytes, and [`BlobError::Superseded`] if
    /// another process has written to it since this one did.
    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError>;

    /// Removes a staging area. One that is missing is no error.
    async fn discard(&self, session: SessionId) -> Result<(), BlobError>;

    /// The staging areas there are, in no order.
    async fn staged(&self) -> Result<Vec<Staged>, BlobError>;

    /// Opens a blob for reading; `None` if there is no such blob. Once open, it can be read to its
    /// end even if it is deleted or replaced meanwhile; or, where a store cannot keep what is open, its
    /// bytes end with [`BlobError::Gone`]. Bytes of another blob never follow.
    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError>;

    /// As [`BlobStore::open`], for whoever is about to read a blob that is there with this size, as its metadata tell. A store that
    /// would have to ask for both may leave that to reading: then a blob that is missing ends with
    /// [`BlobError::Gone`] and one of another size with [`BlobError::Truncated`], each before its first byte. [`begun`] waits for that.
    async fn open_known(
        &self,
        name: &BlobName,
        size: u64,
    ) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let _ = size;
        self.open(name).await
    }

    /// Removes blobs, and answers how many there were. Of a name with a generation, the metadata must
    /// have made sure that nobody means it any more; [`BlobGuards`](crate::BlobGuards) tell when it is safe for one
    /// without. A power cut may bring some back, but never one that is published again after that.
    ///
    /// # Errors
    /// If some could not be removed; the others are.
    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError>;

    /// All blobs there are, in no order, in batches that are each read only when asked for. One that
    /// comes or goes meanwhile may be among them or not.
    fn list(&self) -> BlobList;

    /// Moves the bytes of a blob aside, durably, to where nobody reads them as that blob: they are not
    /// what their digest says. They replace nothing that was moved there before. There is nothing under this
    /// name then, until it is published again, if that can ever be. `false`, and nothing happens, if the blob's
    /// bytes are not those that were `read`: they may have been replaced since then, by good ones.
    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError>;

    /// A URL from which whoever has it can `GET` the blob, ranges too, for so long; `None` if the store has
    /// no such URLs. Whether the blob is there is not asked.
    ///
    /// # Errors
    /// If a URL cannot be made now.
    async fn redirect(
        &self,
        name: &BlobName,
        lifetime: Duration,
    ) -> Result<Option<String>, BlobError> {
        let _ = (name, lifetime);
        Ok(None)
    }
}

/// A blob of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: BlobName,
    /// When it was published, by the clock of the store; `None` where that does not matter, since one process
    /// knows of all that it is publishing.
    pub written_at: Option<SystemTime>,
}

/// The staging area of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The session.
    pub session: SessionId,
    /// When it was begun or synced last, by the clock of the store; `None` where that does not matter,
    /// since one process knows of all that it is working on.
    pub touched_at: Option<SystemTime>,
}

/// Blobs in batches.
pub type BlobList = BoxStream<'static, Result<Vec<Listed>, BlobError>>;

/// Bytes in pieces of bounded size, each produced only when it is asked for.
pub type ByteStream = BoxStream<'static, Result<Bytes, BlobError>>;

/// The same bytes, of which the first have come.
///
/// # Errors
/// The error that they begin with.
pub async fn begun(mut bytes: ByteStream) -> Result<ByteStream, BlobError> {
    match bytes.next().await {
        // What has ended must not be asked again.
        None => Ok(stream::empty().boxed()),
        Some(Err(error)) => Err(error),
        Some(Ok(first)) => Ok(stream::once(ready(Ok(first))).chain(bytes).boxed()),
    }
}

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
