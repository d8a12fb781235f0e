//! The contract of a blob store, over buckets in memory and on a real S3 server.

#![allow(clippy::unwrap_used)]

mod support;

use berth_blob::contract::{self, OpenBlobs};
use berth_object::{ObjectBlobs, OwnerError};
use support::server::{Server, variables};
use support::{blobs_at, in_memory, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_without_uploads() {
    contract::blob_store_where(&in_memory(8 << 20, 5 << 30), OpenBlobs::MayBeGone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_in_parts() {
    contract::blob_store_where(&in_memory(100_001, 5 << 30), OpenBlobs::MayBeGone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_in_parts_that_no_request_copies() {
    contract::blob_store_where(&in_memory(300, 500), OpenBlobs::MayBeGone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_server() {
    let server = Server::start();
    let blobs = blobs_at(&server.endpoint(), settings());
    contract::blob_store_where(&blobs, OpenBlobs::MayBeGone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_tried_out() {
    let server = Server::start();
    let at = |url: &str| {
        ObjectBlobs::connect(
            &url.parse().unwrap(),
            variables(&server.endpoint()),
            settings(),
        )
    };
    at("s3://blobs/some").unwrap().try_out().await.unwrap();
    at("s3://blobs").unwrap().try_out().await.unwrap();
    assert!(server.objects().is_empty());
    let error = at("s3://not-there").unwrap().try_out().await.unwrap_err();
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_belongs_to_who_claims_it_first() {
    let server = Server::start();
    let blobs = blobs_at(&server.endpoint(), settings());
    blobs.claim("one").await.unwrap();
    support::push(&blobs, &support::content(1, 10))
        .await
        .unwrap();
    blobs.claim("one").await.unwrap();
    for other in ["", "other", "one\n"] {
        let refused = blobs.claim(other).await;
        assert!(
            matches!(refused, Err(OwnerError::Foreign { .. })),
            "{refused:?}"
        );
    }
    let at = |prefix: &str| {
        let url = format!("s3://blobs/{prefix}").parse().unwrap();
        ObjectBlobs::connect(&url, variables(&server.endpoint()), settings()).unwrap()
    };
    at("elsewhere").claim("other").await.unwrap();
    support::push(&at("third"), &support::content(1, 10))
        .await
        .unwrap();
    let refused = at("third").claim("other").await;
    assert!(
        matches!(refused, Err(OwnerError::Unowned { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn other_providers_are_known() {
    let account = (
        "AZURE_STORAGE_ACCOUNT_NAME".to_owned(),
        "account".to_owned(),
    );
    let azure = ObjectBlobs::connect(
        &"az://container/prefix".parse().unwrap(),
        [account],
        settings(),
    )
    .unwrap();
    assert!(format!("{azure:?}").contains("container"), "{azure:?}");
    let unsigned = ("GOOGLE_SKIP_SIGNATURE".to_owned(), "true".to_owned());
    let google = ObjectBlobs::connect(
        &"gs://bucket/prefix".parse().unwrap(),
        [unsigned],
        settings(),
    )
    .unwrap();
    assert!(format!("{google:?}").contains("bucket"), "{google:?}");
}
