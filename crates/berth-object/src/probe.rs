use berth_blob::BlobError;
use bytes::Bytes;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions};

use crate::error::{failed, refused};
use crate::shared::Shared;

/// How often it is tried out. A `PUT` whose answer was lost is repeated, and the bucket refuses what has been done: that tells nothing about it.
const ATTEMPTS: u32 = 3;

/// Tries out whether the bucket does all that is needed of it.
pub(crate) async fn try_out(shared: &Shared) -> Result<(), BlobError> {
    for _ in 1..ATTEMPTS {
        if try_once(shared).await.is_ok() {
            return Ok(());
        }
    }
    try_once(shared).await
}

async fn try_once(shared: &Shared) -> Result<(), BlobError> {
    let object = shared.layout.probe();
    let bucket = &*shared.bucket;
    let put = async |content: &'static str, mode| {
        let options = PutOptions::from(mode);
        bucket
            .put_opts(&object, Bytes::from(content).into(), options)
            .await
    };
    let first = match put("first", PutMode::Create).await {
        Ok(first) => first,
        Err(error) => {
            // It may be there all the same.
            shared.remove(&object).await?;
            return Err(failed(&error));
        }
    };
    let again = put("again", PutMode::Create).await;
    let second = put("second", PutMode::Update(first.clone().into())).await;
    let late = put("late", PutMode::Update(first.into())).await;
    let found = match bucket.get(&object).await {
        Ok(found) => found.bytes().await,
        Err(error) => Err(error),
    };
    shared.remove(&object).await?;
    second.map_err(|error| failed(&error))?;
    let found = found.map_err(|error| failed(&error))?;
    let is_kept = found == "second"
        && matches!(again, Err(StoreError::AlreadyExists { .. }))
        && matches!(late, Err(StoreError::Precondition { .. }));
    match is_kept {
        true => Ok(()),
        false => Err(refused(
            "the bucket does not support If-Match and If-None-Match for PUT: two writers of one upload could mix \
             their bytes; use a server that supports them",
        )),
    }
}
