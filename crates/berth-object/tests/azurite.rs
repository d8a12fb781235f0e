//! Buckets of Azure, on an emulator that somebody has started: see README.md.
//!
//! This runs only if a variable has the endpoint. It is no harness of tests, so that nothing that did not run is
//! reported as passed.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::time::Duration;

use berth_blob::BlobStore;
use berth_blob::contract::{self, OpenBlobs};
use berth_object::{ObjectBlobs, OwnerError, Settings};
use berth_spec::SessionId;
use support::azurite::Azurite;
use support::{PART, content, get, push, read, scenarios, settings};

const VARIABLE: &str = "BERTH_TEST_AZURE_ENDPOINT";

fn main() {
    let Ok(endpoint) = std::env::var(VARIABLE) else {
        println!("nothing ran on Azurite: {VARIABLE} is not set");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(&Azurite::at(&endpoint)));
}

/// Ends the process with an error at the first thing that is wrong.
async fn run(azurite: &Azurite) {
    azurite.make_bucket().await;
    println!("a bucket is tried out");
    is_tried_out(azurite).await;
    println!("a bucket belongs to who claims it first");
    belongs_to_who_claims_it(azurite).await;
    println!("the contract of a blob store");
    contract::blob_store_where(&fresh(azurite, settings()), OpenBlobs::MayBeGone).await;
    println!("the contract of fences");
    let prefix = SessionId::random().to_string();
    let [one, other] = [(); 2].map(|()| azurite.blobs(&prefix, settings()));
    contract::fenced_staging(&one, &other).await;
    println!("another process goes on with a session");
    let prefix = SessionId::random().to_string();
    let replica = || azurite.blobs(&prefix, settings());
    let (session, _) = scenarios::another_process_goes_on(replica).await;
    replica().discard(session).await.unwrap();
    println!("what is in parts can be cut");
    scenarios::parts_are_cut(&fresh(azurite, settings())).await;
    println!("what a crash left in parts is passed over");
    scenarios::a_crash_leaves_parts(replica).await;
    println!("who lost a session cannot harm it");
    scenarios::a_lost_session_is_safe(&replica(), &replica()).await;
    println!("what is larger than a bucket copies is streamed");
    let limited = Settings {
        copy_limit: 1000,
        ..settings()
    };
    is_streamed(&fresh(azurite, limited)).await;
    println!("a signed URL gives one blob");
    is_signed(&fresh(azurite, settings())).await;
    println!("all of it passed");
}

fn fresh(azurite: &Azurite, settings: Settings) -> ObjectBlobs {
    azurite.blobs(&SessionId::random().to_string(), settings)
}

async fn is_tried_out(azurite: &Azurite) {
    fresh(azurite, settings()).try_out().await.unwrap();
    let missing = azurite.blobs_in("not-there", "some", settings());
    let error = missing.try_out().await.unwrap_err();
    assert!(error.to_string().contains("ContainerNotFound"), "{error}");
}

async fn belongs_to_who_claims_it(azurite: &Azurite) {
    let blobs = fresh(azurite, settings());
    blobs.claim("one").await.unwrap();
    blobs.claim("one").await.unwrap();
    let refused = blobs.claim("other").await;
    assert!(
        matches!(refused, Err(OwnerError::Foreign { .. })),
        "{refused:?}"
    );
}

async fn is_streamed(blobs: &ObjectBlobs) {
    let whole = content(10, usize::try_from(2 * PART + 99).unwrap());
    let (session, name) = push(blobs, &whole).await.unwrap();
    blobs.discard(session).await.unwrap();
    assert!(read(blobs, &name).await.unwrap() == whole);
}

async fn is_signed(blobs: &ObjectBlobs) {
    let [one, other] = [content(1, 10_000), content(2, 10)];
    let (_, name) = push(blobs, &one).await.unwrap();
    let (_, elsewhere) = push(blobs, &other).await.unwrap();
    let url = blobs.redirect(&name, Duration::from_secs(60)).await;
    let url = url.unwrap().unwrap();
    let (status, body) = get(&url, "").await;
    assert_eq!(status, 200);
    assert!(body == one);
    let (status, body) = get(&url, "Range: bytes=100-199\r\n").await;
    assert_eq!((status, &body[..]), (206, &one[100..200]));
    let forged = url.replace(name.digest.hex(), elsewhere.digest.hex());
    assert_eq!(get(&forged, "").await.0, 403);
}
