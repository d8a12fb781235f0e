use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use berth_registry::BlobError;
use berth_sendfile::{FileMaps, is_cached, load};
use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

/// How much is handed to the connection at once. What was sent of it in vain, because the client
/// went away, is at most what the kernel had room for.
const PIECE: usize = 1024 * 1024;

/// A part of a blob that the connection sends from its file, without anybody reading it into memory.
pub(crate) struct MappedBody {
    file: Arc<File>,
    /// Where the bytes that are left begin.
    position: u64,
    bytes: Bytes,
    loading: Option<JoinHandle<io::Result<()>>>,
}

impl MappedBody {
    /// Maps a range of a file that nobody writes to.
    ///
    /// # Errors
    /// When it cannot be mapped, or the file system cannot tell what is in memory: sending would
    /// wait for the disk then.
    pub(crate) fn new(maps: &FileMaps, file: Arc<File>, range: Range<u64>) -> io::Result<Self> {
        if is_cached(&file, range.start..range.end.min(range.start + 1)).is_none() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self {
            position: range.start,
            bytes: maps.map(Arc::clone(&file), range)?,
            file,
            loading: None,
        })
    }

    /// How many bytes are still to come.
    pub(crate) fn remaining(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The next piece, as soon as sending it would not wait for the disk; `None` at the end.
    pub(crate) fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BlobError>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.bytes.len().min(PIECE);
        if let Err(error) = ready!(self.poll_cached(context, length as u64)) {
            return Poll::Ready(Some(Err(error)));
        }
        self.position += length as u64;
        Poll::Ready(Some(Ok(self.bytes.split_to(length))))
    }

    fn poll_cached(
        &mut self,
        context: &mut Context<'_>,
        length: u64,
    ) -> Poll<Result<(), BlobError>> {
        let part = self.position..self.position + length;
        let loading = match &mut self.loading {
            Some(loading) => loading,
            None if is_cached(&self.file, part.clone()) == Some(true) => {
                return Poll::Ready(Ok(()));
            }
            None => {
                let file = Arc::clone(&self.file);
                self.loading
                    .insert(spawn_blocking(move || load(&file, part)))
            }
        };
        let loaded = ready!(Pin::new(loading).poll(context));
        self.loading = None;
        Poll::Ready(match loaded {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(BlobError::Truncated)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(BlobError::Interrupted),
        })
    }
}
