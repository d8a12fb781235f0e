use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::JoinHandle;

use crate::{BlobError, ByteStream};

/// How much is read at once, in bytes.
const PIECE: u64 = 256 * 1024;

type Piece = JoinHandle<Result<Bytes, BlobError>>;

/// The bytes of a range of a file that nobody cuts off, in pieces of at most 256 KiB, read on threads that may
/// block. While the reader of the stream has one piece, the next is read; never more.
pub fn pieces_of_file(file: Arc<File>, range: Range<u64>) -> ByteStream {
    let mut pieces = Pieces {
        file,
        rest: range,
        ahead: None,
    };
    pieces.read_ahead();
    stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.ahead.take()?.await;
        let piece = piece.unwrap_or(Err(BlobError::Interrupted));
        if piece.is_ok() {
            pieces.read_ahead();
        }
        Some((piece, pieces))
    })
    .boxed()
}

struct Pieces {
    file: Arc<File>,
    rest: Range<u64>,
    ahead: Option<Piece>,
}

impl Pieces {
    fn read_ahead(&mut self) {
        let start = self.rest.start;
        let end = self.rest.end.min(start.saturating_add(PIECE));
        if start >= end {
            return;
        }
        self.rest.start = end;
        let file = Arc::clone(&self.file);
        self.ahead = Some(tokio::task::spawn_blocking(move || read(&file, start..end)));
    }
}

fn read(file: &File, range: Range<u64>) -> Result<Bytes, BlobError> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut piece = vec![0; length];
    match file.read_exact_at(&mut piece, range.start) {
        Ok(()) => Ok(piece.into()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(BlobError::Truncated),
        Err(error) => Err(error.into()),
    }
}
