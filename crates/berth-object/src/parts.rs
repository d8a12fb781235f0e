use std::collections::BTreeMap;
use std::sync::Arc;

use berth_blob::BlobError;
use bytes::Bytes;
use object_store::Result as StoreResult;
use object_store::multipart::PartId;
use object_store::path::Path;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};

use crate::error::{failed, refused};
use crate::record::Part;
use crate::settings::MOST_PARTS;
use crate::shared::Shared;

/// Parts of a multipart upload that are being sent, some at once. Dropping it gives up those that are
/// under way.
pub(crate) struct Parts {
    shared: Arc<Shared>,
    object: Path,
    upload: String,
    /// The index of the next part to be sent.
    next: usize,
    under_way: JoinSet<Sent>,
    stored: BTreeMap<usize, Part>,
    /// What could not be stored, to be tried once more at the end.
    unsent: BTreeMap<usize, Bytes>,
    /// Whether a part was lost, because its task was cut off.
    is_broken: bool,
}

struct Sent {
    index: usize,
    content: Bytes,
    outcome: StoreResult<PartId>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Parts {
    /// Goes on with the upload to an object that has `next` parts.
    pub(crate) fn new(shared: &Arc<Shared>, object: Path, upload: String, next: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            object,
            upload,
            next,
            under_way: JoinSet::new(),
            stored: BTreeMap::new(),
            unsent: BTreeMap::new(),
            is_broken: false,
        }
    }

    /// The index of the next part.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// Begins to send the next part, as soon as few enough are under way.
    ///
    /// # Errors
    /// If this or an earlier part cannot be stored. It is not lost: see [`Parts::finish`].
    pub(crate) async fn send(&mut self, content: Bytes) -> Result<(), BlobError> {
        let index = self.next;
        self.next += 1;
        if index >= MOST_PARTS {
            self.unsent.insert(index, content);
            return Err(refused("a blob cannot be that large in a bucket"));
        }
        let room = match self.wait_for_room().await {
            Ok(room) => room,
            Err(error) => {
                self.unsent.insert(index, content);
                return Err(error);
            }
        };
        let (shared, object, upload) = (
            Arc::clone(&self.shared),
            self.object.clone(),
            self.upload.clone(),
        );
        self.under_way.spawn(async move {
            let sending = shared
                .bucket
                .put_part(&object, &upload, index, content.clone().into());
            Sent {
                index,
                outcome: sending.await,
                content,
                _room: room,
            }
        });
        Ok(())
    }

    /// Each upload may always send one part, and more only while few do.
    async fn wait_for_room(&mut self) -> Result<Option<OwnedSemaphorePermit>, BlobError> {
        loop {
            while let Some(done) = self.under_way.try_join_next() {
                self.note(done)?;
            }
            if self.under_way.is_empty() {
                return Ok(None);
            }
            if self.under_way.len() < self.shared.settings.parts_at_once
                && let Ok(room) = Arc::clone(&self.shared.spare_parts).try_acquire_owned()
            {
                return Ok(Some(room));
            }
            if let Some(done) = self.under_way.join_next().await {
                self.note(done)?;
            }
        }
    }

    fn note(&mut self, done: Result<Sent, JoinError>) -> Result<(), BlobError> {
        let Ok(sent) = done else {
            self.is_broken = true;
            return Err(BlobError::Interrupted);
        };
        let size = sent.content.len() as u64;
        match sent.outcome {
            Ok(PartId { content_id: id }) => {
                self.stored.insert(sent.index, Part { id, size });
                Ok(())
            }
            Err(error) => {
                self.unsent.insert(sent.index, sent.content);
                Err(failed(&error))
            }
        }
    }

    /// Waits until all parts are stored, and answers those that were since the last time, in order. What
    /// failed is tried once more.
    ///
    /// # Errors
    /// If a part cannot be stored even so. Then this can be tried again.
    pub(crate) async fn finish(&mut self) -> Result<Vec<Part>, BlobError> {
        while let Some(done) = self.under_way.join_next().await {
            // What failed is kept, and comes next.
            let _failed = self.note(done);
        }
        if self.is_broken {
            return Err(BlobError::Interrupted);
        }
        while let Some((index, content)) = self.unsent.first_key_value() {
            let (index, content) = (*index, content.clone());
            let size = content.len() as u64;
            let bucket = &self.shared.bucket;
            let sending = bucket.put_part(&self.object, &self.upload, index, content.into());
            let PartId { content_id: id } = sending.await.map_err(|error| failed(&error))?;
            self.unsent.remove(&index);
            self.stored.insert(index, Part { id, size });
        }
        Ok(std::mem::take(&mut self.stored).into_values().collect())
    }
}
