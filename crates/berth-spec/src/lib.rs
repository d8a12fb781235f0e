//! The vocabulary of an OCI registry as validated Rust types.
//!
//! Every type here can only hold a value that the OCI Distribution Specification or the OCI Image
//! Specification allows, so that the layers above never check the same thing twice. There is no
//! I/O, no async and no HTTP in this crate beyond plain status codes.
//!
//! ```
//! use berth_spec::{Digest, Manifest, MediaType, Reference, RepositoryName};
//!
//! let name: RepositoryName = "library/alpine".parse()?;
//! let reference: Reference = "3.22".parse()?;
//! assert_eq!(format!("{name}:{reference}"), "library/alpine:3.22");
//!
//! let content = br#"{"schemaVersion": 2,
//!   "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}"#;
//! let media_type: MediaType = "application/vnd.oci.image.index.v1+json".parse()?;
//! let manifest = Manifest::parse(Some(&media_type), content)?;
//! assert_eq!(manifest.children().count(), 0);
//! assert!(Digest::sha256(content).as_str().starts_with("sha256:"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod algorithm;
mod blob_name;
mod descriptor;
mod digest;
mod error_code;
mod generation;
mod globs;
mod hasher;
mod manifest;
mod media_type;
mod object;
mod reference;
mod references;
mod repository_name;
mod session_id;
mod shard;
mod tag;

pub use algorithm::{Algorithm, UnsupportedAlgorithm};
pub use blob_name::BlobName;
pub use descriptor::{Descriptor, Platform};
pub use digest::{Digest, DigestError};
pub use error_code::{ErrorBody, ErrorCode, ErrorEntry};
pub use generation::{Generation, GenerationError};
pub use globs::{GlobError, Globs};
pub use hasher::{Hasher, HasherStateError};
pub use manifest::{Manifest, ManifestError, ManifestKind};
pub use media_type::{MediaType, MediaTypeError, media_types};
pub use reference::{Reference, ReferenceError};
pub use references::References;
pub use repository_name::{RepositoryName, RepositoryNameError};
pub use session_id::{SessionId, SessionIdError};
pub use shard::{DigestRange, Shard};
pub use tag::{Tag, TagError};
