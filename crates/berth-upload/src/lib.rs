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
//!
//! # Several processes
//!
//! Processes that share records and blobs may each go on with any session, where the records have
//! [`SessionLeases`]. Whoever works on a session has a lease on it, for 15 seconds, and renews it every 5. Another process
//! that is asked to work on it waits: until the lease is given back, and then it goes on; until it is renewed,
//! and then it answers [`UploadError::Busy`]; or until it has ended, since its holder was killed, and then it takes the session.
//!
//! A holder that cannot reach the records to renew goes on and keeps trying: they may be away for everybody, and then
//! nobody else has the session. It stops when it learns that somebody has. Until then, and when it was paused and wakes when another has
//! the session, it can do no harm by what it was about to do: each taking raises the revision of the record and writes down the holder,
//! and
//!
//! - the record is changed and removed only by the revision that it has, and by whom that was given to,
//! - the record of a blob is made in the transaction that removes the session's, by the same,
//! - the staging area has the revision as its fence ([`BlobStore::stage_fenced`](berth_blob::BlobStore::stage_fenced)),
//! - what is published is what the same process wrote, or nothing.
//!
//! So of two that work on a session at once, whatever their clocks say, one gets [`UploadError::Lost`] before anything
//! is acknowledged to its client.
#![forbid(unsafe_code)]

mod active;
mod content;
#[cfg(feature = "contract")]
pub mod contract;
mod error;
mod expiry;
mod finished;
mod lease;
mod leases;
mod memory;
mod receive;
mod records;
mod uploads;
mod work;

pub use content::{BodyError, BodyStream, Content};
pub use error::UploadError;
pub use finished::Finished;
pub use leases::{HeldRevision, SessionLeases, Take};
pub use memory::MemorySessionRecords;
pub use records::{RecordsError, SessionRecord, SessionRecords};
pub use uploads::Uploads;
