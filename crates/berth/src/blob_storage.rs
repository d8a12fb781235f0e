//! Where the blobs of a data folder are: in it, or in a bucket.

use std::sync::Arc;

use anyhow::Context;
use berth_blob::{BlobStore, FilesystemBlobs};
use berth_object::{BucketUrl, ObjectBlobs, OwnerError, Settings};

use crate::config::Config;
use crate::data_folder::DataFolder;

/// Opens the blobs of a data folder, before its metadata is made.
pub(crate) async fn open(
    folder: &DataFolder,
    config: &Config,
) -> anyhow::Result<Arc<dyn BlobStore>> {
    if let Some(url) = &config.blob_storage.0 {
        let owner = folder.owner_of_bucket(&url.to_string());
        let owner = owner.with_context(|| format!("cannot keep blobs in {url}"))?;
        return open_bucket(url, &owner).await;
    }
    folder.refuse_blobs_elsewhere()?;
    folder.refuse_orphaned_blobs()?;
    let blobs = FilesystemBlobs::open(folder.blobs())
        .with_context(|| format!("cannot open the blobs in {}", config.data.display()))?;
    Ok(Arc::new(blobs))
}

/// Opens the blobs in a bucket, which belongs to this owner or to nobody yet.
pub(crate) async fn open_bucket(
    url: &BucketUrl,
    owner: &str,
) -> anyhow::Result<Arc<dyn BlobStore>> {
    let opened = try_open_bucket(url, owner).await;
    opened.with_context(|| format!("cannot keep blobs in {url}"))
}

async fn try_open_bucket(url: &BucketUrl, owner: &str) -> anyhow::Result<Arc<dyn BlobStore>> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        // The client of a bucket knows no other names and values.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    let blobs = ObjectBlobs::connect(url, variables, Settings::default())?;
    blobs.try_out().await?;
    blobs.claim(owner).await.map_err(remedy)?;
    Ok(Arc::new(blobs))
}

fn remedy(error: OwnerError) -> anyhow::Error {
    match &error {
        OwnerError::Foreign { .. } => anyhow::Error::new(error).context(
            "put back the data folder that the bucket belongs to, or choose another prefix for this one; or, if \
             that registry is gone and this metadata is its own, remove the object that tells whose it is and all blobs",
        ),
        OwnerError::Unowned { .. } => anyhow::Error::new(error)
            .context("choose another prefix, or remove what is there"),
        OwnerError::Blobs(_) => error.into(),
    }
}
