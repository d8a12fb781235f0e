//! A read-through cache of hot blobs.
//!
//! [`CachedBlobs`] is a [`BlobStore`](berth_blob::BlobStore) over another, usually a bucket, with a local folder of the blobs
//! that were read last.
//!
//! ```
//! use std::sync::Arc;
//!
//! use berth_blob::{BlobStore, MemoryBlobs};
//! use berth_cache::{CacheSettings, CachedBlobs};
//! use berth_spec::{Digest, SessionId};
//! use futures_util::TryStreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let below = Arc::new(MemoryBlobs::default());
//! let blobs = CachedBlobs::open(below, folder.path(), CacheSettings::with_limit(1 << 30))?;
//!
//! let session = SessionId::random();
//! let mut writer = blobs.stage(session, 0).await?;
//! writer.write(vec!["a layer".into()]).await?;
//! writer.sync().await?;
//! let name = blobs.publish(session, 7, &Digest::sha256(b"a layer")).await?;
//!
//! for _ in 0..2 {
//!     // The second time, the store below is not asked.
//!     let blob = blobs.open(&name).await?.ok_or("just published")?;
//!     let pieces: Vec<_> = blob.read(0..7).try_collect().await?;
//!     assert_eq!(pieces.concat(), b"a layer");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked
//!
//! - Bytes are hashed while they arrive, and the last 256 KiB are handed on when all of them were right. A blob whose bytes are
//!   wrong ends with [`BlobError::Corrupt`](berth_blob::BlobError::Corrupt) before its end, for all who read along, and is not kept.
//! - A file gets the name under which it is found (`<algorithm>-<hex>.<size>`) after its bytes were synced. So what a power cut leaves
//!   under such a name is whole. What it leaves unfinished is removed at the next start. The sync delays nobody: all who
//!   read along have their bytes before it.
//! - When a file is opened, and at the start, its size must be that of its name; if not, it is removed, and the blob read from
//!   the store below.
//! - Bytes that change on the disk later, at the same size, are not detected, as in a folder of blobs: clients compare what they
//!   pull with its digest. Removing the files of the folder while nobody uses it mends that, and loses nothing.
//!
//! # What it takes
//!
//! The files have at most [`CacheSettings::limit`] bytes together, with those that are being filled and those that were removed and are
//! still read. Room is made by the blobs that were not used for the longest time and that nobody reads; if that is not enough, and
//! while [`CacheSettings::fills_at_once`] others are filled, a blob is read from the store below alone, and not checked here.
//!
//! A fill goes as fast as the store below and the disk can, whoever reads it, and needs no memory for those who are slower.
//! It goes on when all of its readers have gone if half of it is there, and else ends. If the store below fails or sends
//! nothing for [`CacheSettings::patience`], or the disk is full, whoever reads goes on from the same byte in the store below, as if
//! there were no cache. After an error of the disk, nothing is filled for [`CacheSettings::pause`].
#![forbid(unsafe_code)]

mod blobs;
mod blocking;
mod disk;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod disk_faults;
mod error;
mod fill;
mod folder;
mod index;
mod progress;
mod reader;
mod reading;
mod settings;
mod shared;

pub use blobs::CachedBlobs;
pub use error::CacheError;
pub use index::Usage;
pub use settings::CacheSettings;
