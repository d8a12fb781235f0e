//! A real S3 server, what goes wrong on the way to it, and what is stored there.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod azurite;
pub(crate) mod proxy;
pub(crate) mod scenarios;
pub(crate) mod server;
pub(crate) mod strict;

use std::sync::Arc;
use std::time::Duration;

use berth_blob::{BlobError, BlobStore};
use berth_object::{ObjectBlobs, Requests, Settings};
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The smallest part that S3 takes, in bytes.
pub(crate) const PART: u64 = 5 * 1024 * 1024;

/// Small parts, and little patience.
pub(crate) fn settings() -> Settings {
    Settings {
        part_size: PART,
        requests: Requests {
            retries: 2,
            first_wait: Duration::from_millis(10),
            longest_wait: Duration::from_millis(100),
            answer_within: Duration::from_secs(5),
            ..Requests::default()
        },
        ..Settings::default()
    }
}

/// Blobs at an endpoint, which is the server or a proxy before it.
pub(crate) fn blobs_at(endpoint: &str, settings: Settings) -> ObjectBlobs {
    let url = format!("s3://{}/some/registry", server::BUCKET)
        .parse()
        .unwrap();
    ObjectBlobs::connect(&url, server::variables(endpoint), settings).unwrap()
}

/// Bytes that differ everywhere, and by their seed.
pub(crate) fn content(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// Writes behind `offset`, and syncs.
pub(crate) async fn append(
    blobs: &dyn BlobStore,
    session: SessionId,
    offset: u64,
    content: &Bytes,
) -> Result<(), BlobError> {
    let mut writer = blobs.stage(session, offset).await?;
    let mut rest = content.clone();
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(500_000));
        writer.write(vec![piece]).await?;
    }
    writer.sync().await
}

/// Publishes in a session of its own, which stays.
pub(crate) async fn push(
    blobs: &dyn BlobStore,
    content: &Bytes,
) -> Result<(SessionId, BlobName), BlobError> {
    let (session, digest) = (SessionId::random(), Digest::sha256(content));
    append(blobs, session, 0, content).await?;
    let published = blobs.publish(session, content.len() as u64, &digest);
    Ok((session, published.await?))
}

pub(crate) async fn read(blobs: &dyn BlobStore, name: &BlobName) -> Result<Vec<u8>, BlobError> {
    let blob = blobs.open(name).await?.expect("the blob is there");
    let size = blob.size();
    let pieces: Vec<Bytes> = blob.read(0..size).try_collect().await?;
    Ok(pieces.concat())
}

/// A store whose bucket is in memory, with parts so small that all is done with them.
pub(crate) fn in_memory(part_size: u64, copy_limit: u64) -> ObjectBlobs {
    let bucket = Arc::new(berth_object::object_store::memory::InMemory::new());
    let settings = Settings {
        part_size,
        copy_limit,
        ..settings()
    };
    ObjectBlobs::new(bucket, "registry".into(), settings)
}

/// The status and the body of a plain request.
pub(crate) async fn get(url: &str, head: &str) -> (u16, Vec<u8>) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, target) = rest.split_once('/').unwrap();
    let mut connection = TcpStream::connect(host).await.unwrap();
    let request =
        format!("GET /{target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let body = answer.split_off(end + 4);
    let status = String::from_utf8(answer).unwrap();
    (status.split(' ').nth(1).unwrap().parse().unwrap(), body)
}
