//! Retention rules of an OCI registry: which tags and manifests go, and their deletion.
//!
//! A [`Rule`] says for some repositories which tags stay, by pattern, age and number, and when manifests
//! without a tag go. [`plan`] tells what goes of a repository by a rule, without any I/O. [`Retention`] has
//! all rules, and applies them to metadata while pushes go on, or only tells what would go.
//!
//! It deletes tags and manifests. The blobs that nothing needs after that are left to garbage
//! collection.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use berth_metadata::{MemoryMetadata, MetadataStore};
//! use berth_progress::Nobody;
//! use berth_retention::{Mode, Retention, Rule};
//! # use berth_metadata::NewManifest;
//! # use berth_spec::Digest;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let nightly = |content: &'static [u8]| -> Result<NewManifest, Box<dyn std::error::Error>> {
//! #     Ok(NewManifest {
//! #         digest: Digest::sha256(content),
//! #         media_type: "application/vnd.oci.image.manifest.v1+json".parse()?,
//! #         artifact_type: None,
//! #         subject: None,
//! #         annotations: Default::default(),
//! #         content: content.into(),
//! #         required_blobs: Vec::new(),
//! #         optional_blobs: Vec::new(),
//! #         required_manifests: Vec::new(),
//! #         tags: vec![format!("nightly-{}", std::str::from_utf8(content)?).parse()?],
//! #         condition: None,
//! #     })
//! # };
//! let metadata = MemoryMetadata::default();
//! let repository = "team/app".parse()?;
//! for manifest in [nightly(b"1")?, nightly(b"2")?, nightly(b"3")?] {
//!     metadata.put_manifest(&repository, &manifest).await?;
//! }
//!
//! let rule: Rule = toml::from_str(
//!     r#"
//!     repositories = ["team/**"]
//!     tags = ["nightly-*"]
//!     keep_newest = 2
//!     "#,
//! )?;
//! let retention = Retention::new(vec![rule], Duration::ZERO)?;
//! let now = SystemTime::now();
//! let report = retention.run(&metadata, &Nobody, &|_| {}, Mode::Apply, now).await?;
//! assert_eq!((report.tags, report.manifests), (1, 1));
//! let left = metadata.tags(&repository, None, 10).await?;
//! assert_eq!(left, Some(vec!["nightly-2".parse()?, "nightly-3".parse()?]));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod apply;
mod checked;
mod deletion;
mod duration_text;
mod error;
mod follower;
mod holders;
mod plan;
mod report;
mod retention;
mod rule;
mod unneeded;

pub use checked::{CheckedRule, RuleError};
pub use deletion::{Deleted, Deletion};
pub use error::RetentionError;
pub use plan::{Plan, PlannedManifest, plan};
pub use report::{Mode, RetentionReport, UnneededBlobs};
pub use retention::Retention;
pub use rule::Rule;
