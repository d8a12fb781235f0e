use berth_blob::BlobError;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions};

use crate::error::{failed, refused};
use crate::shared::Shared;

/// How often it is tried: when the answer to a request was lost, and it was sent again, its own first time is in its way.
const ATTEMPTS: usize = 3;

/// Tries out whether the bucket does all that is needed of it.
pub(crate) async fn try_out(shared: &Shared) -> Result<(), BlobError> {
    for _ in 0..ATTEMPTS {
        if keeps_conditions(shared).await? {
            return Ok(());
        }
    }
    Err(refused(
        "the bucket does not support If-Match and If-None-Match for PUT: two writers of one upload could mix \
         their bytes; use a server that supports them",
    ))
}

async fn keeps_conditions(shared: &Shared) -> Result<bool, BlobError> {
    let object = shared.layout.probe();
    let found = write_and_read(shared, &object).await;
    shared.remove(&object).await?;
    found.map_err(|error| failed(&error))
}

/// Whether a new object is written as the conditions tell, and no other way.
async fn write_and_read(shared: &Shared, object: &Path) -> Result<bool, StoreError> {
    let bucket = &*shared.bucket;
    let put = async |content: &'static str, mode| {
        let options = PutOptions::from(mode);
        let content = Bytes::from(content).into();
        match bucket.put_opts(object, content, options).await {
            Ok(put) => Ok(Some(put)),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let Some(first) = put("first", PutMode::Create).await? else {
        return Ok(false);
    };
    let again = put("again", PutMode::Create).await?;
    let second = put("second", PutMode::Update(first.clone().into())).await?;
    let late = put("late", PutMode::Update(first.into())).await?;
    let found = bucket.get(object).await?.bytes().await?;
    Ok(again.is_none() && second.is_some() && late.is_none() && found == "second")
}
