use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use berth_blob::{BlobError, BlobIdentity, BlobReader, ByteStream};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore,
    Result as StoreResult,
};
use tokio::time::Instant;
use tracing::debug;

use crate::error::{failed, refused, text_of};
use crate::shared::Shared;

/// The largest piece that is handed on, in bytes.
const PIECE: usize = 256 * 1024;

/// An object that was found.
pub(crate) struct ObjectReader {
    shared: Arc<Shared>,
    found: ObjectMeta,
}

/// An object that was not looked for.
pub(crate) struct KnownReader {
    shared: Arc<Shared>,
    object: Path,
    size: u64,
}

/// Bytes that nobody has looked at yet: none that were read, so nothing is removed for them.
struct Unseen;

/// Which version of which object this is. The time tells apart equal bytes of different uploads, whose tags
/// may be equal; but it may be one of whole seconds, in which equal bytes came twice, as two objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    object: Path,
    size: u64,
    e_tag: Option<String>,
    version: Option<String>,
    modified: String,
}

impl Version {
    pub(crate) fn of(found: &ObjectMeta) -> Self {
        Self {
            object: found.location.clone(),
            size: found.size,
            e_tag: found.e_tag.clone(),
            version: found.version.clone(),
            modified: found.last_modified.to_rfc3339(),
        }
    }
}

/// Opens an object; `None` if it is not there.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    object: &Path,
) -> Result<Option<ObjectReader>, BlobError> {
    let found = shared.find(object).await?;
    let shared = Arc::clone(shared);
    Ok(found.map(|found| ObjectReader { shared, found }))
}

/// An object of which the size is known, and nothing else: it is asked for when it is read.
pub(crate) fn known(shared: &Arc<Shared>, object: Path, size: u64) -> KnownReader {
    let shared = Arc::clone(shared);
    KnownReader {
        shared,
        object,
        size,
    }
}

/// The bytes of an object that must be there.
pub(crate) async fn object(
    shared: &Arc<Shared>,
    object: &Path,
    range: Range<u64>,
) -> Result<ByteStream, BlobError> {
    let reader = open(shared, object).await?.ok_or(BlobError::Gone)?;
    Ok(Box::new(reader).read(range))
}

impl BlobReader for ObjectReader {
    fn size(&self) -> u64 {
        self.found.size
    }

    fn identity(&self) -> BlobIdentity {
        BlobIdentity::new(Version::of(&self.found))
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        let ObjectMeta {
            location,
            size,
            e_tag,
            ..
        } = self.found;
        Reading::of(self.shared, location, size, e_tag, range)
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }
}

impl BlobReader for KnownReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn identity(&self) -> BlobIdentity {
        BlobIdentity::new(Unseen)
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        Reading::of(self.shared, self.object, self.size, None, range)
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }
}

/// A range of an object that is being read. Nothing is asked for ahead: what the connection holds
/// is all that waits in memory.
struct Reading {
    shared: Arc<Shared>,
    object: Path,
    size: u64,
    /// That of the object that was opened, or that the first answer was of.
    e_tag: Option<String>,
    /// What is still to come from the bucket.
    rest: Range<u64>,
    answer: Option<BoxStream<'static, StoreResult<Bytes>>>,
    /// What came and was not handed on yet.
    piece: Bytes,
    /// How often in a row the connection broke and nothing came, and since when.
    failures: u32,
    broken_since: Option<Instant>,
}

impl Reading {
    fn of(
        shared: Arc<Shared>,
        object: Path,
        size: u64,
        e_tag: Option<String>,
        range: Range<u64>,
    ) -> ByteStream {
        if range.end > size {
            return stream::iter([Err(BlobError::Truncated)]).boxed();
        }
        let reading = Self {
            shared,
            object,
            size,
            e_tag,
            rest: range,
            answer: None,
            piece: Bytes::new(),
            failures: 0,
            broken_since: None,
        };
        stream::unfold(Some(reading), |reading| async move {
            let mut reading = reading?;
            match reading.next().await {
                Ok(None) => None,
                Ok(Some(piece)) => Some((Ok(piece), Some(reading))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        while self.piece.is_empty() {
            if self.rest.is_empty() {
                return Ok(None);
            }
            if let Err(error) = self.take_in().await {
                self.answer = None;
                self.wait_after(&error).await?;
            }
        }
        let length = self.piece.len().min(PIECE);
        Ok(Some(self.piece.split_to(length)))
    }

    /// Takes the next bytes from the connection, or asks for them.
    async fn take_in(&mut self) -> Result<(), Broken> {
        let answer = match &mut self.answer {
            Some(answer) => answer,
            None => {
                let asked = ask(&*self.shared.bucket, &self.object, &self.e_tag, &self.rest);
                let found = asked.await?;
                if found.meta.size != self.size {
                    return Err(Broken::OtherSize);
                }
                self.e_tag.clone_from(&found.meta.e_tag);
                self.answer.insert(found.into_stream())
            }
        };
        let piece = match answer.next().await {
            Some(piece) => piece?,
            None => return Err(Broken::Early),
        };
        let length = piece.len() as u64;
        if length > self.rest.end - self.rest.start {
            return Err(Broken::TooLong);
        }
        self.rest.start += length;
        self.failures = 0;
        self.broken_since = None;
        self.piece = piece;
        Ok(())
    }

    async fn wait_after(&mut self, broken: &Broken) -> Result<(), BlobError> {
        self.failures += 1;
        let since = *self.broken_since.get_or_insert_with(Instant::now);
        let settings = &self.shared.settings;
        let is_last = self.failures > settings.read_attempts
            // Each attempt may have been several requests already.
            || since.elapsed() > settings.requests.give_up_after;
        match broken {
            // Tags are compared, so this is not the object that was opened.
            Broken::Failed(StoreError::NotFound { .. } | StoreError::Precondition { .. }) => {
                return Err(BlobError::Gone);
            }
            Broken::Failed(error) if is_last || is_final(error) => return Err(failed(error)),
            Broken::Early if is_last => {
                return Err(refused("the bucket sends fewer bytes than were asked for"));
            }
            Broken::OtherSize => return Err(BlobError::Truncated),
            Broken::TooLong => {
                return Err(refused("the bucket sends more bytes than were asked for"));
            }
            Broken::Failed(error) => debug!(error = %text_of(error), "a read goes on after this"),
            Broken::Early => debug!("a read goes on after its connection ended early"),
        }
        let waits = &settings.requests;
        let wait = waits
            .first_wait
            .saturating_mul(2u32.saturating_pow(self.failures - 1));
        tokio::time::sleep(wait.min(waits.longest_wait).max(Duration::from_millis(1))).await;
        Ok(())
    }
}

/// Why no bytes came.
enum Broken {
    Failed(StoreError),
    Early,
    TooLong,
    OtherSize,
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

fn is_final(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::PermissionDenied { .. }
            | StoreError::Unauthenticated { .. }
            | StoreError::NotSupported { .. }
    )
}

async fn ask(
    bucket: &(impl ObjectStore + ?Sized),
    object: &Path,
    e_tag: &Option<String>,
    range: &Range<u64>,
) -> Result<GetResult, StoreError> {
    let options = GetOptions {
        if_match: e_tag.clone(),
        range: Some(GetRange::Bounded(range.clone())),
        ..GetOptions::default()
    };
    bucket.get_opts(object, options).await
}
