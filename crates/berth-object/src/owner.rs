use berth_blob::BlobError;
use bytes::Bytes;
use futures_util::StreamExt;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::error::failed;
use crate::shared::Shared;

/// Why a registry may not keep its blobs in a bucket.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// They are those of another registry.
    #[error("the blobs there belong to another registry, as {object} tells")]
    Foreign {
        /// The object that tells so.
        object: String,
    },
    /// They are nobody's.
    #[error("there are blobs and no {object} that tells whose they are")]
    Unowned {
        /// The object that would tell so.
        object: String,
    },
    /// The bucket failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// Makes the bucket that of `owner`, if it has no blobs yet; or finds that it is already.
pub(crate) async fn claim(shared: &Shared, owner: &str) -> Result<(), OwnerError> {
    let place = shared.layout.owner();
    let object = place.to_string();
    if let Some(found) = read(shared).await? {
        return match found == owner.as_bytes() {
            true => Ok(()),
            false => Err(OwnerError::Foreign { object }),
        };
    }
    let mut blobs = shared.bucket.list(Some(&shared.layout.blobs()));
    match blobs.next().await {
        None => {}
        Some(Ok(_)) => return Err(OwnerError::Unowned { object }),
        Some(Err(error)) => return Err(failed(&error).into()),
    }
    let content = PutPayload::from(Bytes::copy_from_slice(owner.as_bytes()));
    let put = shared
        .bucket
        .put_opts(&place, content, PutOptions::from(PutMode::Create));
    let put = put.await;
    // Somebody else may have been first; and whatever the answer was, this is what came of it.
    match (read(shared).await?, put) {
        (Some(found), _) if found == owner.as_bytes() => Ok(()),
        (Some(_), _) => Err(OwnerError::Foreign { object }),
        (None, Err(error)) => Err(failed(&error).into()),
        (None, Ok(_)) => Err(OwnerError::Unowned { object }),
    }
}

async fn read(shared: &Shared) -> Result<Option<Bytes>, BlobError> {
    let found = match shared.bucket.get(&shared.layout.owner()).await {
        Ok(found) => found.bytes().await,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => Err(error),
    };
    found.map(Some).map_err(|error| failed(&error))
}
