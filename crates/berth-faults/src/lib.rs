//! Stores that go wrong where a test says so.
//!
//! [`FaultyBlobs`] and [`FaultyMetadata`] wrap a [`BlobStore`](berth_blob::BlobStore) and a
//! [`MetadataStore`](berth_metadata::MetadataStore). All that is asked of them, and of the writers, readers and
//! streams that they answer, are steps of one sequence, which [`Faults`] counts from 1. Its plan says
//! what happens at which step.
//!
//! ```
//! use std::sync::Arc;
//! use berth_blob::{BlobStore, MemoryBlobs};
//! use berth_faults::{Fault, Faults, FaultyBlobs, When};
//! use berth_spec::{Digest, SessionId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stored = Arc::new(MemoryBlobs::default());
//! let faults = Faults::at(2, Fault::Error(When::Halfway));
//! let blobs = FaultyBlobs::new(Arc::clone(&stored), faults.clone());
//!
//! let session = SessionId::random();
//! let mut writer = blobs.stage(session, 0).await?;
//! assert!(writer.write(vec!["layer".into()]).await.is_err());
//! assert_eq!(faults.steps(), ["stage", "write"]);
//!
//! let name = blobs.publish(session, 2, &Digest::sha256(b"la")).await?;
//! assert!(stored.open(&name).await?.is_some());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod blobs;
mod fault;
mod faults;
mod injected;
mod metadata;
mod reader;
mod writer;

pub use blobs::FaultyBlobs;
pub use fault::{Fault, When};
pub use faults::Faults;
pub use metadata::FaultyMetadata;
