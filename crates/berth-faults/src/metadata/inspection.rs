use async_trait::async_trait;
use berth_metadata::{
    Blob, InspectedManifest, InspectionStore, ManifestLimits, MetadataError, Totals, Users,
};
use berth_spec::{Digest, RepositoryName};

use super::FaultyMetadata;

#[async_trait]
impl<M: InspectionStore> InspectionStore for FaultyMetadata<M> {
    async fn totals(&self) -> Result<Totals, MetadataError> {
        self.faults.step("totals", self.metadata.totals()).await
    }

    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<Blob>, MetadataError> {
        let blobs = self.metadata.blobs(after, limit);
        self.faults.step("blobs", blobs).await
    }

    async fn recorded_blob(&self, digest: &Digest) -> Result<Option<Blob>, MetadataError> {
        let recorded = self.metadata.recorded_blob(digest);
        self.faults.step("recorded_blob", recorded).await
    }

    async fn manifests(
        &self,
        after: Option<(&RepositoryName, &Digest)>,
        limits: ManifestLimits,
    ) -> Result<Vec<InspectedManifest>, MetadataError> {
        let manifests = self.metadata.manifests(after, limits);
        self.faults.step("manifests", manifests).await
    }

    async fn inspected_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<InspectedManifest>, MetadataError> {
        let manifest = self.metadata.inspected_manifest(repository, digest);
        self.faults.step("inspected_manifest", manifest).await
    }

    async fn missing_references(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        blobs: &[Digest],
        manifests: &[Digest],
    ) -> Result<Option<Vec<Digest>>, MetadataError> {
        let missing = self
            .metadata
            .missing_references(repository, digest, blobs, manifests);
        self.faults.step("missing_references", missing).await
    }

    async fn blob_users(&self, digest: &Digest, limit: u32) -> Result<Users, MetadataError> {
        let users = self.metadata.blob_users(digest, limit);
        self.faults.step("blob_users", users).await
    }

    async fn manifest_users(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u32,
    ) -> Result<Users, MetadataError> {
        let users = self.metadata.manifest_users(repository, digest, limit);
        self.faults.step("manifest_users", users).await
    }

    async fn damages(&self) -> Result<Vec<String>, MetadataError> {
        self.faults.step("damages", self.metadata.damages()).await
    }

    async fn recount(&self) -> Result<Vec<String>, MetadataError> {
        self.faults.step("recount", self.metadata.recount()).await
    }
}
