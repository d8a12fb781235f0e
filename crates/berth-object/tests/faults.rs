//! What goes wrong between a registry and its bucket: after each fault an operation has succeeded or can be
//! repeated, nothing acknowledged is lost, and readers get right bytes or an error.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use berth_blob::{BlobError, BlobStore, Listed};
use berth_object::{ObjectBlobs, Requests, Settings};
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use support::proxy::{Fault, Proxy};
use support::server::{SECRET, Server, variables};
use support::{PART, append, blobs_at, content, push, read, settings};

async fn start() -> (Server, Proxy, ObjectBlobs) {
    let server = Server::start();
    let proxy = Proxy::before(&server.address).await;
    let blobs = blobs_at(&proxy.endpoint(), settings());
    (server, proxy, blobs)
}

fn large(seed: u64) -> Bytes {
    content(seed, usize::try_from(2 * PART + 1000).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_goes_on_where_its_connection_broke() {
    let (_server, proxy, blobs) = start().await;
    let whole = large(1);
    let (_, name) = push(&blobs, &whole).await.unwrap();
    let faults = [
        Fault::CutAnswer(1_000_000),
        Fault::CutAnswer(0),
        Fault::CutAnswer(100),
        Fault::SlowDown,
        Fault::DropAnswer,
        Fault::Stall(2_000_000, Duration::from_secs(20)),
        Fault::CutAnswer(3_000_000),
    ];
    for fault in faults {
        proxy.fail("GET", name.digest.hex(), fault, 1);
    }
    assert!(read(&blobs, &name).await.unwrap() == whole);
    assert_eq!(proxy.calm(), 0, "not all of it went wrong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_of_known_size_is_one_request_and_goes_on_as_any_other() {
    let (_server, proxy, blobs) = start().await;
    let whole = large(4);
    let (length, (_, name)) = (whole.len() as u64, push(&blobs, &whole).await.unwrap());
    proxy.seen();
    for faults in 0..3 {
        let fault = Fault::CutAnswer(1_000_000);
        proxy.fail("GET", name.digest.hex(), fault, faults);
        let blob = blobs.open_known(&name, length).await.unwrap().unwrap();
        let read: Vec<Bytes> = blob.read(0..length).try_collect().await.unwrap();
        assert!(read.concat() == whole);
        assert_eq!(proxy.calm(), 0);
        let seen = proxy.seen();
        assert!(seen.iter().all(|line| line.starts_with("GET")), "{seen:?}");
        assert_eq!(seen.len(), 1 + faults, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_cannot_go_on_tells_so_after_right_bytes() {
    let (_server, proxy, blobs) = start().await;
    let whole = large(2);
    let (_, name) = push(&blobs, &whole).await.unwrap();
    proxy.fail("GET", name.digest.hex(), Fault::CutAnswer(1_000_000), 1);
    proxy.fail("GET", name.digest.hex(), Fault::DropAnswer, 1000);
    let (read, error) = read_until_error(&blobs, &name).await;
    assert!(!read.is_empty() && whole.starts_with(&read));
    assert!(matches!(error, BlobError::Io(_)), "{error:?}");
    assert!(proxy.calm() > 900, "it never gave up");
}

/// What could be read.
async fn read_until_error(blobs: &ObjectBlobs, name: &BlobName) -> (Vec<u8>, BlobError) {
    let blob = blobs.open(name).await.unwrap().unwrap();
    let size = blob.size();
    let mut pieces = blob.read(0..size);
    let mut read = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(error) => return (read, error),
        }
    }
    panic!("all could be read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_of_what_was_removed_ends_with_an_error() {
    let (server, proxy, blobs) = start().await;
    let direct = blobs_at(&server.endpoint(), settings());
    let whole = large(3);
    let (length, (_, name)) = (whole.len() as u64, push(&direct, &whole).await.unwrap());
    let blob = blobs.open(&name).await.unwrap().unwrap();
    proxy.fail("GET", name.digest.hex(), Fault::CutAnswer(1_000_000), 1);
    let mut pieces = blob.read(0..length);
    let mut read = pieces.next().await.unwrap().unwrap().to_vec();
    // Another of the same content does not take its place.
    push(&direct, &whole).await.unwrap();
    assert_eq!(direct.delete(&[name]).await.unwrap(), 1);
    let error = loop {
        match pieces.next().await.unwrap() {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, BlobError::Gone), "{error:?}");
    assert!(whole.starts_with(&read));
    assert!(pieces.next().await.is_none());
}

/// What keeps its promise by being tried again until it succeeds, as a client does.
async fn until_it_succeeds<T>(mut attempt: impl AsyncFnMut() -> Result<T, BlobError>) -> T {
    let mut failures = 0;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) if failures > 2 => panic!("it never succeeds: {error}"),
            Err(_) => failures += 1,
        }
    }
}

/// One fault at each request of a push in two chunks, without repetitions by the client of the bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_a_push_can_fail_in_every_way() {
    let (server, proxy, _) = start().await;
    let settings = Settings {
        requests: Requests {
            retries: 0,
            ..settings().requests
        },
        ..settings()
    };
    for fault in [
        Fault::SlowDown,
        Fault::DropAnswer,
        Fault::CutAnswer(30),
        Fault::CutRequest(700),
    ] {
        let mut went_wrong = 0;
        for after in 0.. {
            let blobs = blobs_at(&proxy.endpoint(), settings.clone());
            let whole = large(100 + after as u64);
            push_in_chunks(&proxy, &blobs, &whole, (after, fault)).await;
            if proxy.calm() > 0 {
                break;
            }
            went_wrong += 1;
        }
        assert!(went_wrong > 12, "{fault:?} came {went_wrong} times");
    }
    let direct = blobs_at(&server.endpoint(), settings);
    assert_eq!(direct.staged().await.unwrap(), []);
}

async fn push_in_chunks(
    proxy: &Proxy,
    blobs: &ObjectBlobs,
    whole: &Bytes,
    (after, fault): (usize, Fault),
) {
    let (session, digest) = (SessionId::random(), Digest::sha256(whole));
    let middle = whole.len() / 3 * 2;
    let (first, second) = (whole.slice(..middle), whole.slice(middle..));
    proxy.fail_one(after, fault);
    until_it_succeeds(async || append(blobs, session, 0, &first).await).await;
    until_it_succeeds(async || append(blobs, session, middle as u64, &second).await).await;
    let length = whole.len() as u64;
    let name = until_it_succeeds(async || blobs.publish(session, length, &digest).await).await;
    until_it_succeeds(async || blobs.discard(session).await).await;
    assert!(
        blobs.staged().await.unwrap_or_default().is_empty(),
        "{fault:?} at {after}"
    );
    let read = until_it_succeeds(async || read(blobs, &name).await).await;
    assert!(read == *whole, "{fault:?} at {after}");
    // What failed may have been published all the same.
    let listed: Vec<Vec<Listed>> =
        until_it_succeeds(async || blobs.list().try_collect().await).await;
    let listed = listed.concat().into_iter().map(|listed| listed.name);
    let names: Vec<BlobName> = listed.filter(|listed| listed.digest == digest).collect();
    assert!(names.contains(&name), "{fault:?} at {after}");
    until_it_succeeds(async || blobs.delete(&names).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_survives_what_passes() {
    let (_server, proxy, blobs) = start().await;
    let whole = large(5);
    for (method, target) in [
        ("PUT", "record"),
        ("POST", "uploads="),
        ("PUT", "partNumber=1"),
        ("PUT", "partNumber=2"),
        ("POST", "uploadId="),
        ("PUT", "blobs/sha256"),
    ] {
        for fault in [Fault::SlowDown, Fault::DropAnswer] {
            proxy.fail(method, target, fault, 1);
        }
    }
    let (session, name) = push(&blobs, &whole).await.unwrap();
    assert_eq!(proxy.calm(), 0, "not all of it went wrong");
    assert!(read(&blobs, &name).await.unwrap() == whole);
    blobs.discard(session).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_could_not_be_sent_is_sent_at_the_sync() {
    let (_server, proxy, blobs) = start().await;
    let whole = large(6);
    let session = SessionId::random();
    let mut writer = blobs.stage(session, 0).await.unwrap();
    // As often as it is tried.
    proxy.fail("PUT", "partNumber=1", Fault::SlowDown, 3);
    let mut written = Ok(());
    for piece in whole.chunks(1_000_000) {
        written = writer.write(vec![Bytes::copy_from_slice(piece)]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        if written.is_err() {
            break;
        }
    }
    assert!(written.is_err());
    assert!(writer.write(vec![whole.clone()]).await.is_err());
    writer.sync().await.unwrap();
    let mut kept = whole.len() as u64;
    let mut bytes = loop {
        match blobs.read_staged(session, kept).await {
            Ok(bytes) => break bytes,
            Err(BlobError::StagedBytesMissing { found, .. }) => kept = found,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(kept >= PART);
    let mut read = Vec::new();
    while let Some(piece) = bytes.next().await {
        read.extend_from_slice(&piece.unwrap());
    }
    assert!(read.len() as u64 == kept && whole.starts_with(&read));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_hangs_is_not_waited_for() {
    let (_server, proxy, _) = start().await;
    let settings = Settings {
        requests: Requests {
            answer_within: Duration::from_millis(300),
            ..settings().requests
        },
        ..settings()
    };
    let blobs = blobs_at(&proxy.endpoint(), settings);
    let (_, name) = push(&blobs, &content(7, 1000)).await.unwrap();
    proxy.fail(
        "HEAD",
        name.digest.hex(),
        Fault::Stall(0, Duration::from_secs(60)),
        10,
    );
    let started = std::time::Instant::now();
    let error = blobs.open(&name).await.err().unwrap();
    assert!(
        error.to_string().contains("did not answer in time"),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(30));
    proxy.calm();
    assert!(blobs.open(&name).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_of_which_nothing_comes_is_given_up_in_time() {
    let (_server, proxy, _) = start().await;
    let settings = Settings {
        read_attempts: u32::MAX,
        requests: Requests {
            retries: 0,
            give_up_after: Duration::from_millis(500),
            ..settings().requests
        },
        ..settings()
    };
    let blobs = blobs_at(&proxy.endpoint(), settings);
    let (_, name) = push(&blobs, &content(8, 1000)).await.unwrap();
    proxy.fail("GET", name.digest.hex(), Fault::SlowDown, usize::MAX);
    let reading = read_until_error(&blobs, &name);
    let given_up = tokio::time::timeout(Duration::from_secs(20), reading).await;
    let (read, error) = given_up.unwrap();
    assert!(read.is_empty());
    assert!(error.to_string().contains("503"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_keeps_conditions_is_known_although_an_answer_is_lost() {
    let (_server, proxy, blobs) = start().await;
    for after in 0.. {
        proxy.fail_one(after, Fault::DropAnswer);
        blobs.try_out().await.unwrap();
        if proxy.calm() > 0 {
            assert!(after > 3, "only {after} requests were made");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_error_tells_a_secret() {
    let server = Server::start();
    let wrong = |name: &str| {
        let variables = variables(&server.endpoint()).into_iter();
        let wrong = |value: String| format!("{value}-but-wrong");
        let variables = variables.map(|(other, value)| match other == name {
            true => (other, wrong(value)),
            false => (other, value),
        });
        ObjectBlobs::connect(&"s3://blobs".parse().unwrap(), variables, settings()).unwrap()
    };
    for (name, told_as) in [
        // This server says so.
        ("AWS_ACCESS_KEY_ID", "No user exists"),
        ("AWS_SECRET_ACCESS_KEY", "refuses the credentials"),
    ] {
        let blobs = wrong(name);
        let error = push(&blobs, &content(8, 10)).await.unwrap_err();
        let told = format!("{error} {error:?} {blobs:?}");
        assert!(told.contains(told_as), "{told}");
        assert!(!told.contains(SECRET), "{told}");
    }
}
