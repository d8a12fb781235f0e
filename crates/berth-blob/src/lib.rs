#![forbid(unsafe_code)]

mod error;
mod store;

pub use error::BlobError;
pub use store::{BlobReader, BlobStore, ByteStream, StagedWriter};
