use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{BlobName, Digest, Generation, SessionId};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, Listed, Staged,
    StagedWriter,
};

/// Blobs in memory, for the tests of what uses a [`BlobStore`]. Nothing is durable.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    stored: Arc<Mutex<Stored>>,
    has_generations: bool,
}

impl MemoryBlobs {
    /// A store that gives each publication a name of its own, as one does that several processes use.
    pub fn with_generations() -> Self {
        Self {
            stored: Arc::default(),
            has_generations: true,
        }
    }
}

#[derive(Debug, Default)]
struct Stored {
    staged: HashMap<SessionId, Area>,
    blobs: HashMap<BlobName, Published>,
}

#[derive(Clone, Debug)]
struct Published {
    bytes: Bytes,
    written_at: SystemTime,
}

/// A staging area.
#[derive(Debug, Default)]
struct Area {
    bytes: Vec<u8>,
    /// The largest fence that it was opened with.
    fence: u64,
}

impl Stored {
    /// What a session has staged, if that is at least `expected` bytes.
    fn staged(&self, session: SessionId, expected: u64) -> Result<&[u8], BlobError> {
        let area = self.staged.get(&session);
        let bytes = area.map_or(&[][..], |area| &area.bytes);
        let found = bytes.len() as u64;
        if found < expected {
            return Err(BlobError::StagedBytesMissing {
                session,
                expected,
                found,
            });
        }
        Ok(bytes)
    }

    /// Lets nobody pass whose place another has taken.
    fn pass(&self, session: SessionId, fence: u64) -> Result<(), BlobError> {
        let area = self.staged.get(&session);
        match area.is_some_and(|area| area.fence > fence) {
            true => Err(BlobError::Superseded(session)),
            false => Ok(()),
        }
    }
}

fn lock(stored: &Mutex<Stored>) -> MutexGuard<'_, Stored> {
    stored.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An offset into bytes that are in memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[async_trait]
impl BlobStore for MemoryBlobs {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        let mut stored = lock(&self.stored);
        stored.pass(session, fence)?;
        stored.staged(session, offset)?;
        let area = stored.staged.entry(session).or_default();
        area.bytes.truncate(index(offset));
        area.fence = fence;
        Ok(Box::new(MemoryWriter {
            stored: Arc::clone(&self.stored),
            session,
            fence,
        }))
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        let stored = lock(&self.stored);
        let bytes = &stored.staged(session, length)?[..index(length)];
        Ok(one_piece(Bytes::copy_from_slice(bytes)))
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        let mut stored = lock(&self.stored);
        let bytes = stored.staged(session, length)?;
        if bytes.len() as u64 != length {
            return Err(BlobError::StagedBytesMissing {
                session,
                expected: length,
                found: bytes.len() as u64,
            });
        }
        let bytes = Bytes::copy_from_slice(bytes);
        stored.staged.entry(session).or_default();
        let name = BlobName {
            digest: digest.clone(),
            generation: self.has_generations.then(Generation::random),
        };
        let published = Published {
            bytes,
            written_at: SystemTime::now(),
        };
        stored.blobs.insert(name.clone(), published);
        Ok(name)
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        lock(&self.stored).staged.remove(&session);
        Ok(())
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        let stored = lock(&self.stored);
        let staged = stored.staged.keys().map(|session| Staged {
            session: *session,
            touched_at: None,
        });
        Ok(staged.collect())
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let blob = lock(&self.stored).blobs.get(name).cloned();
        Ok(blob.map(|blob| Box::new(MemoryReader(blob.bytes)) as Box<dyn BlobReader>))
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        let mut stored = lock(&self.stored);
        let removed = names
            .iter()
            .filter(|name| stored.blobs.remove(*name).is_some());
        Ok(removed.count() as u64)
    }

    fn list(&self) -> BlobList {
        let stored = lock(&self.stored);
        let listed = stored.blobs.iter().map(|(name, blob)| Listed {
            name: name.clone(),
            written_at: name.generation.map(|_| blob.written_at),
        });
        stream::iter([Ok(listed.collect())]).boxed()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        let mut stored = lock(&self.stored);
        let read = read.known_by::<Bytes>().map(|bytes| bytes.as_ptr());
        let found = stored.blobs.get(name).map(|blob| blob.bytes.as_ptr());
        let is_read = found.is_some() && found == read;
        if is_read {
            stored.blobs.remove(name);
        }
        Ok(is_read)
    }
}

struct MemoryWriter {
    stored: Arc<Mutex<Stored>>,
    session: SessionId,
    fence: u64,
}

#[async_trait]
impl StagedWriter for MemoryWriter {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), BlobError> {
        let mut stored = lock(&self.stored);
        stored.pass(self.session, self.fence)?;
        let area = stored.staged.entry(self.session).or_default();
        pieces
            .iter()
            .for_each(|piece| area.bytes.extend_from_slice(piece));
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), BlobError> {
        lock(&self.stored).pass(self.session, self.fence)
    }

    async fn close(&mut self) -> Result<(), BlobError> {
        lock(&self.stored).pass(self.session, self.fence)
    }
}

struct MemoryReader(Bytes);

impl BlobReader for MemoryReader {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn identity(&self) -> BlobIdentity {
        BlobIdentity::new(self.0.clone())
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        let end = index(range.end);
        if end > self.0.len() {
            return stream::iter([Err(BlobError::Truncated)]).boxed();
        }
        one_piece(self.0.slice(index(range.start).min(end)..end))
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }
}

fn one_piece(bytes: Bytes) -> ByteStream {
    let piece = (!bytes.is_empty()).then_some(Ok(bytes));
    stream::iter(piece).boxed()
}
