use std::time::Duration;

use async_trait::async_trait;
use berth_metadata::{MetadataError, MetadataStore, TakeUpload, UploadLeases, UploadRevision};
use berth_spec::SessionId;

use super::FaultyMetadata;

impl<M: MetadataStore> FaultyMetadata<M> {
    fn leases(&self) -> Result<&dyn UploadLeases, MetadataError> {
        let leases = self.metadata.upload_leases();
        leases.ok_or_else(|| MetadataError::Database("this store has no leases".to_owned()))
    }
}

#[async_trait]
impl<M: MetadataStore> UploadLeases for FaultyMetadata<M> {
    async fn take_upload(
        &self,
        id: SessionId,
        holder: &str,
        duration: Duration,
    ) -> Result<TakeUpload, MetadataError> {
        let taken = self.leases()?.take_upload(id, holder, duration);
        self.faults.step("take_upload", taken).await
    }

    async fn renew_upload(
        &self,
        held: UploadRevision,
        duration: Duration,
    ) -> Result<bool, MetadataError> {
        let renewed = self.leases()?.renew_upload(held, duration);
        self.faults.step("renew_upload", renewed).await
    }

    async fn give_back_upload(&self, held: UploadRevision) -> Result<(), MetadataError> {
        let given_back = self.leases()?.give_back_upload(held);
        self.faults.step("give_back_upload", given_back).await
    }
}
