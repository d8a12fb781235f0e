use std::sync::Arc;

use berth_blob::BlobError;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::multipart::PartId;
use object_store::path::Path;
use tracing::warn;

use crate::error::{failed, text_of};
use crate::parts::Parts;
use crate::reading;
use crate::record::mismatch;
use crate::shared::Shared;

/// Copies an object of `size` bytes over whatever is at the other place, durably. Readers of that place
/// find either what was there before or all of the copy.
pub(crate) async fn copy(
    shared: &Arc<Shared>,
    from: &Path,
    to: &Path,
    size: u64,
) -> Result<(), BlobError> {
    let is_too_large = size > shared.settings.copy_limit;
    match is_too_large {
        true => copy_through(shared, from, to, size).await?,
        false => {
            let copied = shared.bucket.copy(from, to).await;
            copied.map_err(|error| failed(&error))?;
        }
    }
    // S3 tells of some failures of a copy in the body of a 200, where the client of the bucket does not
    // look for all of them.
    let found = shared.find(to).await?.map(|found| found.size);
    match found == Some(size) {
        true => Ok(()),
        false => Err(mismatch("a copied object", size, found, None)),
    }
}

/// Copies what the bucket does not copy in one request.
async fn copy_through(
    shared: &Arc<Shared>,
    from: &Path,
    to: &Path,
    size: u64,
) -> Result<(), BlobError> {
    let begun = shared.bucket.create_multipart(to).await;
    let upload = begun.map_err(|error| failed(&error))?;
    let copied = fill(shared, from, to, &upload, size).await;
    if copied.is_err()
        && let Err(error) = shared.bucket.abort_multipart(to, &upload).await
    {
        warn!(object = %to, error = %text_of(&error), "cannot give up an upload: a lifecycle rule must");
    }
    copied
}

async fn fill(
    shared: &Arc<Shared>,
    from: &Path,
    to: &Path,
    upload: &str,
    size: u64,
) -> Result<(), BlobError> {
    let mut bytes = reading::object(shared, from, 0..size).await?;
    let mut parts = Parts::new(shared, to.clone(), upload.to_owned(), 0);
    let mut gathered = BytesMut::new();
    while let Some(piece) = bytes.try_next().await? {
        gathered.extend_from_slice(&piece);
        let full = shared.settings.size_of_part(parts.next());
        if gathered.len() >= full {
            let part: Bytes = gathered.split_to(full).freeze();
            parts.send(part).await?;
        }
    }
    if !gathered.is_empty() {
        parts.send(gathered.freeze()).await?;
    }
    let ids = parts.finish().await?.into_iter();
    let ids = ids
        .map(|part| PartId {
            content_id: part.id,
        })
        .collect();
    let completed = shared
        .bucket
        .complete_multipart(to, &upload.to_owned(), ids)
        .await;
    completed.map(drop).map_err(|error| failed(&error))
}
