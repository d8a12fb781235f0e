//! Moving registries: from the folders of other programs into a registry, and out again.
//!
//! A [`Transfer`] brings all that a [`Source`] has into a [`Registry`](berth_registry::Registry), by its own operations: so what is
//! stored keeps to its rules, and it may serve meanwhile. Sources are the folders of distribution
//! ([`DistributionFolder`]) and zot ([`ZotFolder`]), and OCI image layouts ([`OciLayout`]). All bytes are compared with their digests on
//! the way. What is damaged or missing is a [`Finding`], and all the rest is transferred.
//!
//! An [`Export`] writes repositories of a registry into a folder, and a [`Migration`] makes one registry what another one is, with
//! accounts. Both read a [`RegistrySource`].
//!
//! ```
//! use std::sync::Arc;
//! use berth_registry::{Authority, MemoryBlobs, MemoryMetadata, Registry, Settings};
//! use berth_transfer::{Nobody, OciLayout, Transfer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#)?;
//! std::fs::write(folder.path().join("index.json"), r#"{"schemaVersion": 2, "manifests": []}"#)?;
//!
//! let registry = Registry::new(
//!     Arc::new(MemoryMetadata::default()),
//!     Arc::new(MemoryBlobs::default()),
//!     Settings::default(),
//! );
//! let source = OciLayout::open(folder.path(), "library/empty".parse()?).await?;
//! let transfer = Transfer { source: &source, registry: &registry, authority: Authority::Ordinary };
//! let report = transfer.run(&Nobody).await?;
//! assert!(report.is_complete());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod blocking;
mod distribution;
mod error;
mod export;
mod finding;
mod folder;
mod layout;
mod migration;
mod oci_layout;
mod pieces;
mod reading;
mod registry_source;
mod report;
mod source;
mod tally;
mod transfer;
mod walk;
mod zot;

pub use berth_progress::{Nobody, Observer, Progress, Unit};

pub use distribution::DistributionFolder;
pub use error::TransferError;
pub use export::Export;
pub use finding::{Finding, Watcher};
pub use migration::{AccountCounts, Extra, Migration, MigrationReport};
pub use oci_layout::OciLayout;
pub use registry_source::RegistrySource;
pub use report::TransferReport;
pub use source::{FoundBlob, FoundManifest, Listing, Repositories, Sought, Source};
pub use transfer::Transfer;
pub use zot::ZotFolder;

/// The largest manifest that is read from a folder, in bytes. What a registry takes is for its own settings to say.
const MANIFEST_LIMIT: u64 = 16 * 1024 * 1024;
