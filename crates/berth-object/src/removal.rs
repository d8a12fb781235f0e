use std::sync::Arc;

use berth_blob::{BlobError, BlobIdentity};
use berth_spec::BlobName;
use futures_util::{StreamExt, stream};
use object_store::Error as StoreError;
use object_store::path::Path;

use crate::copy::copy;
use crate::error::failed;
use crate::reading::Version;
use crate::shared::Shared;

/// How many blobs are looked up at once.
const AT_ONCE: usize = 16;

/// Removes the objects of blobs. The bucket does not tell which were there, so they are looked up before.
pub(crate) async fn delete(shared: &Shared, names: &[BlobName]) -> Result<u64, BlobError> {
    let (mut removed, mut failure) = (0, None);
    let objects = names.iter().map(|name| shared.layout.blob(name));
    let objects: Vec<Path> = objects.collect();
    let lookups = objects
        .into_iter()
        .map(async |object| Ok(shared.find(&object).await?.map(|_| object)));
    let lookups: Vec<Result<_, BlobError>> = stream::iter(lookups)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut found = Vec::new();
    for lookup in lookups {
        match lookup {
            Ok(object) => found.extend(object.map(Ok)),
            Err(error) => failure = Some(error),
        }
    }
    let mut removals = shared.bucket.delete_stream(stream::iter(found).boxed());
    while let Some(removal) = removals.next().await {
        match removal {
            Ok(_) => removed += 1,
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => failure = Some(failed(&error)),
        }
    }
    failure.map_or(Ok(removed), Err)
}

/// Moves a blob's object aside, if it is the version that was `read`.
pub(crate) async fn quarantine(
    shared: &Arc<Shared>,
    name: &BlobName,
    read: &BlobIdentity,
) -> Result<bool, BlobError> {
    let blob = shared.layout.blob(name);
    let Some(read) = read.known_by::<Version>() else {
        return Ok(false);
    };
    let is_read = async || {
        let found = shared.find(&blob).await?;
        let size = found.as_ref().map_or(0, |found| found.size);
        let is_read = found.is_some_and(|found| Version::of(&found) == *read);
        Ok::<_, BlobError>(is_read.then_some(size))
    };
    let Some(size) = is_read().await? else {
        return Ok(false);
    };
    let place = shared.layout.quarantine(&name.digest);
    copy(shared, &blob, &place, size).await?;
    if is_read().await?.is_none() {
        shared.remove(&place).await?;
        return Ok(false);
    }
    shared.remove(&blob).await?;
    Ok(true)
}
