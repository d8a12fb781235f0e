use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_metadata::{
    MetadataError, MetadataStore, TakeUpload, UploadLeases, UploadRecord, UploadRevision,
};
use berth_spec::SessionId;
use berth_upload::{
    HeldRevision, RecordsError, SessionLeases, SessionRecord, SessionRecords, Take,
};

/// Keeps the records of upload sessions in the metadata store, so that the end of an upload and the
/// link to its blob are one transaction.
pub struct MetadataSessionRecords(Arc<dyn MetadataStore>);

impl MetadataSessionRecords {
    /// Records in this store.
    pub fn new(metadata: Arc<dyn MetadataStore>) -> Self {
        Self(metadata)
    }
}

#[async_trait]
impl SessionRecords for MetadataSessionRecords {
    async fn create(&self, record: &SessionRecord) -> Result<(), RecordsError> {
        self.0.create_upload(&stored(record)).await.map_err(failed)
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionRecord>, RecordsError> {
        let upload = self.0.upload(id).await.map_err(failed)?;
        Ok(upload.map(loaded))
    }

    async fn update(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        self.0.update_upload(&stored(record)).await.map_err(failed)
    }

    async fn remove(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        let removed = self.0.delete_upload(stored(record).state());
        removed.await.map_err(failed)
    }

    async fn expired(&self, now: SystemTime, limit: u32) -> Result<Vec<SessionId>, RecordsError> {
        self.0.expired_uploads(now, limit).await.map_err(failed)
    }

    fn leases(&self) -> Option<&dyn SessionLeases> {
        self.0.upload_leases().map(|_| self as _)
    }
}

impl MetadataSessionRecords {
    fn shared(&self) -> Result<&dyn UploadLeases, RecordsError> {
        let leases = self.0.upload_leases();
        leases.ok_or_else(|| RecordsError::Failed("the metadata store has no leases".into()))
    }
}

#[async_trait]
impl SessionLeases for MetadataSessionRecords {
    async fn take(
        &self,
        id: SessionId,
        holder: &str,
        duration: Duration,
    ) -> Result<Take, RecordsError> {
        let taken = self.shared()?.take_upload(id, holder, duration);
        Ok(match taken.await.map_err(failed)? {
            TakeUpload::Taken(upload) => Take::Taken(loaded(upload)),
            TakeUpload::Held { until, left } => Take::Held { until, left },
            TakeUpload::Missing => Take::Missing,
        })
    }

    async fn renew(&self, held: &HeldRevision, duration: Duration) -> Result<bool, RecordsError> {
        let renewed = self.shared()?.renew_upload(state(held), duration);
        renewed.await.map_err(failed)
    }

    async fn give_back(&self, held: &HeldRevision) -> Result<(), RecordsError> {
        let given_back = self.shared()?.give_back_upload(state(held));
        given_back.await.map_err(failed)
    }
}

fn state(held: &HeldRevision) -> UploadRevision {
    UploadRevision {
        id: held.id,
        revision: held.revision,
        holder: Some(held.holder.clone()),
    }
}

fn stored(record: &SessionRecord) -> UploadRecord {
    UploadRecord {
        id: record.id,
        repository: record.repository.clone(),
        algorithm: record.algorithm,
        offset: record.offset,
        hash_state: record.hash_state.clone(),
        revision: record.revision,
        expires_at: record.expires_at,
        holder: record.holder.clone(),
    }
}

fn loaded(upload: UploadRecord) -> SessionRecord {
    SessionRecord {
        id: upload.id,
        repository: upload.repository,
        algorithm: upload.algorithm,
        offset: upload.offset,
        hash_state: upload.hash_state,
        revision: upload.revision,
        expires_at: upload.expires_at,
        holder: upload.holder,
    }
}

fn failed(error: MetadataError) -> RecordsError {
    match error {
        MetadataError::StorageFull => RecordsError::StorageFull,
        error => RecordsError::Failed(error.into()),
    }
}
