use std::sync::Arc;

use berth_blob::BlobError;
use berth_spec::{BlobName, Digest, Generation, SessionId};
use futures_util::TryStreamExt;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutPayload, UpdateVersion};

use crate::copy::copy;
use crate::error::failed;
use crate::record::{Record, Staged, Upload, mismatch};
use crate::shared::Shared;
use crate::staging::{self, missing};

/// Makes a staging area the object of a blob: a new one each time. Whoever removes another object of this digest, however
/// late, removes that one and nothing else.
pub(crate) async fn publish(
    shared: &Arc<Shared>,
    session: SessionId,
    length: u64,
    digest: &Digest,
) -> Result<BlobName, BlobError> {
    let name = BlobName {
        digest: digest.clone(),
        generation: Some(Generation::random()),
    };
    let blob = shared.layout.blob(&name);
    let mut staged = match staged(shared, session).await? {
        Some(staged) => staged,
        None if length == 0 => Staged::default(),
        None => return Err(missing(session, length, 0)),
    };
    if staged.record.length != length {
        return Err(missing(session, length, staged.record.length));
    }
    if staged.record.is_small() {
        let put = shared
            .bucket
            .put(&blob, PutPayload::from(staged.tail))
            .await;
        return put.map(|_| name).map_err(|error| failed(&error));
    }
    let data = complete(shared, session, &mut staged).await?;
    copy(shared, &data, &blob, length).await?;
    Ok(name)
}

/// What a session holds: as it was closed here last, or as its record tells.
pub(crate) async fn staged(
    shared: &Shared,
    session: SessionId,
) -> Result<Option<Staged>, BlobError> {
    let closed = shared.closed().get(&session).cloned();
    match closed {
        Some(closed) => Ok(Some(closed)),
        None => shared.load(session).await,
    }
}

/// Makes one object of the upload of a session, whose record must be as it was saved last. Can be done again
/// after a crash at any point.
///
/// The record is sealed before that: whoever has a record of the same session from before cannot save
/// it any more, and whoever saved one meanwhile keeps this from going on.
pub(crate) async fn complete(
    shared: &Shared,
    session: SessionId,
    staged: &mut Staged,
) -> Result<Path, BlobError> {
    if let Some(upload) = &mut staged.record.upload
        && !upload.sealed
    {
        upload.sealed = true;
        shared.save(session, staged).await?;
        if let Some(closed) = shared.closed().get_mut(&session) {
            *closed = staged.clone();
        }
    }
    let (length, tail) = (staged.record.length, staged.tail.clone());
    let upload = staged.record.upload.clone();
    let upload = upload.ok_or_else(|| missing(session, length, 0))?;
    let data = shared.layout.data(session, upload.number);
    let assembled = assemble(shared, &data, upload, tail.into()).await;
    // Also if that failed: the answer may have been lost, or it had been done before. And also if it did
    // not: the object must be what the parts were.
    let found = shared.find(&data).await?.map(|found| found.size);
    match found == Some(length) {
        true => Ok(data),
        false => Err(mismatch(
            &format!("the bytes of upload session {session}"),
            length,
            found,
            assembled.err().as_ref(),
        )),
    }
}

async fn assemble(
    shared: &Shared,
    data: &Path,
    upload: Upload,
    tail: PutPayload,
) -> Result<(), StoreError> {
    let Upload { id, parts, .. } = upload;
    let mut ids: Vec<PartId> = parts
        .into_iter()
        .map(|part| PartId {
            content_id: part.id,
        })
        .collect();
    if tail.content_length() > 0 {
        ids.push(shared.bucket.put_part(data, &id, ids.len(), tail).await?);
    }
    shared
        .bucket
        .complete_multipart(data, &id, ids)
        .await
        .map(drop)
}

/// Removes the objects of a session; its record last, so that it is found as long as there is anything.
pub(crate) async fn discard(shared: &Shared, session: SessionId) -> Result<(), BlobError> {
    let closed = shared.closed().remove(&session);
    let record = shared.layout.record(session);
    let staged = match closed {
        Some(closed) if is_there(shared, &record, &closed).await? => Some(closed),
        _ => shared.load(session).await?,
    };
    let Some(staged) = staged else {
        return Ok(());
    };
    let Record {
        upload, unfinished, ..
    } = &staged.record;
    for upload in upload.iter().chain(unfinished) {
        staging::abort(shared, session, upload).await?;
    }
    if staged.record.begun > 0 {
        let objects = shared.bucket.list(Some(&shared.layout.staging(session)));
        let objects: Vec<_> = objects
            .try_collect()
            .await
            .map_err(|error| failed(&error))?;
        for object in objects.iter().filter(|object| object.location != record) {
            shared.remove(&object.location).await?;
        }
    }
    shared.remove(&record).await
}

/// Whether the record is still the one that this was made from.
async fn is_there(shared: &Shared, record: &Path, closed: &Staged) -> Result<bool, BlobError> {
    let found = shared.find(record).await?;
    let version = found.map(|found| UpdateVersion {
        e_tag: found.e_tag,
        version: found.version,
    });
    Ok(version.is_some() && closed.is_of(version.as_ref()))
}
