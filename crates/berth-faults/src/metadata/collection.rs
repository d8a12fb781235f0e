use std::time::SystemTime;

use async_trait::async_trait;
use berth_metadata::{Blob, CollectionStore, MetadataError, UnusedBlobs};
use berth_spec::{BlobName, Digest};

use super::FaultyMetadata;

#[async_trait]
impl<M: CollectionStore> CollectionStore for FaultyMetadata<M> {
    async fn unused_blobs(
        &self,
        after: Option<&Digest>,
        unused_since: SystemTime,
        limit: u32,
    ) -> Result<UnusedBlobs, MetadataError> {
        let unused = self.metadata.unused_blobs(after, unused_since, limit);
        self.faults.step("unused_blobs", unused).await
    }

    async fn condemn_blobs(
        &self,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError> {
        let condemned = self.metadata.condemn_blobs(digests, unused_since);
        self.faults.step("condemn_blobs", condemned).await
    }

    async fn condemned_blobs(
        &self,
        after: Option<&Digest>,
        condemned_before: SystemTime,
        limit: u32,
    ) -> Result<Vec<Blob>, MetadataError> {
        let condemned = self
            .metadata
            .condemned_blobs(after, condemned_before, limit);
        self.faults.step("condemned_blobs", condemned).await
    }

    async fn forget_blobs(
        &self,
        digests: &[Digest],
        condemned_before: SystemTime,
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError> {
        let forgotten = self
            .metadata
            .forget_blobs(digests, condemned_before, unused_since);
        self.faults.step("forget_blobs", forgotten).await
    }

    async fn replaced_blobs(
        &self,
        after: Option<&BlobName>,
        replaced_before: SystemTime,
        limit: u32,
    ) -> Result<Vec<BlobName>, MetadataError> {
        let replaced = self.metadata.replaced_blobs(after, replaced_before, limit);
        self.faults.step("replaced_blobs", replaced).await
    }

    async fn forsake(
        &self,
        names: &[BlobName],
        replaced_before: SystemTime,
    ) -> Result<Vec<BlobName>, MetadataError> {
        let forsaken = self.metadata.forsake(names, replaced_before);
        self.faults.step("forsake", forsaken).await
    }

    async fn adopt_blob(&self, lost: &BlobName, found: &BlobName) -> Result<bool, MetadataError> {
        let adopted = self.metadata.adopt_blob(lost, found);
        self.faults.step("adopt_blob", adopted).await
    }
}
