use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use berth_blob::{BlobError, ByteStream, pieces_of_file};
use berth_spec::BlobName;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tracing::warn;

use crate::progress::{Progress, Seat};
use crate::shared::Shared;

/// A range of a blob that is being read. If the cache fails, it goes on at the same byte from the store below.
pub(crate) struct Reading {
    shared: Arc<Shared>,
    name: BlobName,
    size: u64,
    rest: Range<u64>,
    source: Source,
}

/// Where the next bytes come from.
pub(crate) enum Source {
    /// The file of a blob that is kept.
    Kept(ByteStream),
    /// The file of one that is being filled: what of it is there.
    Filling(Seat, ByteStream),
    /// The store below.
    Below(ByteStream),
    /// The store below, which must be asked.
    Closed,
}

/// What one look at a source comes to.
enum Step {
    Piece(Bytes),
    End,
    /// The next bytes are elsewhere.
    From(Source),
}

impl Source {
    pub(crate) fn kept(file: Arc<File>, range: &Range<u64>) -> Self {
        Self::Kept(pieces_of_file(file, range.clone()))
    }

    pub(crate) fn filling(seat: Seat) -> Self {
        Self::Filling(seat, stream::empty().boxed())
    }
}

impl Reading {
    pub(crate) fn new(
        shared: Arc<Shared>,
        name: BlobName,
        size: u64,
        range: Range<u64>,
        source: Source,
    ) -> Self {
        Self {
            shared,
            name,
            size,
            rest: range,
            source,
        }
    }

    pub(crate) fn into_stream(self) -> ByteStream {
        if self.rest.end > self.size {
            return stream::iter([Err(BlobError::Truncated)]).boxed();
        }
        stream::unfold(Some(self), |reading| async move {
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
        loop {
            match self.step().await? {
                Step::Piece(piece) => {
                    self.rest.start += piece.len() as u64;
                    return Ok(Some(piece));
                }
                Step::End => return Ok(None),
                Step::From(source) => self.source = source,
            }
        }
    }

    async fn step(&mut self) -> Result<Step, BlobError> {
        match &mut self.source {
            Source::Kept(pieces) => match pieces.next().await {
                Some(Ok(piece)) => Ok(Step::Piece(piece)),
                Some(Err(error)) => Ok(self.without_cache(&error).await),
                None => Ok(Step::End),
            },
            Source::Filling(seat, pieces) => match pieces.next().await {
                Some(Ok(piece)) => Ok(Step::Piece(piece)),
                Some(Err(error)) => Ok(self.without_cache(&error).await),
                None => {
                    let progress = seat.news(self.rest.start).await;
                    self.follow(progress)
                }
            },
            Source::Below(pieces) => match pieces.next().await.transpose()? {
                Some(piece) => Ok(Step::Piece(piece)),
                None => Ok(Step::End),
            },
            Source::Closed => {
                let reader = self.shared.open_below(&self.name, self.size).await?;
                Ok(Step::From(Source::Below(reader.read(self.rest.clone()))))
            }
        }
    }

    /// What is to be read now that a fill has come so far.
    fn follow(&mut self, progress: Progress) -> Result<Step, BlobError> {
        let position = self.rest.start;
        match progress {
            Progress::Arriving(file, available) => {
                if let Source::Filling(_, pieces) = &mut self.source {
                    *pieces = pieces_of_file(file, position..available);
                }
                // The same source, which has pieces now.
                let source = std::mem::replace(&mut self.source, Source::Closed);
                Ok(Step::From(source))
            }
            Progress::Whole(file) => Ok(Step::From(Source::kept(file, &self.rest))),
            Progress::Corrupt => Err(BlobError::Corrupt),
            Progress::Begun | Progress::GivenUp => Ok(Step::From(Source::Closed)),
        }
    }

    async fn without_cache(&mut self, error: &BlobError) -> Step {
        let digest = &self.name.digest;
        warn!(%digest, %error, "a file of the cache cannot be read: the blob is read from its store");
        self.shared.forget([digest]).await;
        Step::From(Source::Closed)
    }
}
