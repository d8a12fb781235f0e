//! Registries to be verified.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use berth_blob::{BlobStore, FilesystemBlobs, MemoryBlobs};
use berth_metadata::{
    Blob, InspectionStore, MemoryMetadata, MetadataStore, NewManifest, PutManifest, SqliteMetadata,
};
use berth_spec::{Digest, RepositoryName, SessionId, media_types};
use berth_verify::{Observer, Problem, Progress, Verification, VerificationReport, Watcher};
use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) trait Metadata: MetadataStore + InspectionStore {}

impl<S: MetadataStore + InspectionStore> Metadata for S {}

pub(crate) struct World {
    pub(crate) metadata: Box<dyn Metadata>,
    pub(crate) blobs: Box<dyn BlobStore>,
    folder: Option<TempDir>,
}

/// Keeps all that it is told.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) problems: Mutex<Vec<Problem>>,
    pub(crate) progress: Mutex<Vec<Progress>>,
}

impl Observer for Notes {
    fn tell(&self, progress: &Progress) {
        self.progress.lock().unwrap().push(progress.clone());
    }
}

impl Watcher for Notes {
    fn found(&self, problem: &Problem) {
        self.problems.lock().unwrap().push(problem.clone());
    }
}

impl World {
    pub(crate) fn in_memory() -> Self {
        Self {
            metadata: Box::new(MemoryMetadata::default()),
            blobs: Box::new(MemoryBlobs::default()),
            folder: None,
        }
    }

    pub(crate) fn in_a_folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metadata = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
        Self {
            metadata: Box::new(metadata),
            blobs: Box::new(FilesystemBlobs::open(folder.path()).unwrap()),
            folder: Some(folder),
        }
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::in_memory(), Self::in_a_folder()]
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) fn path_of(&self, digest: &Digest) -> PathBuf {
        let folder = self.root().join("blobs/sha256").join(&digest.hex()[..2]);
        folder.join(digest.hex())
    }

    pub(crate) async fn push_blob(&self, name: &str, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        publish(&*self.blobs, &digest, content).await;
        let blob = Blob::new(digest.clone(), content.len() as u64);
        self.link(name, &blob).await;
        digest
    }

    pub(crate) async fn link(&self, name: &str, blob: &Blob) {
        let name = repository(name);
        self.metadata.link_blob(&name, blob, None).await.unwrap();
    }

    pub(crate) async fn delete_manifest(&self, name: &str, digest: &Digest) {
        let name = repository(name);
        let deleted = self.metadata.delete_manifest(&name, digest).await;
        assert!(deleted.unwrap());
    }

    pub(crate) async fn push(&self, name: &str, tags: &[&str], manifest: &Value) -> Digest {
        let content: Bytes = manifest.to_string().into();
        let media_type = manifest["mediaType"].as_str().unwrap();
        let manifest = berth_spec::Manifest::parse(None, &content).unwrap();
        let references = manifest.references();
        let stored = NewManifest {
            required_blobs: references.required_blobs,
            optional_blobs: references.optional_blobs,
            required_manifests: references.manifests,
            ..bare(media_type, content, tags)
        };
        self.put(name, &stored).await;
        stored.digest
    }

    pub(crate) async fn put(&self, name: &str, manifest: &NewManifest) {
        let name = repository(name);
        let put = self.metadata.put_manifest(&name, manifest).await;
        assert_eq!(put.unwrap(), PutManifest::Stored);
    }

    /// Pushes an image with one layer and its config, and answers the digest of the layer.
    pub(crate) async fn push_image(&self, name: &str, tags: &[&str], layer: &[u8]) -> Digest {
        self.push_blob(name, b"config").await;
        let digest = self.push_blob(name, layer).await;
        self.push(name, tags, &image(b"config", &[layer])).await;
        digest
    }

    pub(crate) async fn verify(&self, how: &Verification) -> (VerificationReport, Vec<Problem>) {
        verify(how, &*self.metadata, &*self.blobs).await
    }
}

pub(crate) async fn verify(
    how: &Verification,
    metadata: &dyn InspectionStore,
    blobs: &dyn BlobStore,
) -> (VerificationReport, Vec<Problem>) {
    let notes = Notes::default();
    let report = how.run(metadata, blobs, &notes).await.unwrap();
    let problems = notes.problems.into_inner().unwrap();
    assert_eq!(report.problems, problems.len() as u64);
    (report, problems)
}

/// Puts bytes where those of a blob are to be, right or not.
pub(crate) async fn publish(blobs: &dyn BlobStore, digest: &Digest, content: &[u8]) {
    let session = SessionId::random();
    let mut writer = blobs.stage(session, 0).await.unwrap();
    let pieces = vec![Bytes::copy_from_slice(content)];
    writer.write(pieces).await.unwrap();
    let length = content.len() as u64;
    blobs.publish(session, length, digest).await.unwrap();
    blobs.discard(session).await.unwrap();
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(content), "size": content.len()})
}

pub(crate) fn image(config: &[u8], layers: &[&[u8]]) -> Value {
    let layer = |content: &&[u8]| descriptor("application/vnd.oci.image.layer.v1.tar", content);
    json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

pub(crate) fn index(children: &[&Value]) -> Value {
    let child = |child: &&Value| {
        descriptor(
            media_types::OCI_IMAGE_MANIFEST,
            child.to_string().as_bytes(),
        )
    };
    json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_INDEX,
        "manifests": children.iter().map(child).collect::<Vec<_>>(),
    })
}

/// A manifest that is stored without its references being asked for.
pub(crate) fn bare(media_type: &str, content: Bytes, tags: &[&str]) -> NewManifest {
    NewManifest {
        digest: Digest::sha256(&content),
        media_type: media_type.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content,
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        condition: None,
    }
}

/// The tags that a problem hurts, as `repository:tag`.
pub(crate) fn hurt_tags(problem: &Problem) -> Vec<String> {
    let tags = problem.hurts.tags.first.iter();
    tags.map(|user| format!("{}:{}", user.repository, user.tag))
        .collect()
}
