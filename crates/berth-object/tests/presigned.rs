//! URLs from which a blob can be read by whoever has them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use berth_blob::BlobStore;
use berth_spec::{BlobName, Digest};
use support::server::{SECRET, Server};
use support::{blobs_at, content, get, in_memory, push, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_url_gives_one_blob_for_its_time() {
    let server = Server::start();
    let blobs = blobs_at(&server.endpoint(), settings());
    let content = content(1, 10_000);
    let (_, name) = push(&blobs, &content).await.unwrap();
    let other = push(&blobs, &support::content(2, 10)).await.unwrap().1;
    let sign = async |name: &BlobName, seconds| {
        let url = blobs.redirect(name, Duration::from_secs(seconds)).await;
        url.unwrap().unwrap()
    };
    let url = sign(&name, 60).await;
    assert!(!url.contains(SECRET));
    let (status, body) = get(&url, "").await;
    assert_eq!((status, body.len()), (200, content.len()));
    assert!(body == content);
    let (status, body) = get(&url, "Range: bytes=100-199\r\n").await;
    assert_eq!((status, &body[..]), (206, &content[100..200]));
    let elsewhere = url.replace(name.digest.hex(), other.digest.hex());
    assert_eq!(get(&elsewhere, "").await.0, 403);
    let brief = sign(&name, 1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(get(&brief, "").await.0, 403);
    let nowhere = sign(&Digest::sha256(b"was never pushed").into(), 60).await;
    assert_eq!(get(&nowhere, "").await.0, 404);
}

#[tokio::test]
async fn a_bucket_without_urls_says_so() {
    let blobs = in_memory(1000, 1000);
    let url = blobs
        .redirect(&Digest::sha256(b"").into(), Duration::from_secs(60))
        .await;
    assert_eq!(url.unwrap(), None);
}
