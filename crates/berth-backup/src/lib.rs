//! Backups of a registry while it serves, and their restoration.
//!
//! A [`Backup`] is a folder with the layout of a data folder: it can be restored by [`restore`], or served
//! as it is. A folder with a file `metadata.sqlite3` is a whole backup, whatever happened since. The file
//! `backup` beside it says that the next backup may replace it; who serves the folder removes that
//! with [`unmark`].
//!
//! ```
//! use berth_backup::{Backup, restore};
//! use berth_blob::{BlobGuards, BlobStore, FilesystemBlobs};
//! use berth_metadata::{Blob, MetadataStore, SqliteMetadata};
//! use berth_spec::{Digest, SessionId};
//! use berth_verify::Nobody;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let [data, backup, restored] = ["data", "backup", "restored"].map(|name| folder.path().join(name));
//! let blobs = FilesystemBlobs::open(&data)?;
//! let metadata = SqliteMetadata::open(&data.join("metadata.sqlite3"))?;
//! # let (alpine, session) = ("library/alpine".parse()?, SessionId::random());
//! # let blob = Blob::new(Digest::sha256(b"layer"), 5);
//! # let mut writer = blobs.stage(session, 0).await?;
//! # writer.write(vec!["layer".into()]).await?;
//! # writer.sync().await?;
//! # blobs.publish(session, 5, &blob.digest).await?;
//! # metadata.link_blob(&alpine, &blob, None).await?;
//! // The guards that garbage collection uses.
//! let guards = BlobGuards::default();
//!
//! let kept = guards.keeping_all().await;
//! let report = Backup::default().run(&metadata, &blobs, &kept, &backup, &Nobody).await?;
//! assert_eq!(report.to_string(), "backed up 1 blob (5 B); 0 were there already: no problems");
//!
//! let report = restore(&backup, &restored, &Nobody).await?;
//! assert!(report.is_sound());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod backup;
mod copier;
mod durable;
mod error;
mod folder;
mod marker;
mod report;
mod restore;

pub use backup::Backup;
pub use durable::make_folder;
pub use error::BackupError;
pub use marker::{is_marked, unmark};
pub use report::{BackupReport, RestoreReport};
pub use restore::restore;
