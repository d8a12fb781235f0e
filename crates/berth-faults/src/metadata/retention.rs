use std::time::SystemTime;

use async_trait::async_trait;
use berth_metadata::{Blob, MetadataError, RepositoryContents, RetentionStore, TagEntry};
use berth_spec::{Digest, RepositoryName};

use super::FaultyMetadata;

#[async_trait]
impl<M: RetentionStore> RetentionStore for FaultyMetadata<M> {
    async fn repository_contents(
        &self,
        repository: &RepositoryName,
    ) -> Result<Option<RepositoryContents>, MetadataError> {
        let contents = self.metadata.repository_contents(repository);
        self.faults.step("repository_contents", contents).await
    }

    async fn delete_tag_as_seen(
        &self,
        repository: &RepositoryName,
        tag: &TagEntry,
    ) -> Result<bool, MetadataError> {
        let deleted = self.metadata.delete_tag_as_seen(repository, tag);
        self.faults.step("delete_tag_as_seen", deleted).await
    }

    async fn delete_manifest_if_unused(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        seen_used_at: SystemTime,
    ) -> Result<bool, MetadataError> {
        let deleted = self
            .metadata
            .delete_manifest_if_unused(repository, digest, seen_used_at);
        self.faults.step("delete_manifest_if_unused", deleted).await
    }

    async fn manifest_blobs(
        &self,
        repository: &RepositoryName,
        manifest: &Digest,
    ) -> Result<Vec<Blob>, MetadataError> {
        let blobs = self.metadata.manifest_blobs(repository, manifest);
        self.faults.step("manifest_blobs", blobs).await
    }

    async fn blob_references(&self, blob: &Digest) -> Result<u64, MetadataError> {
        let references = self.metadata.blob_references(blob);
        self.faults.step("blob_references", references).await
    }
}
