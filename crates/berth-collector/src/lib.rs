//! Garbage collection of blobs, while a registry goes on serving.
//!
//! A [`Collector`] works on a [`CollectionStore`](berth_metadata::CollectionStore) and a
//! [`BlobStore`](berth_blob::BlobStore), with the [`BlobGuards`](berth_blob::BlobGuards) that those who
//! publish blobs hold. `docs/garbage-collection.md` has the protocol and why it loses nothing.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Duration, SystemTime};
//! use berth_blob::{BlobGuards, BlobStore, MemoryBlobs};
//! use berth_collector::Collector;
//! use berth_metadata::{Blob, Grace, MemoryMetadata, MetadataStore};
//! use berth_progress::Nobody;
//! use berth_spec::{Digest, SessionId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let metadata = Arc::new(MemoryMetadata::default());
//! let blobs = Arc::new(MemoryBlobs::default());
//! let session = SessionId::random();
//! blobs.stage(session, 0).await?.write(vec!["layer".into()]).await?;
//! let blob = Blob::new(Digest::sha256(b"layer"), 5);
//! let name = blobs.publish(session, 5, &blob.digest).await?;
//! metadata.link_blob(&"library/alpine".parse()?, &blob, None).await?;
//!
//! let collector = Collector::new(metadata, blobs.clone(), BlobGuards::default());
//! let day = Grace(Duration::from_secs(24 * 60 * 60));
//! let now = SystemTime::now();
//! let report = collector.collect(day, now, &Nobody).await?;
//! assert_eq!(report.condemned.blobs, 0);
//!
//! let in_two_days = now + 2 * day.0;
//! let report = collector.collect(day, in_two_days, &Nobody).await?;
//! assert_eq!(report.deleted.bytes, 5);
//! assert!(blobs.open(&name).await?.is_none());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod collect;
mod collector;
mod error;
mod leftovers;
mod pages;
mod plan;
mod replaced;
mod report;
mod sweep;

pub use collector::{Collector, CollectorMetadata};
pub use error::CollectError;
pub use report::{Amount, CollectionPlan, CollectionReport, SweepReport};
