use berth_blob::{BlobError, ByteStream, StagedWriter};
use berth_spec::Hasher;
use bytes::Bytes;
use futures_util::future::OptionFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::task::spawn_blocking;

use crate::{BodyError, BodyStream};

/// How many bytes are gathered while earlier ones are hashed and written. Large enough that handing
/// over to another thread costs little, small enough for the processor's cache and for many uploads at
/// once.
const BATCH_BYTES: usize = 512 * 1024;

/// What came of receiving a body.
pub(crate) struct Received {
    /// The hash over the session's bytes and all the received ones.
    pub(crate) hasher: Hasher,
    /// How many bytes were received and written.
    pub(crate) length: u64,
    /// Why the body ended early, if it did.
    pub(crate) interrupted: Option<BodyError>,
}

/// Writes a body as it arrives, and hashes it at the same time, until it ends, breaks off, or
/// exceeds `limit` bytes (it is then counted a little beyond the limit).
///
/// Three things go on at once: one batch is hashed, the same batch is written, and the next one
/// gathers. No more than that is held in memory.
pub(crate) async fn receive(
    writer: &mut dyn StagedWriter,
    mut hasher: Hasher,
    mut body: BodyStream,
    limit: u64,
) -> Result<Received, BlobError> {
    let mut batch = Batch::default();
    let mut length = 0;
    let mut interrupted = None;
    let mut ended = false;
    loop {
        if batch.pieces.is_empty() && !ended {
            ended = batch.take(body.next().await, &mut interrupted);
            continue;
        }
        if batch.pieces.is_empty() {
            return Ok(Received {
                hasher,
                length,
                interrupted,
            });
        }
        let full = std::mem::take(&mut batch);
        length += full.length as u64;
        let mut storing = Box::pin(store(writer, hasher, full.pieces)).fuse();
        hasher = loop {
            let may_gather = !ended && batch.length < BATCH_BYTES;
            let next = OptionFuture::from(may_gather.then(|| body.next()));
            tokio::select! {
                biased;
                stored = &mut storing => break stored?,
                Some(piece) = next => ended = batch.take(piece, &mut interrupted),
            }
        };
        ended |= length > limit;
    }
}

/// Hashes a body that is in the store already.
pub(crate) async fn rehash(mut hasher: Hasher, mut bytes: ByteStream) -> Result<Hasher, BlobError> {
    while let Some(piece) = bytes.next().await {
        hasher = hash(hasher, vec![piece?]).await?;
    }
    Ok(hasher)
}

#[derive(Default)]
struct Batch {
    pieces: Vec<Bytes>,
    length: usize,
}

impl Batch {
    /// Adds what the body yielded; `true` if that was its end.
    fn take(
        &mut self,
        piece: Option<Result<Bytes, BodyError>>,
        interrupted: &mut Option<BodyError>,
    ) -> bool {
        match piece {
            None => true,
            Some(Err(error)) => {
                *interrupted = Some(error);
                true
            }
            Some(Ok(bytes)) => {
                self.length += bytes.len();
                if !bytes.is_empty() {
                    self.pieces.push(bytes);
                }
                false
            }
        }
    }
}

async fn store(
    writer: &mut dyn StagedWriter,
    hasher: Hasher,
    pieces: Vec<Bytes>,
) -> Result<Hasher, BlobError> {
    // `Bytes` are shared, not copied.
    let (hasher, written) = tokio::join!(hash(hasher, pieces.clone()), writer.write(pieces));
    written?;
    hasher
}

async fn hash(mut hasher: Hasher, pieces: Vec<Bytes>) -> Result<Hasher, BlobError> {
    let hashing = spawn_blocking(move || {
        for piece in &pieces {
            hasher.update(piece);
        }
        hasher
    });
    hashing.await.map_err(|_| BlobError::Interrupted)
}
