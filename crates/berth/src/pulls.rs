//! How pulls get the bytes of blobs that are in a bucket: through a cache, or straight from there.

use std::sync::Arc;

use anyhow::{Context, bail};
use berth_blob::BlobStore;
use berth_cache::{CacheSettings, CachedBlobs};
use berth_registry::{Redirects, Registry};
use berth_spec::{BlobName, Digest};
use tokio::task::spawn_blocking;
use tracing::info;

use crate::config::Config;

/// Refuses options that mean nothing.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    if config.blob_cache.0.is_some() && config.blob_cache_folder().is_none() {
        bail!(
            "metadata is shared, so there is no data folder, and blobs cannot be cached in it: set blob_cache_folder to a folder that \
             this process has for itself, or blob_cache = \"off\""
        );
    }
    if config.blob_storage.0.is_some() {
        return Ok(());
    }
    for (option, is_set) in [
        ("blob_cache", config.blob_cache.0.is_some()),
        ("blob_redirect", config.blob_redirect.0.is_some()),
    ] {
        if is_set {
            bail!(
                "{option} is for blobs in a bucket, and these are in the data folder: set {option} = \"off\", or \
                 blob_storage to the URL of a bucket"
            );
        }
    }
    Ok(())
}

/// The registry that clients see, of one that has its blobs in this store.
pub(crate) async fn prepare(
    registry: Registry,
    blobs: &Arc<dyn BlobStore>,
    config: &Config,
) -> anyhow::Result<Registry> {
    if let Some(redirects) = registry.settings().redirects {
        try_out(&**blobs, redirects).await?;
    }
    let (Some(limit), Some(folder)) = (config.blob_cache.0, config.blob_cache_folder()) else {
        return Ok(registry);
    };
    let below = Arc::clone(blobs);
    let opening = {
        let folder = folder.clone();
        spawn_blocking(move || CachedBlobs::open(below, &folder, CacheSettings::with_limit(limit)))
    };
    let cached = opening
        .await?
        .context("blobs cannot be cached; another folder can be chosen with --blob-cache-folder")?;
    let usage = cached.usage();
    info!(folder = %folder.display(), limit, blobs = usage.blobs, bytes = usage.kept, "caches blobs");
    Ok(registry.pulling_through(Arc::new(cached)))
}

/// Makes sure that clients can be sent to the bucket, before the first of them is to be.
async fn try_out(blobs: &dyn BlobStore, redirects: Redirects) -> anyhow::Result<()> {
    let any = BlobName::plain(Digest::sha256(b""));
    let url = blobs.redirect(&any, redirects.lifetime).await;
    let url = url.context("URLs of the bucket cannot be signed: set blob_redirect = \"off\", or give credentials that can sign")?;
    if url.is_none() {
        bail!("this bucket has no URLs to redirect to: set blob_redirect = \"off\"");
    }
    Ok(())
}
