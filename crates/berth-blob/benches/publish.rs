//! How long it takes until a small blob is durable: this measures the disk, too.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use berth_blob::{BlobStore, FilesystemBlobs};
use berth_spec::{Digest, SessionId};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

/// The size of a blob such as the configuration of an image, in bytes.
const SIZE: usize = 10 * 1024;

fn publish(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FilesystemBlobs::open(folder.path()).unwrap();
    let content = Bytes::from(vec![b'a'; SIZE]);
    let count = AtomicU64::new(0);
    let runtime = Runtime::new().unwrap();
    criterion.bench_function("publish 10 KiB", |bencher| {
        bencher.to_async(&runtime).iter(|| {
            // A store does not hash: each time a new name, since a blob that is there is less work.
            let number = count.fetch_add(1, Ordering::Relaxed);
            publish_one(&blobs, &content, Digest::sha256(&number.to_be_bytes()))
        });
    });
}

async fn publish_one(blobs: &FilesystemBlobs, content: &Bytes, digest: Digest) {
    let session = SessionId::random();
    let mut writer = blobs.stage(session, 0).await.unwrap();
    writer.write(vec![content.clone()]).await.unwrap();
    blobs.publish(session, SIZE as u64, &digest).await.unwrap();
    blobs.discard(session).await.unwrap();
}

criterion_group!(benches, publish);
criterion_main!(benches);
