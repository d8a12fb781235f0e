use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_blob::{BlobError, ByteStream};
use berth_spec::{Digest, Hasher};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::ReadyChunks;
use tokio::join;
use tokio::time::timeout;
use tracing::{debug, error, warn};

use crate::blocking::blocking;
use crate::progress::{Fill, Progress};
use crate::shared::Shared;

/// How many pieces are hashed and written at once, at most. Stores hand on at most 256 KiB in a piece.
const BATCH: usize = 4;

/// How many bytes at the end are handed on only when all have been hashed: what is no larger is not handed on at all
/// if it is wrong.
const HELD_BACK: u64 = 256 * 1024;

/// Brings a blob from the store below into the folder, while others read along.
pub(crate) struct Filling {
    shared: Arc<Shared>,
    digest: Digest,
    fill: Arc<Fill>,
    has_ended: bool,
}

/// A file whose bytes are arriving.
struct Part {
    file: Arc<File>,
    hasher: Hasher,
    written: u64,
}

/// Why a blob is not filled.
enum Failure {
    /// It has other bytes than its digest says.
    Corrupt,
    /// The store below fails.
    Below(BlobError),
    /// The store below sends nothing for too long.
    Stalled,
    /// The folder cannot be written.
    Disk(io::Error),
    /// Nobody reads it any more.
    Unread,
    /// The process is shutting down.
    Interrupted,
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Interrupted => Self::Interrupted,
            error => Self::Below(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

type Batches = ReadyChunks<ByteStream>;

impl Filling {
    pub(crate) fn new(shared: Arc<Shared>, digest: Digest, fill: Arc<Fill>) -> Self {
        Self {
            shared,
            digest,
            fill,
            has_ended: false,
        }
    }

    /// Fills the blob from these bytes, after these files were removed for it.
    pub(crate) async fn run(self, bytes: ByteStream, victims: Vec<PathBuf>) {
        let path = self.shared.folder.unfinished();
        self.shared.remove(victims).await;
        match self.take_in(&path, bytes).await {
            Ok(file) => self.keep(path, file).await,
            Err(failure) => self.give_up(path, failure, None).await,
        }
    }

    /// Writes and hashes the bytes, each batch while the next one arrives.
    async fn take_in(&self, path: &Path, bytes: ByteStream) -> Result<Arc<File>, Failure> {
        let mut part = self.create(path.to_owned()).await?;
        let mut batches = bytes.ready_chunks(BATCH);
        let mut batch = self.next(&mut batches).await?;
        while let Some(pieces) = batch {
            if self.is_unread(part.written) {
                return Err(Failure::Unread);
            }
            let (written, next) = join!(self.append(part, pieces), self.next(&mut batches));
            part = written?;
            let available = self.fill.size.saturating_sub(HELD_BACK).min(part.written);
            self.fill
                .tell(Progress::Arriving(Arc::clone(&part.file), available));
            batch = next?;
        }
        // A store that sends fewer bytes than it said has others as well.
        let is_whole = part.written == self.fill.size;
        match is_whole && part.hasher.finish() == self.digest {
            true => Ok(part.file),
            false => Err(Failure::Corrupt),
        }
    }

    async fn create(&self, path: PathBuf) -> Result<Part, Failure> {
        let shared = Arc::clone(&self.shared);
        let hasher = Hasher::new(self.digest.algorithm());
        let part = blocking(move || {
            let file = Arc::new(shared.folder.disk.create(&path)?);
            Ok(Part {
                file,
                hasher,
                written: 0,
            })
        });
        part.await?
    }

    /// The next pieces that arrive, as many as are there at once.
    async fn next(&self, batches: &mut Batches) -> Result<Option<Vec<Bytes>>, Failure> {
        let batch = timeout(self.shared.settings.patience, batches.next());
        let batch = batch.await.map_err(|_| Failure::Stalled)?;
        let pieces = batch.map(|pieces| pieces.into_iter().collect::<Result<Vec<_>, _>>());
        Ok(pieces.transpose()?)
    }

    async fn append(&self, mut part: Part, pieces: Vec<Bytes>) -> Result<Part, Failure> {
        let (shared, size) = (Arc::clone(&self.shared), self.fill.size);
        let part = blocking(move || {
            for piece in pieces {
                let end = part.written + piece.len() as u64;
                if end > size {
                    return Err(Failure::Corrupt);
                }
                part.hasher.update(&piece);
                shared.folder.disk.write(&part.file, &piece, part.written)?;
                part.written = end;
            }
            Ok(part)
        });
        part.await?
    }

    /// Whether it is not worth going on, as nobody reads it and less than half of it is there. Nobody comes to read this
    /// fill any more then.
    fn is_unread(&self, written: u64) -> bool {
        let mut state = self.shared.state();
        let is_unread = !self.fill.has_readers() && written < self.fill.size / 2;
        if is_unread {
            state.remove_fill(&self.digest, &self.fill);
        }
        is_unread
    }

    /// Keeps what was filled, from a moment on at which a power cut takes nothing of it.
    async fn keep(mut self, path: PathBuf, file: Arc<File>) {
        self.fill.tell(Progress::Whole(Arc::clone(&file)));
        let (shared, digest) = (Arc::clone(&self.shared), self.digest.clone());
        let (part, synced, size) = (path.clone(), Arc::clone(&file), self.fill.size);
        let kept = blocking(move || {
            let folder = &shared.folder;
            folder.disk.sync(&synced)?;
            folder.disk.rename(&part, &folder.file_of(&digest, size))
        });
        let failure = match kept.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Failure::Disk(error)),
            Err(_) => Some(Failure::Interrupted),
        };
        if let Some(failure) = failure {
            // Whoever reads it goes on.
            return self.give_up(path, failure, Some(&file)).await;
        }
        let is_forgotten = {
            let mut state = self.shared.state();
            state.remove_fill(&self.digest, &self.fill);
            match self.fill.is_forgotten() {
                true => state.index.release(size, Some(&file)),
                false => state.index.keep(self.digest.clone(), size, &file),
            }
            self.fill.is_forgotten()
        };
        self.has_ended = true;
        if is_forgotten {
            let file = self.shared.folder.file_of(&self.digest, size);
            self.shared.remove(vec![file]).await;
        }
    }

    /// Ends without keeping anything, but the file as long as somebody reads it.
    async fn give_up(mut self, path: PathBuf, failure: Failure, file: Option<&Arc<File>>) {
        // Nobody may come to it after those who read it have heard of its end.
        self.shared.state().remove_fill(&self.digest, &self.fill);
        if file.is_none() {
            self.fill.tell(match failure {
                Failure::Corrupt => Progress::Corrupt,
                _ => Progress::GivenUp,
            });
        }
        self.shared.remove(vec![path]).await;
        self.report(failure).await;
        self.shared.state().index.release(self.fill.size, file);
        self.has_ended = true;
    }

    async fn report(&self, failure: Failure) {
        let (digest, size) = (&self.digest, self.fill.size);
        match failure {
            Failure::Corrupt => {
                error!(%digest, size, "a blob has other bytes than its digest says: it is not sent to its end");
            }
            Failure::Below(error) => debug!(%digest, %error, "a blob is not cached"),
            Failure::Stalled => warn!(%digest, "a blob is not cached: its store sends nothing"),
            Failure::Disk(error) => {
                let pause = self.shared.settings.pause;
                warn!(%digest, %error, ?pause, "the cache cannot be written: blobs are read without it for a while");
                let is_full = matches!(BlobError::from(error), BlobError::StorageFull);
                self.shared.pause(is_full.then_some(size)).await;
            }
            Failure::Unread => debug!(%digest, "a blob is not cached: nobody waits for it"),
            Failure::Interrupted => {}
        }
    }
}

/// A task that is cut off, as the process ends or it panics, keeps nobody waiting.
impl Drop for Filling {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let mut state = self.shared.state();
        state.remove_fill(&self.digest, &self.fill);
        state.index.release(self.fill.size, None);
        drop(state);
        self.fill.tell(Progress::GivenUp);
    }
}
