use berth_blob::BlobError;
use berth_spec::SessionId;
use bytes::Bytes;
use object_store::{
    Error as StoreError, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{failed, refused, text_of};
use crate::shared::Shared;

/// The form of records that this version writes.
const FORMAT: u32 = 1;

/// How often writing a record is tried when it is not known what has become of it.
const ATTEMPTS: u32 = 4;

/// What a session holds: the head of its record object, as JSON in one line. Behind it are the bytes that
/// are in no part yet. So parts and rest change in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    format: u32,
    /// Which writing of a record this is: random, and no other.
    written: String,
    /// The fence of whoever wrote it: those with a smaller one have lost the session.
    #[serde(default)]
    pub(crate) fence: u64,
    /// How many bytes the session has.
    pub(crate) length: u64,
    /// How many multipart uploads were begun for it.
    pub(crate) begun: u64,
    pub(crate) upload: Option<Upload>,
    /// Uploads that were begun to take the place of that one, and are to be given up if they did not.
    pub(crate) unfinished: Vec<Upload>,
}

/// A multipart upload of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    /// Random, so that no other upload of the session, of whichever process, becomes the same object; see [`Layout::data`](crate::layout::Layout::data).
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) parts: Vec<Part>,
    /// Whether it may have been completed, so that no part can be added.
    pub(crate) sealed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) id: String,
    pub(crate) size: u64,
}

impl Record {
    /// How many bytes are in parts.
    pub(crate) fn in_parts(&self) -> u64 {
        let parts = self.upload.iter().flat_map(|upload| &upload.parts);
        parts.map(|part| part.size).sum()
    }

    /// Whether all bytes are behind the record. An upload without parts may have been begun even so.
    pub(crate) fn is_small(&self) -> bool {
        let is_unused = |upload: &Upload| upload.parts.is_empty() && !upload.sealed;
        self.upload.as_ref().is_none_or(is_unused)
    }
}

/// A record with the bytes behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Staged {
    pub(crate) record: Record,
    pub(crate) tail: Bytes,
    /// Which version of the record object this was read from or written to, if any.
    pub(crate) version: Option<UpdateVersion>,
    /// Whether this is more than that version has.
    pub(crate) is_unsaved: bool,
}

impl Staged {
    /// Whether this was made from that version of the record object.
    pub(crate) fn is_of(&self, version: Option<&UpdateVersion>) -> bool {
        e_tag(self.version.as_ref()) == e_tag(version)
    }
}

impl Shared {
    /// Reads what a session holds; `None` if it has no staging area.
    pub(crate) async fn load(&self, session: SessionId) -> Result<Option<Staged>, BlobError> {
        let found = match self.bucket.get(&self.layout.record(session)).await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let version = UpdateVersion {
            e_tag: found.meta.e_tag.clone(),
            version: found.meta.version.clone(),
        };
        let content = found.bytes().await.map_err(|error| failed(&error))?;
        let (record, tail) = decode(session, &content)?;
        Ok(Some(Staged {
            record,
            tail,
            version: Some(version),
            is_unsaved: false,
        }))
    }

    /// Writes what a session holds, durably, in the place of the version that it was made from.
    ///
    /// # Errors
    /// If another writer has written meanwhile: this one must not go on.
    pub(crate) async fn save(
        &self,
        session: SessionId,
        staged: &mut Staged,
    ) -> Result<(), BlobError> {
        staged.record.format = FORMAT;
        staged.record.written = Uuid::new_v4().to_string();
        let mut head =
            serde_json::to_vec(&staged.record).map_err(|error| refused(error.to_string()))?;
        head.push(b'\n');
        let payload = PutPayload::from_iter([Bytes::from(head), staged.tail.clone()]);
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let mode = staged
                .version
                .clone()
                .map_or(PutMode::Create, PutMode::Update);
            let place = self.layout.record(session);
            let put = self
                .bucket
                .put_opts(&place, payload.clone(), PutOptions::from(mode));
            let error = match put.await {
                Ok(put) => {
                    staged.version = Some(put.into());
                    staged.is_unsaved = false;
                    return Ok(());
                }
                Err(error) => error,
            };
            // It may have been written all the same; and then a repetition, which the client of the bucket does
            // by itself, finds another version than before: this one.
            match self.load(session).await? {
                Some(found) if found.record.written == staged.record.written => {
                    staged.version = found.version;
                    staged.is_unsaved = false;
                    return Ok(());
                }
                found => {
                    let found = found.and_then(|found| found.version);
                    if !staged.is_of(found.as_ref()) {
                        return Err(BlobError::Superseded(session));
                    }
                }
            }
            last = Some(error);
        }
        Err(last.map_or_else(|| BlobError::Superseded(session), |error| failed(&error)))
    }
}

fn e_tag(version: Option<&UpdateVersion>) -> Option<&str> {
    version.and_then(|version| version.e_tag.as_deref())
}

fn decode(session: SessionId, content: &Bytes) -> Result<(Record, Bytes), BlobError> {
    let unreadable = |why: &str| refused(format!("the record of upload session {session} {why}"));
    let end = content.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| unreadable("has no end"))?;
    let record: Record =
        serde_json::from_slice(&content[..end]).map_err(|error| unreadable(&error.to_string()))?;
    if record.format != FORMAT {
        return Err(unreadable("was written by another version of berth"));
    }
    let tail = content.slice(end + 1..);
    if record.in_parts() + tail.len() as u64 != record.length {
        return Err(unreadable("is cut short"));
    }
    Ok((record, tail))
}

/// The words for a part or an object that is not as it must be.
pub(crate) fn mismatch(
    what: &str,
    expected: u64,
    found: Option<u64>,
    error: Option<&StoreError>,
) -> BlobError {
    let found = found.map_or_else(
        || "is not there".to_owned(),
        |found| format!("has {found} bytes"),
    );
    let error = error
        .map(|error| format!(": {}", text_of(error)))
        .unwrap_or_default();
    refused(format!(
        "{what} should have {expected} bytes, but {found}{error}"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_whole_record_is_refused() {
        let session = SessionId::random();
        let record = Record {
            format: FORMAT,
            length: 3,
            ..Record::default()
        };
        let mut content = serde_json::to_vec(&record).unwrap();
        content.extend_from_slice(b"\n\na\n");
        let (read, tail) = decode(session, &content.clone().into()).unwrap();
        assert_eq!((read, &tail[..]), (record, &b"\na\n"[..]));
        for end in 0..content.len() {
            let cut = Bytes::copy_from_slice(&content[..end]);
            assert!(decode(session, &cut).is_err(), "{end}");
        }
    }
}
