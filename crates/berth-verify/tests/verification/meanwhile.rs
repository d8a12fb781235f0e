//! What changes while it is verified.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use berth_blob::{
    BlobError, BlobGuards, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, MemoryBlobs,
    Staged, StagedWriter,
};
use berth_metadata::{
    Blob, InspectedManifest, InspectionStore, ManifestLimits, MemoryMetadata, MetadataError,
    MetadataStore, Totals, Users,
};
use berth_spec::{BlobName, Digest, RepositoryName, SessionId};
use berth_verify::Verification;

use crate::world::{World, image, index, publish, repository, verify};

/// Metadata in which manifests are deleted right after they were listed, and blobs are forgotten right
/// after they were.
#[derive(Default)]
struct Emptying {
    stored: MemoryMetadata,
    forgets_blobs: bool,
    damages: Vec<String>,
    miscounted: Vec<String>,
}

#[async_trait]
impl InspectionStore for Emptying {
    async fn totals(&self) -> Result<Totals, MetadataError> {
        self.stored.totals().await
    }

    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<Blob>, MetadataError> {
        self.stored.blobs(after, limit).await
    }

    async fn recorded_blob(&self, digest: &Digest) -> Result<Option<Blob>, MetadataError> {
        let recorded = self.stored.recorded_blob(digest).await?;
        Ok(recorded.filter(|_| !self.forgets_blobs))
    }

    async fn manifests(
        &self,
        after: Option<(&RepositoryName, &Digest)>,
        limits: ManifestLimits,
    ) -> Result<Vec<InspectedManifest>, MetadataError> {
        let page = self.stored.manifests(after, limits).await?;
        for found in &page {
            let (name, digest) = (&found.repository, &found.manifest.digest);
            self.stored.delete_manifest(name, digest).await?;
        }
        Ok(page)
    }

    async fn inspected_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<InspectedManifest>, MetadataError> {
        self.stored.inspected_manifest(repository, digest).await
    }

    async fn missing_references(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        blobs: &[Digest],
        manifests: &[Digest],
    ) -> Result<Option<Vec<Digest>>, MetadataError> {
        let stored = &self.stored;
        let missing = stored.missing_references(repository, digest, blobs, manifests);
        missing.await
    }

    async fn blob_users(&self, digest: &Digest, limit: u32) -> Result<Users, MetadataError> {
        self.stored.blob_users(digest, limit).await
    }

    async fn manifest_users(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u32,
    ) -> Result<Users, MetadataError> {
        let users = self.stored.manifest_users(repository, digest, limit);
        users.await
    }

    async fn damages(&self) -> Result<Vec<String>, MetadataError> {
        Ok(self.damages.clone())
    }

    async fn recount(&self) -> Result<Vec<String>, MetadataError> {
        Ok(self.miscounted.clone())
    }
}

/// Only if nothing is damaged: else the counts would follow the damage.
#[tokio::test]
async fn wrong_counts_are_problems() {
    let world = World::in_memory();
    let mut metadata = Emptying {
        miscounted: vec!["a count".to_owned()],
        ..Emptying::default()
    };
    for told in ["a count", "a damage"] {
        let how = Verification::default();
        let (report, problems) = verify(&how, &metadata, &*world.blobs).await;
        assert_eq!(report.problems, 1);
        let expected = format!("the metadata is damaged: {told}");
        assert_eq!(problems[0].to_string(), expected);
        metadata.damages = vec!["a damage".to_owned()];
    }
}

#[tokio::test]
async fn a_manifest_that_is_deleted_is_no_problem() {
    let metadata = Emptying::default();
    let world = World::in_memory();
    world.push_image("a", &[], b"layer").await;
    let child = image(b"config", &[b"layer"]);
    world.push("a", &["multi"], &index(&[&child])).await;
    // The same manifests, and one with other bytes than its digest says.
    let everything = ManifestLimits {
        count: 100,
        bytes: usize::MAX,
    };
    for found in world.metadata.manifests(None, everything).await.unwrap() {
        let media_type = found.manifest.media_type.as_str();
        let manifest = crate::world::bare(media_type, found.manifest.content, &[]);
        let name = repository("a");
        metadata
            .stored
            .put_manifest(&name, &manifest)
            .await
            .unwrap();
        let damaged = berth_metadata::NewManifest {
            content: "damaged".into(),
            ..manifest
        };
        let name = repository("b");
        metadata.stored.put_manifest(&name, &damaged).await.unwrap();
    }
    let how = Verification::default();
    let (report, problems) = verify(&how, &metadata, &*world.blobs).await;
    assert_eq!(problems, []);
    assert_eq!(report.manifests, 4);
}

#[tokio::test]
async fn a_blob_that_is_forgotten_is_no_problem() {
    let metadata = Emptying {
        forgets_blobs: true,
        ..Emptying::default()
    };
    let gone = Blob::new(Digest::sha256(b"gone"), 4);
    let name = repository("a");
    metadata.stored.link_blob(&name, &gone, None).await.unwrap();
    let how = Verification::default();
    let (report, problems) = verify(&how, &metadata, &MemoryBlobs::default()).await;
    assert_eq!(problems, []);
    assert_eq!(report.blobs, 1);
    let found = verify(&how, &metadata.stored, &MemoryBlobs::default()).await;
    assert_eq!(found.0.problems, 1);
}

/// Blobs of which one is replaced by good bytes at some moment.
struct Mending {
    stored: MemoryBlobs,
    content: &'static [u8],
    /// Before the how manieth opening, or before a quarantine.
    opened: AtomicUsize,
    mended_at: Moment,
}

#[derive(Clone, Copy, PartialEq)]
enum Moment {
    Opening(usize),
    Quarantine,
}

impl Mending {
    async fn mend(&self) {
        let digest = Digest::sha256(self.content);
        let names = [digest.clone().into()];
        self.stored.delete(&names).await.unwrap();
        publish(&self.stored, &digest, self.content).await;
    }
}

#[async_trait]
impl BlobStore for Mending {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        self.stored.stage_fenced(session, offset, fence).await
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        self.stored.read_staged(session, length).await
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        self.stored.publish(session, length, digest).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        self.stored.discard(session).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        self.stored.staged().await
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        if self.mended_at == Moment::Opening(number) {
            self.mend().await;
        }
        self.stored.open(name).await
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        self.stored.delete(names).await
    }

    fn list(&self) -> BlobList {
        self.stored.list()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        if self.mended_at == Moment::Quarantine {
            self.mend().await;
        }
        self.stored.quarantine(name, read).await
    }
}

#[tokio::test]
async fn a_blob_that_is_mended_is_no_problem_and_stays() {
    let content = b"as it should be";
    let digest = Digest::sha256(content);
    let moments = [
        (Moment::Opening(0), 0),
        (Moment::Opening(1), 0),
        (Moment::Quarantine, 0),
        // Nobody opens it so often.
        (Moment::Opening(9), 1),
    ];
    for (mended_at, problems) in moments {
        for damaged in [None, Some(b"not as it should")] {
            let metadata = MemoryMetadata::default();
            let blobs = Mending {
                stored: MemoryBlobs::default(),
                content,
                opened: AtomicUsize::new(0),
                mended_at,
            };
            let size = content.len() as u64;
            let blob = Blob::new(digest.clone(), size);
            metadata
                .link_blob(&repository("a"), &blob, None)
                .await
                .unwrap();
            if let Some(damaged) = damaged {
                publish(&blobs.stored, &digest, damaged).await;
            }
            let how = Verification {
                quarantine: Some(BlobGuards::default()),
                ..Verification::default()
            };
            let (report, _) = verify(&how, &metadata, &blobs).await;
            // What is missing is moved nowhere.
            let is_never_mended = mended_at == Moment::Quarantine && damaged.is_none();
            let expected = if is_never_mended { 1 } else { problems };
            assert_eq!(report.problems, expected);
            let is_there = blobs
                .stored
                .open(&digest.clone().into())
                .await
                .unwrap()
                .is_some();
            assert_eq!(is_there, expected == 0);
        }
    }
}
