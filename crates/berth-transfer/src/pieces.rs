use std::fs::File;
use std::io::{self, Read};

use berth_registry::{BodyError, BodyStream};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use crate::folder::OpenFile;
use crate::source::FoundBlob;

/// How many bytes are read at once.
const PIECE: usize = 512 * 1024;

/// A blob in a file.
pub(crate) fn found_blob(open: OpenFile) -> FoundBlob {
    FoundBlob {
        size: open.size,
        body: pieces(open.file),
        place: open.path.display().to_string(),
    }
}

fn pieces(file: File) -> BodyStream {
    let read = stream::try_unfold(file, |file| async move {
        let reading = spawn_blocking(move || read_piece(file));
        let (piece, file) = reading.await.map_err(BodyError::from)??;
        let more = (!piece.is_empty()).then_some((piece, file));
        Ok::<_, BodyError>(more)
    });
    read.boxed()
}

fn read_piece(mut file: File) -> io::Result<(Bytes, File)> {
    let mut piece = Vec::new();
    file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
    Ok((piece.into(), file))
}
