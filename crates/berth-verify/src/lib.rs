//! Verification of what a registry holds, while it serves: bytes of blobs against their digests, and
//! manifests against what they refer to.
//!
//! A [`Verification`] tells a [`Watcher`] of each [`Problem`] as it is found, with those that it hurts.
//!
//! ```
//! use berth_blob::MemoryBlobs;
//! use berth_metadata::{Blob, MemoryMetadata, MetadataStore};
//! use berth_spec::Digest;
//! use berth_verify::{Observer, Problem, Progress, Verification, Watcher};
//!
//! struct Printer;
//!
//! impl Observer for Printer {
//!     fn tell(&self, progress: &Progress) {
//!         println!("{}: {}", progress.stage, progress.done);
//!     }
//! }
//!
//! impl Watcher for Printer {
//!     fn found(&self, problem: &Problem) {
//!         println!("{problem}");
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (metadata, blobs) = (MemoryMetadata::default(), MemoryBlobs::default());
//! let lost = Blob::new(Digest::sha256(b"layer"), 5);
//! metadata.link_blob(&"library/alpine".parse()?, &lost, None).await?;
//!
//! let report = Verification::default().run(&metadata, &blobs, &Printer).await?;
//! assert_eq!(report.problems, 1);
//! assert_eq!(report.to_string(), "verified 1 blob (0 B) and 0 manifests: 1 problem");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod blobs;
mod error;
mod manifests;
mod problem;
mod rate;
mod report;
mod run;
mod verification;

pub use berth_progress::{Nobody, Observer, Progress};

pub use blobs::examine_blob;
pub use error::VerifyError;
pub use problem::{BlobDamage, Fault, ManifestDamage, Problem, Quarantine};
pub use report::VerificationReport;
pub use verification::{Verification, Watcher};
