//! Upload sessions: how the bytes of a blob reach a [`BlobStore`](berth_blob::BlobStore) in one
//! piece or in many, across broken connections and restarts.
//!
//! A session is begun (end-4a), appended to (end-5), asked for its status (end-13), and finished
//! with a digest (end-6), cancelled (end-14), or left to expire. [`Uploads`] is the machine;
//! [`SessionRecords`] is where it keeps what it knows of each session, so that any process with
//! the same records and blobs can continue it.
//!
//! Bytes are hashed while they are written, and the state of the hash is kept with the session:
//! nothing is ever read back, unless the final digest is of another algorithm than the session.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use berth_blob::MemoryBlobs;
//! use berth_spec::{Algorithm, Digest, RepositoryName};
//! use berth_upload::{Content, MemorySessionRecords, Uploads};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let blobs = Arc::new(MemoryBlobs::default());
//! let records = Arc::new(MemorySessionRecords::default());
//! let uploads = Uploads::new(blobs, records, Duration::from_secs(3600));
//!
//! let repository: RepositoryName = "library/alpine".parse()?;
//! let id = uploads.begin(&repository, Algorithm::Sha256).await?;
//! let offset = uploads.append(&repository, id, Content::from_bytes("hello ")).await?;
//! assert_eq!(offset, 6);
//!
//! let digest = Digest::sha256(b"hello world");
//! let finished = uploads.finish(&repository, id, &digest, Content::from_bytes("world")).await?;
//! assert_eq!(finished.size(), 11);
//! uploads.release(finished).await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod active;
mod content;
#[cfg(feature = "contract")]
pub mod contract;
mod error;
mod memory;
mod receive;
mod records;
mod uploads;

pub use content::{BodyError, BodyStream, Content};
pub use error::UploadError;
pub use memory::MemorySessionRecords;
pub use records::{RecordsError, SessionRecord, SessionRecords};
pub use uploads::{Finished, Uploads};
