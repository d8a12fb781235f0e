use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use berth_blob::{BlobIdentity, BlobReader, ByteStream};
use berth_spec::BlobName;
use futures_util::{FutureExt, StreamExt};

use crate::progress::Seat;
use crate::reading::{Reading, Source};
use crate::shared::{Place, Shared};

/// A blob that is kept, and open.
pub(crate) struct KeptReader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: BlobName,
    pub(crate) size: u64,
    pub(crate) file: Arc<File>,
}

/// A blob that somebody else fills.
pub(crate) struct FillingReader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: BlobName,
    pub(crate) size: u64,
    pub(crate) seat: Seat,
}

/// A blob that was only in the store below when it was opened.
pub(crate) struct MissingReader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: BlobName,
    pub(crate) removals: u64,
    pub(crate) reader: Box<dyn BlobReader>,
}

/// Bytes that the cache has. No store knows them, so none removes anything for them.
struct Cached;

impl BlobReader for KeptReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn identity(&self) -> BlobIdentity {
        BlobIdentity::new(Cached)
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        let source = Source::kept(self.file, &range);
        Reading::new(self.shared, self.name, self.size, range, source).into_stream()
    }

    fn file(&self) -> Option<Arc<File>> {
        Some(Arc::clone(&self.file))
    }
}

impl BlobReader for FillingReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn identity(&self) -> BlobIdentity {
        BlobIdentity::new(Cached)
    }

    /// A part is read from the store below: it may not be there for a long time.
    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        let source = match range == (0..self.size) {
            true => Source::filling(self.seat),
            false => Source::Closed,
        };
        Reading::new(self.shared, self.name, self.size, range, source).into_stream()
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }
}

impl BlobReader for MissingReader {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn identity(&self) -> BlobIdentity {
        self.reader.identity()
    }

    /// Only who reads all of a blob brings it into the cache.
    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        match range == (0..self.size()) {
            true => self.read_all().into_stream().flatten().boxed(),
            false => self.reader.read(range),
        }
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }
}

impl MissingReader {
    async fn read_all(self: Box<Self>) -> ByteStream {
        let Self {
            shared,
            name,
            removals,
            reader,
        } = *self;
        let size = reader.size();
        let source = match shared.place(&name, removals, reader).await {
            Place::Kept(file) => Source::kept(file, &(0..size)),
            Place::Filling(seat) => Source::filling(seat),
            Place::Below(reader) => return reader.read(0..size),
        };
        Reading::new(shared, name, size, 0..size, source).into_stream()
    }
}
