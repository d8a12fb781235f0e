//! Content-addressed storage of blobs.
//!
//! A [`BlobStore`] takes bytes into staging areas and publishes them under their digest: at once,
//! whole and durable. [`FilesystemBlobs`] keeps them in a folder, [`MemoryBlobs`] in memory, for
//! tests. Both pass the same contract suite (feature `contract`).
//!
//! ```
//! use berth_blob::{BlobStore, FilesystemBlobs};
//! use berth_spec::{Digest, SessionId};
//! use futures_util::TryStreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let blobs = FilesystemBlobs::open(folder.path())?;
//!
//! let session = SessionId::random();
//! let mut writer = blobs.stage(session, 0).await?;
//! writer.write(vec!["hello, ".into(), "world".into()]).await?;
//! writer.sync().await?;
//! let digest = Digest::sha256(b"hello, world");
//! let name = blobs.publish(session, 12, &digest).await?;
//! blobs.discard(session).await?;
//!
//! let blob = blobs.open(&name).await?.ok_or("just published")?;
//! let pieces: Vec<_> = blob.read(7..12).try_collect().await?;
//! assert_eq!(pieces.concat(), b"world");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "contract")]
pub mod contract;
mod error;
mod filesystem;
mod guards;
mod identity;
mod memory;
mod store;

pub use error::BlobError;
pub use filesystem::{FilesystemBlobs, pieces_of_file};
pub use guards::{BlobGuards, KeepingAll, Publishing, Removing};
pub use identity::BlobIdentity;
pub use memory::MemoryBlobs;
pub use store::{BlobList, BlobReader, BlobStore, ByteStream, Listed, Staged, StagedWriter, begun};
