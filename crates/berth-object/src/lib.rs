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
//! let name = blobs.publish(session, 12, &digest).await?;
//! blobs.discard(session).await?;
//!
//! let blob = blobs.open(&name).await?.ok_or("just published")?;
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
//! | `<prefix>/blobs/<algorithm>/<2 hex>/<hex>.<generation>` | a blob; each publication makes a new one |
//! | `<prefix>/blobs/<algorithm>/<2 hex>/<hex>` | a blob that an earlier version of berth wrote |
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
//! # Sessions that change hands
//!
//! A session's record has the fence of whoever wrote it ([`BlobStore::stage_fenced`](berth_blob::BlobStore::stage_fenced)), and each
//! writing is conditional on the version that was looked at. So a process that was paused neither cuts nor writes over what another
//! one has saved since, however late it wakes. What it publishes is what it wrote itself. Only a part that it was sending may take the place
//! of one that the other has sent: then the session cannot be published, since parts are known by their tags.
//!
//! # Removal, however late
//!
//! S3 has no deletion that tells equal bytes apart, and no lock can stop a request which a process that was paused sends later. So **no object of a
//! blob is ever written twice**: each publication has a [`Generation`](berth_spec::Generation) in its name, and the metadata say
//! which one is meant. Whoever removes a blob, or moves it to quarantine, does so with a name that nobody publishes under
//! again: a push of the same content, before or after, has an object of its own. What makes sure that nobody means a generation any
//! more is a transaction of the metadata: `docs/garbage-collection.md` tells which.
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
