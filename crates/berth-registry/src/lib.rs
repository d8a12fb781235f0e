//! The operations of an OCI registry: push and pull, mount and delete, list and attach.
//!
//! Every rule about what may be stored lives here, and nowhere else: whatever talks to a registry,
//! be it HTTP, a command line or an import, calls [`Registry`]. It knows nothing of HTTP. What its owner
//! may choose is in [`Settings`]: among it, which tags are immutable ([`ImmutableTags`]) and how much
//! repositories may hold ([`QuotaRule`]).
//!
//! ```
//! use std::sync::Arc;
//! use berth_registry::{Content, MemoryBlobs, MemoryMetadata, Registry, RegistryError, Settings};
//! use berth_spec::{Digest, RepositoryName};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new(
//!     Arc::new(MemoryMetadata::default()),
//!     Arc::new(MemoryBlobs::default()),
//!     Settings::default(),
//! );
//! let alpine: RepositoryName = "library/alpine".parse()?;
//! let digest = Digest::sha256(b"layer");
//! registry.push_blob(&alpine, &digest, Content::from_bytes("layer")).await?;
//! assert_eq!(registry.blob(&alpine, &digest).await?.size, 5);
//!
//! let elsewhere: RepositoryName = "library/debian".parse()?;
//! let error = registry.blob(&elsewhere, &digest).await.unwrap_err();
//! assert!(matches!(error, RegistryError::RepositoryUnknown(_)));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod blobs;
mod bounds;
mod byte_count;
mod error;
mod immutable_tags;
mod lists;
mod manifests;
mod pulls;
mod quota_rule;
mod referrers;
mod registry;
mod room;
mod session_records;
mod settings;
mod uploads;

pub use berth_blob::{
    BlobError, BlobGuards, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, MemoryBlobs,
    Staged, StagedWriter,
};
pub use berth_metadata::{
    Blob, Condition, Counted, Expected, Grace, MemoryMetadata, MetadataError, MetadataStore,
    QuotaExceeded, Scope, StoredManifest,
};
pub use berth_spec::{GlobError, Globs};
pub use berth_upload::{BodyError, BodyStream, Content, RecordsError, UploadError};

pub use bounds::Authority;
pub use error::RegistryError;
pub use immutable_tags::{ImmutableTags, ImmutableTagsError};
pub use lists::{RepositoryPage, TagPage};
pub use manifests::{ManifestContent, PushedManifest};
pub use pulls::{PulledBlob, Redirects};
pub use quota_rule::{Holders, QuotaRule, QuotaRuleError};
pub use referrers::ReferrerPage;
pub use registry::Registry;
pub use session_records::MetadataSessionRecords;
pub use settings::Settings;
