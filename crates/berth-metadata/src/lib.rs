//! Transactional metadata of an OCI registry: repositories, manifests, tags, blob links, referrers
//! and upload sessions.
//!
//! A [`MetadataStore`] does each thing in one transaction that is durable when it answers.
//! [`SqliteMetadata`] keeps it in a SQLite file, [`MemoryMetadata`] in memory, for tests. Both pass
//! the same contract suite (feature `contract`). An [`InspectionStore`] reads everything there is, for
//! verification and backup, and an [`AccountStore`] keeps users, robots' tokens and signing keys: both are
//! these too. Bytes of blobs are not its business; the bytes of
//! manifests are.
//!
//! ```
//! use berth_metadata::{Blob, MetadataStore, SqliteMetadata};
//! use berth_spec::{Digest, RepositoryName};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let metadata = SqliteMetadata::open(&folder.path().join("metadata.sqlite3"))?;
//!
//! let alpine: RepositoryName = "library/alpine".parse()?;
//! let mirror: RepositoryName = "mirror/alpine".parse()?;
//! let blob = Blob::new(Digest::sha256(b"layer"), 5);
//! metadata.link_blob(&alpine, &blob, None).await?;
//! assert_eq!(metadata.blob(&mirror, &blob.digest).await?, None);
//!
//! metadata.mount_blob(&mirror, Some(&alpine), &blob.digest).await?;
//! assert_eq!(metadata.blob(&mirror, &blob.digest).await?, Some(blob));
//! assert_eq!(metadata.repositories(None, 10).await?, [alpine, mirror]);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod accounts;
mod bounds;
mod collection;
mod condition;
#[cfg(feature = "contract")]
pub mod contract;
mod error;
mod grace;
mod inspection;
mod leases;
mod memory;
mod quota;
mod retention;
pub mod sql;
mod sqlite;
mod store;
mod turns;

pub use accounts::{AccountStore, RobotTokenRecord, SigningKeyRecord, UserRecord};
pub use bounds::Bounds;
pub use collection::{CollectionStore, UnusedBlobs};
pub use condition::{Condition, Expected};
pub use error::MetadataError;
pub use grace::Grace;
pub use inspection::{
    InspectedManifest, InspectionStore, Listed, ManifestLimits, ManifestUser, TagUser, Totals,
    Users,
};
pub use leases::{TakeUpload, UploadLeases};
pub use memory::MemoryMetadata;
pub use quota::{Counted, Quota, QuotaExceeded, Scope, Usage};
pub use retention::{ManifestEntry, RepositoryContents, RetentionStore, TagEntry};
pub use sqlite::SqliteMetadata;
pub use store::{
    Blob, DeleteTag, MetadataStore, NewManifest, PutManifest, Referrer, ReferrerLimits,
    StoredManifest, UploadRecord, UploadRevision,
};
pub use turns::{Turn, TurnStore};
