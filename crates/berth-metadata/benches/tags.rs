//! How long it takes to find the manifest of a tag.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use berth_metadata::{MetadataStore, NewManifest, SqliteMetadata, StoredManifest};
use berth_spec::{Digest, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const TAGS: usize = 10_000;

/// The size of a manifest, in bytes: all together are more than what is kept in memory.
const MANIFEST_SIZE: usize = 2 * 1024;

/// From one tag to the next: far, and through all of them.
const STRIDE: usize = 7919;

struct Store {
    metadata: Arc<SqliteMetadata>,
    repository: RepositoryName,
    tags: Vec<Tag>,
}

impl Store {
    /// A repository where each tag has a manifest of its own.
    async fn fill(folder: &Path) -> Self {
        let metadata = SqliteMetadata::open(&folder.join("metadata.sqlite3")).unwrap();
        let tags = (0..TAGS).map(|number| format!("v{number}").parse().unwrap());
        let store = Self {
            metadata: Arc::new(metadata),
            repository: "library/alpine".parse().unwrap(),
            tags: tags.collect(),
        };
        // At once, so that many share a commit.
        let mut pushes = JoinSet::new();
        for tag in &store.tags {
            let (metadata, repository) = (Arc::clone(&store.metadata), store.repository.clone());
            let manifest = manifest(tag);
            pushes.spawn(async move { metadata.put_manifest(&repository, &manifest).await });
        }
        for pushed in pushes.join_all().await {
            pushed.unwrap();
        }
        store
    }

    async fn find(&self, number: usize) -> StoredManifest {
        let reference = Reference::Tag(self.tags[number % TAGS].clone());
        let found = self.metadata.manifest(&self.repository, &reference).await;
        found.unwrap().unwrap()
    }
}

fn manifest(tag: &Tag) -> NewManifest {
    let content = format!("{:MANIFEST_SIZE$}", tag.as_str());
    NewManifest {
        digest: Digest::sha256(content.as_bytes()),
        media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: Bytes::from(content),
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: vec![tag.clone()],
        condition: None,
    }
}

fn find(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(Store::fill(folder.path()));
    let mut group = criterion.benchmark_group("manifest by tag, of 10,000");
    group.bench_function("the same one", |bencher| {
        bencher.to_async(&runtime).iter(|| store.find(0));
    });
    let next = AtomicUsize::new(0);
    group.bench_function("each in turn", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| store.find(next.fetch_add(STRIDE, Ordering::Relaxed)));
    });
    group.finish();
}

criterion_group!(benches, find);
criterion_main!(benches);
