use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_blob::{BlobGuards, BlobStore, FilesystemBlobs, MemoryBlobs};
use berth_collector::{Amount, CollectionReport, Collector, CollectorMetadata};
use berth_metadata::{
    Blob, Grace, MemoryMetadata, MetadataStore, NewManifest, PutManifest, SqliteMetadata,
};
use berth_progress::Nobody;
use berth_spec::{Digest, RepositoryName, SessionId, media_types};
use tempfile::TempDir;

pub(crate) const GRACE: Grace = Grace(Duration::from_secs(3600));

pub(crate) struct World {
    pub(crate) metadata: Arc<dyn MetadataStore>,
    pub(crate) collected: Arc<dyn CollectorMetadata>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) guards: BlobGuards,
    pub(crate) collector: Collector,
    pub(crate) here: RepositoryName,
    _folder: Option<TempDir>,
}

/// The last one has names that are used once.
pub(crate) fn worlds() -> [World; 3] {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    let files = FilesystemBlobs::open(folder.path()).unwrap();
    [
        World::over(MemoryMetadata::default(), MemoryBlobs::default(), None),
        World::over(sqlite, files, Some(folder)),
        generations(),
    ]
}

pub(crate) fn generations() -> World {
    let blobs = MemoryBlobs::with_generations();
    World::over(MemoryMetadata::default(), blobs, None)
}

impl World {
    fn over(
        metadata: impl MetadataStore + CollectorMetadata,
        blobs: impl BlobStore,
        folder: Option<TempDir>,
    ) -> Self {
        let (metadata, blobs) = (Arc::new(metadata), Arc::new(blobs));
        let guards = BlobGuards::default();
        Self {
            collector: Collector::new(metadata.clone(), blobs.clone(), guards.clone())
                .sweeping_after(Duration::ZERO),
            collected: metadata.clone(),
            metadata,
            blobs,
            guards,
            here: "here".parse().unwrap(),
            _folder: folder,
        }
    }

    /// Publishes bytes, without making them known.
    pub(crate) async fn publish(&self, content: &str) -> Blob {
        let digest = Digest::sha256(content.as_bytes());
        self.publish_as(content, &digest).await
    }

    /// Publishes bytes under a digest, whether it is theirs or not.
    pub(crate) async fn publish_as(&self, content: &str, digest: &Digest) -> Blob {
        let session = SessionId::random();
        let mut writer = self.blobs.stage(session, 0).await.unwrap();
        writer.write(vec![content.to_owned().into()]).await.unwrap();
        writer.sync().await.unwrap();
        let size = content.len() as u64;
        let name = self.blobs.publish(session, size, digest).await.unwrap();
        self.blobs.discard(session).await.unwrap();
        Blob {
            digest: digest.clone(),
            size,
            generation: name.generation,
        }
    }

    pub(crate) async fn push(&self, content: &str) -> Blob {
        let blob = self.publish(content).await;
        let link = self.metadata.link_blob(&self.here, &blob, None);
        link.await.unwrap();
        blob
    }

    pub(crate) async fn put(&self, content: &str, blobs: &[&Blob]) -> (PutManifest, Digest) {
        let manifest = NewManifest {
            digest: Digest::sha256(content.as_bytes()),
            media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            content: content.to_owned().into(),
            required_blobs: blobs.iter().map(|blob| blob.digest.clone()).collect(),
            optional_blobs: Vec::new(),
            required_manifests: Vec::new(),
            tags: Vec::new(),
            condition: None,
        };
        let put = self.metadata.put_manifest(&self.here, &manifest).await;
        (put.unwrap(), manifest.digest)
    }

    pub(crate) async fn has(&self, blob: &Blob) -> bool {
        let is_known = self.metadata.blob(&self.here, &blob.digest).await.unwrap();
        let is_there = self.blobs.open(&blob.name()).await.unwrap().is_some();
        assert_eq!(is_known.is_some(), is_there, "record and bytes disagree");
        is_there
    }

    pub(crate) async fn collect(&self, now: SystemTime) -> CollectionReport {
        self.collector.collect(GRACE, now, &Nobody).await.unwrap()
    }
}

/// So many hours from now.
pub(crate) fn hours(hours: u32) -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600) * hours
}

pub(crate) fn amount<'a>(blobs: impl IntoIterator<Item = &'a Blob>) -> Amount {
    let mut amount = Amount::default();
    amount.add(blobs);
    amount
}
