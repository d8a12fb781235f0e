//! Who removes, and however late, takes nothing that was published since.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_blob::{BlobStore, Listed};
use berth_object::ObjectBlobs;
use berth_object::object_store::memory::InMemory;
use berth_object::object_store::{ObjectStoreExt, path::Path};
use berth_spec::{BlobName, Digest};
use futures_util::TryStreamExt;
use support::server::Server;
use support::{blobs_at, content, push, read, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_comes_late_takes_nothing_newer() {
    let server = Server::start();
    let [paused, other] = [(); 2].map(|()| blobs_at(&server.endpoint(), settings()));
    for size in [1000, 6_000_000] {
        let whole = content(1, size);
        let (_, decided) = push(&paused, &whole).await.unwrap();
        let identity = paused.open(&decided).await.unwrap().unwrap().identity();
        // From here on, one process sleeps: its requests come after those of the other.
        let (_, pushed) = push(&other, &whole).await.unwrap();
        assert_eq!(pushed.digest, decided.digest);
        assert!(!paused.quarantine(&pushed, &identity).await.unwrap());
        assert_eq!(
            paused.delete(std::slice::from_ref(&decided)).await.unwrap(),
            1
        );
        assert!(read(&other, &pushed).await.unwrap() == whole);
        assert!(other.open(&decided).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn what_an_earlier_version_wrote_is_read_and_removed() {
    let bucket = Arc::new(InMemory::new());
    let blobs = ObjectBlobs::new(bucket.clone(), "registry".into(), settings());
    let whole = content(2, 1000);
    let plain = BlobName::from(Digest::sha256(&whole));
    let hex = plain.digest.hex();
    let object = Path::from(format!("registry/blobs/sha256/{}/{hex}", &hex[..2]));
    bucket.put(&object, whole.clone().into()).await.unwrap();
    assert!(read(&blobs, &plain).await.unwrap() == whole);
    let (_, newer) = push(&blobs, &whole).await.unwrap();
    let listed: Vec<Vec<Listed>> = blobs.list().try_collect().await.unwrap();
    let mut listed = listed.concat();
    listed.sort_by_key(|listed| listed.name.generation);
    let names: Vec<&BlobName> = listed.iter().map(|listed| &listed.name).collect();
    assert_eq!(names, [&plain, &newer]);
    for listed in &listed {
        let age = SystemTime::now().duration_since(listed.written_at.unwrap());
        assert!(age.unwrap_or_default() < Duration::from_secs(60));
    }
    assert_eq!(blobs.delete(&[plain]).await.unwrap(), 1);
    assert!(read(&blobs, &newer).await.unwrap() == whole);
}
