//! Registries to transfer to, and folders to transfer from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use berth_registry::{
    Authority, Condition, Content, ManifestContent, MemoryBlobs, MemoryMetadata, Registry, Settings,
};
use berth_spec::{Digest, Manifest, Reference, RepositoryName};
use berth_transfer::{
    DistributionFolder, Finding, Observer, Progress, Source, Transfer, TransferReport, Watcher,
    ZotFolder,
};
use bytes::Bytes;
use flate2::read::GzDecoder;
use futures_util::TryStreamExt;
use tempfile::TempDir;

/// What each registry has after the pushes of `fixtures/make.sh`.
pub(crate) const TAGS: [(&str, &[&str]); 4] = [
    ("library/base", &["v1"]),
    ("team/app", &["latest", "v1", "v2"]),
    ("team/docker", &["v1"]),
    ("team/notes", &[]),
];

/// The first image.
pub(crate) const BASE: &str =
    "sha256:29a38bcfd0811ab4f7af2d863f4af170a589a4e19ece7a2be9286eeddf8faf7d";

/// The layer that most images have.
pub(crate) const LAYER: &str =
    "sha256:ef26de0c96b989878699171c60f51acb161334f02bea9284b41e56e63926ba89";

/// The index of two platforms.
pub(crate) const INDEX: &str =
    "sha256:a2ba3dd4223aee3aa86243f59d31bc3aca119e1b4955bc9a11e04ca6092ba267";

/// Its second platform.
pub(crate) const ARM64: &str =
    "sha256:ccabb3d0db7700a5cd77f8c7505fced7bd1fe7620aedb603a6f80cbbccfc91e2";

/// The first application.
pub(crate) const APP: &str =
    "sha256:334fe77c48b7b6ec3974d3297e38f60585a1c0db89ee810fd7f718ff23ee89e3";

/// What was hashed by sha512.
pub(crate) const LONG: &str = "sha512:1c3e595e577184ba70ed41d648cda61851535b9ae4e9678d4a9f351fc001cedb71c9f3382bb67011c2762c02953ecb8982821e6b26da2be5c6a3a008b07122e7";

pub(crate) fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

/// Unpacks a fixture.
pub(crate) fn unpack(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let archive = File::open(fixtures.join(format!("{name}.tar.gz"))).unwrap();
    tar::Archive::new(GzDecoder::new(archive))
        .unpack(folder.path())
        .unwrap();
    folder
}

/// Where distribution keeps the bytes of a digest.
pub(crate) fn data(folder: &TempDir, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    let blobs = folder.path().join("docker/registry/v2/blobs");
    blobs.join(algorithm).join(&hex[..2]).join(hex).join("data")
}

/// Where distribution keeps what a repository has.
pub(crate) fn distributed(folder: &TempDir, repository: &str) -> PathBuf {
    folder
        .path()
        .join("docker/registry/v2/repositories")
        .join(repository)
}

/// Keeps the findings that it is told.
#[derive(Default)]
pub(crate) struct Findings(pub(crate) Mutex<Vec<Finding>>);

impl Observer for Findings {
    fn tell(&self, _: &Progress) {}
}

impl Watcher for Findings {
    fn found(&self, finding: &Finding) {
        self.0.lock().unwrap().push(finding.clone());
    }
}

pub(crate) fn empty_registry() -> Registry {
    registry_with(Settings::default())
}

pub(crate) fn registry_with(settings: Settings) -> Registry {
    Registry::new(
        Arc::new(MemoryMetadata::default()),
        Arc::new(MemoryBlobs::default()),
        settings,
    )
}

/// Brings all of a source into a registry, and answers what was found, a line each, in order.
pub(crate) async fn bring(
    source: &dyn Source,
    registry: &Registry,
) -> (TransferReport, Vec<String>) {
    let findings = Findings::default();
    let transfer = Transfer {
        source,
        registry,
        authority: Authority::Ordinary,
    };
    let report = transfer.run(&findings).await.unwrap();
    let findings = findings.0.into_inner().unwrap();
    let problems = findings.iter().filter(|finding| finding.is_problem());
    assert_eq!(problems.count() as u64, report.problems);
    assert_eq!(findings.len() as u64, report.problems + report.passed_over);
    let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.sort();
    (report, lines)
}

pub(crate) async fn bring_distribution(
    folder: &TempDir,
    registry: &Registry,
) -> (TransferReport, Vec<String>) {
    let source = DistributionFolder::open(folder.path()).await.unwrap();
    bring(&source, registry).await
}

pub(crate) async fn bring_zot(
    folder: &TempDir,
    registry: &Registry,
) -> (TransferReport, Vec<String>) {
    let source = ZotFolder::open(folder.path()).await.unwrap();
    bring(&source, registry).await
}

/// The digest that each tag leads to, as `repository:tag`. All that a tag leads to is read, and compared with its digest.
pub(crate) async fn tags(registry: &Registry) -> BTreeMap<String, Digest> {
    let mut tags = BTreeMap::new();
    for name in registry
        .repositories(None, None)
        .await
        .unwrap()
        .repositories
    {
        for tag in registry.tags(&name, None, None).await.unwrap().tags {
            let manifest = registry
                .manifest(&name, &Reference::from(tag.clone()))
                .await;
            let manifest = manifest.unwrap();
            check(registry, &name, &manifest.digest).await;
            tags.insert(format!("{name}:{tag}"), manifest.digest);
        }
    }
    tags
}

/// Reads a manifest and all that it needs, and compares it with its digest.
pub(crate) async fn check(registry: &Registry, name: &RepositoryName, digest: &Digest) {
    let mut waiting = vec![digest.clone()];
    while let Some(digest) = waiting.pop() {
        let reference = Reference::from(digest.clone());
        let stored = registry.manifest(name, &reference).await.unwrap();
        assert_eq!(Digest::of(digest.algorithm(), &stored.content), digest);
        let manifest = Manifest::parse(Some(&stored.media_type), &stored.content).unwrap();
        let references = manifest.references();
        for blob in references.required_blobs {
            let content = blob_content(registry, name, &blob).await;
            assert_eq!(Digest::of(blob.algorithm(), &content), blob);
        }
        waiting.extend(references.manifests);
    }
}

pub(crate) async fn blob_content(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
) -> Vec<u8> {
    let blob = registry.open_blob(name, digest).await.unwrap();
    let size = blob.size();
    let pieces: Vec<Bytes> = blob.read(0..size).try_collect().await.unwrap();
    pieces.concat()
}

pub(crate) async fn has_manifest(registry: &Registry, name: &str, digest: &str) -> bool {
    let reference: Reference = digest.parse().unwrap();
    registry
        .manifest(&repository(name), &reference)
        .await
        .is_ok()
}

/// Pushes an image of one layer, which is also its config.
pub(crate) async fn push_image(registry: &Registry, name: &str, tag: &str, layer: &str) -> Digest {
    let name = repository(name);
    let layer_digest = Digest::sha256(layer.as_bytes());
    let content = Content::from_bytes(layer.to_owned());
    registry
        .push_blob(&name, &layer_digest, content)
        .await
        .unwrap();
    let (media_type, size) = ("application/vnd.oci.image.manifest.v1+json", layer.len());
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{{"mediaType":"a/b","digest":"{layer_digest}","size":{size}}},"layers":[]}}"#
    );
    let pushed = ManifestContent {
        content_type: None,
        content: manifest.into(),
    };
    let (reference, condition) = (tag.parse().unwrap(), Condition::default());
    let pushed = registry
        .push_manifest(
            &name,
            &reference,
            &[],
            pushed,
            &condition,
            Authority::Ordinary,
        )
        .await;
    pushed.unwrap().digest
}

/// Changes one byte of a file, wherever links to it are.
pub(crate) fn damage(path: &Path) {
    let mut content = fs::read(path).unwrap();
    content[0] ^= 1;
    fs::write(path, content).unwrap();
}
