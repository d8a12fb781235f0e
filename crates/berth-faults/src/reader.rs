use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use berth_blob::{BlobIdentity, BlobReader, ByteStream};

use crate::Faults;
use crate::blobs::in_steps;

/// An open blob, each piece of which is a step. Its file has none.
pub(crate) struct FaultyReader {
    reader: Box<dyn BlobReader>,
    faults: Faults,
}

impl FaultyReader {
    pub(crate) fn new(reader: Box<dyn BlobReader>, faults: Faults) -> Self {
        Self { reader, faults }
    }
}

impl BlobReader for FaultyReader {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        in_steps(self.reader.read(range), "piece of a blob", &self.faults)
    }

    fn file(&self) -> Option<Arc<File>> {
        self.reader.file()
    }

    fn identity(&self) -> BlobIdentity {
        self.reader.identity()
    }
}
