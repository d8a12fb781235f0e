mod collection;
mod inspection;
mod leases;
mod retention;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use berth_metadata::{
    Blob, Bounds, Condition, DeleteTag, MetadataError, MetadataStore, NewManifest, PutManifest,
    Referrer, ReferrerLimits, Scope, StoredManifest, UploadLeases, UploadRecord, UploadRevision,
    Usage,
};
use berth_spec::{BlobName, Digest, Reference, RepositoryName, SessionId, Tag};

use crate::Faults;

/// A metadata store that goes wrong as [`Faults`] say.
#[derive(Clone, Debug)]
pub struct FaultyMetadata<M> {
    metadata: Arc<M>,
    faults: Faults,
}

impl<M> FaultyMetadata<M> {
    /// Over this store, whose state others may see without faults.
    pub fn new(metadata: Arc<M>, faults: Faults) -> Self {
        Self { metadata, faults }
    }
}

#[async_trait]
impl<M: MetadataStore> MetadataStore for FaultyMetadata<M> {
    async fn has_repository(&self, name: &RepositoryName) -> Result<bool, MetadataError> {
        let found = self.metadata.has_repository(name);
        self.faults.step("has_repository", found).await
    }

    async fn repositories(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RepositoryName>, MetadataError> {
        let names = self.metadata.repositories(last, limit);
        self.faults.step("repositories", names).await
    }

    async fn link_blob_within(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        finished: Option<UploadRevision>,
        bounds: &Bounds,
    ) -> Result<(), MetadataError> {
        let metadata = Arc::clone(&self.metadata);
        let (repository, blob, bounds) = (repository.clone(), blob.clone(), bounds.clone());
        let linked = async move {
            let linked = metadata.link_blob_within(&repository, &blob, finished, &bounds);
            linked.await
        };
        self.faults.late_step("link_blob", linked).await
    }

    async fn mountable_blob(
        &self,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError> {
        let found = self.metadata.mountable_blob(from, digest);
        self.faults.step("mountable_blob", found).await
    }

    async fn mount_blob_within(
        &self,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<Option<Blob>, MetadataError> {
        let mounted = self
            .metadata
            .mount_blob_within(repository, from, digest, bounds);
        self.faults.step("mount_blob", mounted).await
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError> {
        let found = self.metadata.blob(repository, digest);
        self.faults.step("blob", found).await
    }

    async fn promise_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        renew_before: SystemTime,
    ) -> Result<Option<Blob>, MetadataError> {
        let promised = self.metadata.promise_blob(repository, digest, renew_before);
        self.faults.step("promise_blob", promised).await
    }

    async fn unlink_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, MetadataError> {
        let unlinked = self.metadata.unlink_blob(repository, digest);
        self.faults.step("unlink_blob", unlinked).await
    }

    async fn unrecorded(&self, names: &[BlobName]) -> Result<HashSet<BlobName>, MetadataError> {
        let unrecorded = self.metadata.unrecorded(names);
        self.faults.step("unrecorded", unrecorded).await
    }

    async fn put_manifest_within(
        &self,
        repository: &RepositoryName,
        manifest: &NewManifest,
        bounds: &Bounds,
    ) -> Result<PutManifest, MetadataError> {
        let put = self
            .metadata
            .put_manifest_within(repository, manifest, bounds);
        self.faults.step("put_manifest", put).await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        let found = self.metadata.manifest(repository, reference);
        self.faults.step("manifest", found).await
    }

    async fn delete_manifest_within(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<bool, MetadataError> {
        let deleted = self
            .metadata
            .delete_manifest_within(repository, digest, bounds);
        self.faults.step("delete_manifest", deleted).await
    }

    async fn delete_tag_within(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: &Condition,
        bounds: &Bounds,
    ) -> Result<DeleteTag, MetadataError> {
        let deleted = self
            .metadata
            .delete_tag_within(repository, tag, condition, bounds);
        self.faults.step("delete_tag", deleted).await
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, MetadataError> {
        let usage = self.metadata.usage(scope);
        self.faults.step("usage", usage).await
    }

    async fn tags(
        &self,
        repository: &RepositoryName,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Option<Vec<Tag>>, MetadataError> {
        let tags = self.metadata.tags(repository, last, limit);
        self.faults.step("tags", tags).await
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
        limits: ReferrerLimits,
    ) -> Result<Vec<Referrer>, MetadataError> {
        let referrers = self
            .metadata
            .referrers(repository, subject, artifact_type, last, limits);
        self.faults.step("referrers", referrers).await
    }

    async fn create_upload(&self, upload: &UploadRecord) -> Result<(), MetadataError> {
        let created = self.metadata.create_upload(upload);
        self.faults.step("create_upload", created).await
    }

    async fn upload(&self, id: SessionId) -> Result<Option<UploadRecord>, MetadataError> {
        let found = self.metadata.upload(id);
        self.faults.step("upload", found).await
    }

    async fn update_upload(&self, upload: &UploadRecord) -> Result<bool, MetadataError> {
        let updated = self.metadata.update_upload(upload);
        self.faults.step("update_upload", updated).await
    }

    async fn delete_upload(&self, upload: UploadRevision) -> Result<bool, MetadataError> {
        let deleted = self.metadata.delete_upload(upload);
        self.faults.step("delete_upload", deleted).await
    }

    async fn expired_uploads(
        &self,
        now: SystemTime,
        limit: u32,
    ) -> Result<Vec<SessionId>, MetadataError> {
        let expired = self.metadata.expired_uploads(now, limit);
        self.faults.step("expired_uploads", expired).await
    }

    fn upload_leases(&self) -> Option<&dyn UploadLeases> {
        self.metadata.upload_leases().map(|_| self as _)
    }
}
