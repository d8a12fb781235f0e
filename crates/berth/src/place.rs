//! Where the data of a registry is, and how it is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use berth_blob::BlobStore;
use berth_collector::CollectorMetadata;
use berth_metadata::{AccountStore, RetentionStore, SqliteMetadata, TurnStore};
use berth_object::BucketUrl;
use berth_postgres::{DatabaseUrl, PostgresMetadata};
use tokio::task::spawn_blocking;

use crate::blob_storage;
use crate::config::Config;
use crate::data_folder::DataFolder;

/// All that metadata is asked for, wherever it is.
pub(crate) trait Metadata:
    CollectorMetadata + RetentionStore + AccountStore + TurnStore
{
}

impl<T: CollectorMetadata + RetentionStore + AccountStore + TurnStore> Metadata for T {}

/// Where the data of a registry is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a folder, which one process has for itself. Its blobs may be in a bucket.
    Folder(PathBuf),
    /// Where any number of processes share it.
    Shared(SharedPlace),
}

/// A database and a bucket, which any number of processes share.
#[derive(Clone, Debug)]
pub(crate) struct SharedPlace {
    database: DatabaseUrl,
    bucket: BucketUrl,
}

/// A place that this process may use, as long as this is there.
pub(crate) enum Claim {
    Folder(DataFolder),
    Shared(SharedPlace),
}

/// The data of a registry.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    /// The same metadata, if it is a file: only that can be backed up.
    pub(crate) sqlite: Option<Arc<SqliteMetadata>>,
}

impl Place {
    /// Where the configuration says it is. Reads files, so it blocks.
    ///
    /// # Errors
    /// If metadata is to be shared, and blobs are not.
    pub(crate) fn of(config: &Config) -> anyhow::Result<Self> {
        let Some(database) = config.database()? else {
            return Ok(Self::Folder(config.data.clone()));
        };
        let bucket = config.blob_storage.0.clone().with_context(|| format!(
            "metadata is in {database} and blobs are in a folder, which other replicas do not have: set blob_storage = \
             \"s3://BUCKET/PREFIX\", or metadata = \"sqlite\""
        ))?;
        Ok(Self::Shared(SharedPlace { database, bucket }))
    }

    /// Opens what is there to be read, beside whoever serves it. Metadata that is a file is read as it is now: the copy goes into an empty
    /// folder, which must stay as long as these stores.
    pub(crate) async fn look(&self, config: &Config, copy: &Path) -> anyhow::Result<Stores> {
        let path = match self {
            Self::Folder(path) => path,
            Self::Shared(place) => return place.open(config).await,
        };
        let folder = DataFolder::look(path)?;
        let blobs = blob_storage::open(&folder, config).await?;
        let copy = copy.join("metadata.sqlite3");
        SqliteMetadata::copy(&folder.metadata(), &copy).await?;
        let opening = spawn_blocking(move || SqliteMetadata::open(&copy));
        let metadata = Arc::new(opening.await??);
        Ok(Stores {
            sqlite: Some(Arc::clone(&metadata)),
            metadata,
            blobs,
        })
    }

    /// Whether there is a registry. Blocks.
    pub(crate) fn has_registry(&self, config: &Config) -> anyhow::Result<bool> {
        Ok(match self {
            Self::Folder(path) => DataFolder::has_data(path),
            Self::Shared(place) => {
                PostgresMetadata::exists(&place.database, &config.database_options())?
            }
        })
    }

    /// The option that chooses another.
    pub(crate) fn option(&self) -> &'static str {
        match self {
            Self::Folder(_) => "choose its folder with --data",
            Self::Shared(_) => "choose its database with --metadata",
        }
    }

    /// Claims it for a registry that will take pushes.
    ///
    /// # Errors
    /// If it is a folder that another process has.
    pub(crate) fn claim(&self) -> anyhow::Result<Claim> {
        Ok(match self {
            Self::Folder(path) => Claim::Folder(DataFolder::claim(path)?),
            Self::Shared(place) => Claim::Shared(place.clone()),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(formatter),
            Self::Shared(place) => write!(formatter, "{} and {}", place.database, place.bucket),
        }
    }
}

impl Claim {
    /// Opens what is there.
    pub(crate) async fn open(&self, config: &Config) -> anyhow::Result<Stores> {
        match self {
            Self::Folder(folder) => open_folder(folder, config).await,
            Self::Shared(place) => place.open(config).await,
        }
    }
}

async fn open_folder(folder: &DataFolder, config: &Config) -> anyhow::Result<Stores> {
    let shown = config.data.display();
    let blobs = blob_storage::open(folder, config).await?;
    let metadata = SqliteMetadata::open(&folder.metadata())
        .with_context(|| format!("cannot open the metadata in {shown}"))?;
    let metadata = Arc::new(metadata);
    Ok(Stores {
        sqlite: Some(Arc::clone(&metadata)),
        metadata,
        blobs,
    })
}

impl SharedPlace {
    async fn open(&self, config: &Config) -> anyhow::Result<Stores> {
        let (url, options) = (self.database.clone(), config.database_options());
        let connecting = spawn_blocking(move || PostgresMetadata::connect(&url, &options));
        let metadata = connecting.await??;
        let owner = metadata.registry_id().await?;
        let blobs = blob_storage::open_bucket(&self.bucket, &owner).await?;
        Ok(Stores {
            metadata: Arc::new(metadata),
            blobs,
            sqlite: None,
        })
    }
}
