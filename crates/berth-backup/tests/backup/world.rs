//! A registry to be backed up.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use berth_backup::{Backup, BackupError, BackupReport, RestoreReport, restore};
use berth_blob::{BlobGuards, BlobStore, FilesystemBlobs};
use berth_metadata::{Blob, MetadataStore, NewManifest, PutManifest, SqliteMetadata};
use berth_spec::{BlobName, Digest, Manifest, RepositoryName, SessionId, media_types};
use berth_verify::{Nobody, Observer, Problem, Progress, Verification, Watcher};
use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) metadata: SqliteMetadata,
    pub(crate) blobs: FilesystemBlobs,
    pub(crate) folder: TempDir,
}

/// Keeps the problems that it is told.
#[derive(Default)]
pub(crate) struct Problems(pub(crate) Mutex<Vec<Problem>>);

impl Observer for Problems {
    fn tell(&self, _: &Progress) {}
}

impl Watcher for Problems {
    fn found(&self, problem: &Problem) {
        self.0.lock().unwrap().push(problem.clone());
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self {
            blobs: FilesystemBlobs::open(&data).unwrap(),
            metadata: SqliteMetadata::open(&data.join("metadata.sqlite3")).unwrap(),
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn push_image(&self, name: &str, tag: &str, layer: &[u8]) -> Digest {
        push_image(&self.metadata, &self.blobs, name, tag, layer).await
    }

    /// Backs up to the folder `backup`.
    pub(crate) async fn back_up(&self, how: &Backup) -> (BackupReport, Vec<Problem>) {
        let problems = Problems::default();
        let kept = BlobGuards::default().keeping_all().await;
        let destination = self.path("backup");
        let backup = how.run(&self.metadata, &self.blobs, &kept, &destination, &problems);
        let report = backup.await.unwrap();
        let problems = problems.0.into_inner().unwrap();
        assert_eq!(report.problems, problems.len() as u64);
        (report, problems)
    }

    pub(crate) async fn try_back_up(&self, to: &str) -> Result<BackupReport, BackupError> {
        let kept = BlobGuards::default().keeping_all().await;
        let (how, to) = (Backup::default(), self.path(to));
        let backup = how.run(&self.metadata, &self.blobs, &kept, &to, &Nobody);
        backup.await
    }

    /// Restores the folder `backup` to another.
    pub(crate) async fn restore(&self, to: &str) -> (RestoreReport, Vec<Problem>) {
        let problems = Problems::default();
        let report = restore(&self.path("backup"), &self.path(to), &problems).await;
        let report = report.unwrap();
        let problems = problems.0.into_inner().unwrap();
        assert_eq!(report.problems, problems.len() as u64);
        (report, problems)
    }

    pub(crate) async fn try_restore(
        &self,
        from: &str,
        to: &str,
    ) -> Result<RestoreReport, BackupError> {
        restore(&self.path(from), &self.path(to), &Nobody).await
    }

    /// Where a blob is in a folder.
    pub(crate) fn blob_in(&self, folder: &str, digest: &Digest) -> PathBuf {
        let blobs = self.path(folder).join("blobs/sha256");
        blobs.join(&digest.hex()[..2]).join(digest.hex())
    }
}

/// Pushes an image with one layer, as a registry does, and answers the digest of the layer.
pub(crate) async fn push_image(
    metadata: &SqliteMetadata,
    blobs: &dyn BlobStore,
    name: &str,
    tag: &str,
    layer: &[u8],
) -> Digest {
    let repository = repository(name);
    let mut digests = Vec::new();
    for content in [b"config", layer] {
        let name = publish(blobs, &Digest::sha256(content), content).await;
        let blob = Blob {
            digest: name.digest,
            size: content.len() as u64,
            generation: name.generation,
        };
        metadata.link_blob(&repository, &blob, None).await.unwrap();
        digests.push(blob.digest);
    }
    let manifest = image(layer, tag);
    let put = metadata.put_manifest(&repository, &manifest).await;
    assert_eq!(put.unwrap(), PutManifest::Stored);
    Digest::sha256(layer)
}

pub(crate) async fn publish(blobs: &dyn BlobStore, digest: &Digest, content: &[u8]) -> BlobName {
    let session = SessionId::random();
    let mut writer = blobs.stage(session, 0).await.unwrap();
    let pieces = vec![Bytes::copy_from_slice(content)];
    writer.write(pieces).await.unwrap();
    let length = content.len() as u64;
    let name = blobs.publish(session, length, digest).await.unwrap();
    blobs.discard(session).await.unwrap();
    name
}

pub(crate) fn image(layer: &[u8], tag: &str) -> NewManifest {
    let content = json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_MANIFEST,
        "config": {"mediaType": "a/config", "digest": Digest::sha256(b"config"), "size": 6},
        "layers": [{"mediaType": "a/layer", "digest": Digest::sha256(layer), "size": layer.len()}],
    });
    let content = Bytes::from(content.to_string());
    let references = Manifest::parse(None, &content).unwrap().references();
    NewManifest {
        digest: Digest::sha256(&content),
        media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content,
        required_blobs: references.required_blobs,
        optional_blobs: references.optional_blobs,
        required_manifests: references.manifests,
        tags: vec![tag.parse().unwrap()],
        condition: None,
    }
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

/// Opens a folder as a server would, and verifies all of it.
pub(crate) async fn open_and_verify(folder: &Path) -> SqliteMetadata {
    let metadata = SqliteMetadata::open(&folder.join("metadata.sqlite3")).unwrap();
    let blobs = FilesystemBlobs::open(folder).unwrap();
    let problems = Problems::default();
    let how = Verification::default();
    let report = how.run(&metadata, &blobs, &problems).await.unwrap();
    let problems = problems.0.into_inner().unwrap();
    assert!(report.is_sound(), "{problems:?}");
    metadata
}

pub(crate) async fn tags(metadata: &SqliteMetadata, name: &str) -> Vec<String> {
    let tags = metadata.tags(&repository(name), None, 1000).await.unwrap();
    let tags = tags.unwrap_or_default();
    tags.iter().map(ToString::to_string).collect()
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Who may do what with a file.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Replaces the file of a blob, which is read-only.
pub(crate) fn overwrite(path: &Path, content: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, content).unwrap();
}
