//! Blobs in object storage: S3 and what speaks like it, Google Cloud Storage, and Azure.
//!
//! [`ObjectBlobs`] is a [`BlobStore`](berth_blob::BlobStore) over a bucket. Any number of processes may
//! use the bucket at once, and go on with each other's upload sessions. [`ObjectBlobs::connect`] takes a
//! [`BucketUrl`]; [`ObjectBlobs::new`] takes any bucket of the crate [`object_store`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use berth_blob::BlobStore;
//! use berth_object::object_store::memory::InMemory;
//! use berth_object::{ObjectBlobs, Settings};
//! use berth_spec::{Digest, SessionId};
//! use futures_util::TryStreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let blobs = ObjectBlobs::new(Arc::new(InMemory::new()), "registry".into(), Settings::default());
//!
//! let session = SessionId::random();
//! let mut writer = blobs.stage(session, 0).await?;
//! writer.write(vec!["hello, ".into(), "world".into()]).await?;
//! writer.sync().await?;
//! let digest = Digest::sha256(b"hello, world");
//! blobs.publish(session, 12, &digest).await?;
//! blobs.discard(session).await?;
//!
//! let blob = blobs.open(&digest).await?.ok_or("just published")?;
//! let pieces: Vec<_> = blob.read(7..12).try_collect().await?;
//! assert_eq!(pieces.concat(), b"world");
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//!
//! | object | what it is |
//! |---|---|
//! | `<prefix>/blobs/<algorithm>/<2 hex>/<hex>` | a blob |
//! | `<prefix>/uploads/<session>/record` | what an upload session holds: its length, its multipart upload and the parts of that, as JSON in one line, and then the bytes that are in no part yet |
//! | `<prefix>/uploads/<session>/data.<number>` | the target of the session's multipart upload |
//! | `<prefix>/quarantine/<algorithm>-<hex>.<random>` | bytes that are not what their digest says |
//!
//! `<prefix>/owner` says whose blobs these are: see [`ObjectBlobs::claim`].
//!
//! # What is needed of a bucket
//!
//! - Reading what was written, as S3 promises since 2020, and lists with it.
//! - `PUT` with `If-Match` and `If-None-Match` (S3 since 2024, R2, MinIO, Ceph, versitygw; in Google's
//!   and Azure's own terms too): that is what keeps two writers of one session apart.
//! - The right to read, write, delete and list objects, and to end multipart uploads. (Who may not list a bucket of S3
//!   is not told that an object is missing.)
//! - A lifecycle rule that ends incomplete multipart uploads after some days. What a session knows of is ended
//!   with it; but a crash just after one was begun, or while a very large blob is copied, leaves
//!   one that nothing tells of.
//! - No versioning, or a lifecycle rule for old versions: deleted blobs would stay.
//!
//! Parts have one size for the first 2,000 of an upload (16 GB by default). R2 wants that of all
//! parts, so blobs there end at that size, unless [`Settings::part_size`] is larger.
//!
//! # What remains between processes
//!
//! Removing a blob and moving it to quarantine are not conditional in S3 as `object_store` speaks it. The
//! [`BlobGuards`](berth_blob::BlobGuards) keep both apart from publishing in one process. If a second process
//! publishes a blob between the moment at which a first has looked that its bytes are the corrupt ones, and
//! the removal a request later, the new bytes go. Processes that share a bucket must share
//! guards too, in their database, before more than one of them removes.
#![forbid(unsafe_code)]

mod blobs;
mod client;
mod connect;
mod copy;
mod error;
mod layout;
mod owner;
mod parts;
mod probe;
mod publish;
mod reading;
mod record;
mod removal;
mod settings;
mod shared;
mod staging;
mod url;

pub use blobs::ObjectBlobs;
pub use connect::ConnectError;
/// The crate whose buckets this is over.
pub use object_store;
pub use owner::OwnerError;
pub use settings::{Requests, Settings};
pub use shared::Bucket;
pub use url::{BucketUrl, BucketUrlError};
