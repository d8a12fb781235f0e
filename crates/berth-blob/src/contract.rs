//! The contract of [`BlobStore`], as tests that every implementation runs.

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;

use berth_spec::{Algorithm, Digest, SessionId};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};

use crate::{BlobError, BlobStore, ByteStream};

/// What becomes of blobs that are open when they are removed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenBlobs {
    /// They can be read to their end.
    Kept,
    /// They can be, or end with [`BlobError::Gone`].
    MayBeGone,
}

impl OpenBlobs {
    /// Checks what was still read of an open blob.
    async fn check(self, mut rest: ByteStream, content: &[u8]) {
        let mut read = Vec::new();
        while let Some(piece) = rest.next().await {
            match piece {
                Ok(piece) => read.extend_from_slice(&piece),
                Err(BlobError::Gone) if self == Self::MayBeGone => {
                    assert!(content.starts_with(&read), "bytes of another blob");
                    return;
                }
                Err(error) => unreadable(&error),
            }
        }
        assert!(read == content, "an open blob changed");
    }
}

#[allow(clippy::panic)]
fn unreadable(error: &BlobError) {
    panic!("an open blob cannot be read: {error}");
}

/// Runs the whole suite over a store that keeps what is open. The store must be empty.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn blob_store(store: &dyn BlobStore) {
    blob_store_where(store, OpenBlobs::Kept).await;
}

/// Runs the whole suite. The store must be empty.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn blob_store_where(store: &dyn BlobStore, open_blobs: OpenBlobs) {
    what_is_published_can_be_read(store).await;
    nothing_is_seen_before_it_is_published(store).await;
    what_was_not_acknowledged_is_cut_off(store).await;
    staged_bytes_must_be_there(store).await;
    publishing_needs_the_exact_length(store).await;
    publishing_can_be_repeated(store).await;
    a_damaged_blob_is_replaced(store, open_blobs).await;
    a_published_blob_never_changes(store).await;
    the_empty_blob_needs_no_staging(store).await;
    any_range_can_be_read(store).await;
    an_open_blob_survives_its_deletion(store, open_blobs).await;
    blobs_are_listed_until_deleted(store).await;
    what_is_quarantined_is_gone_until_published_again(store, open_blobs).await;
    only_the_bytes_that_were_read_are_quarantined(store).await;
    staging_areas_are_listed_until_discarded(store).await;
}

fn content(seed: u8, length: usize) -> Vec<u8> {
    let byte = |index: usize| (index.wrapping_mul(31) ^ (index >> 8)).to_le_bytes()[0] ^ seed;
    (0..length).map(byte).collect()
}

#[allow(clippy::unwrap_used)]
async fn stage(store: &dyn BlobStore, session: SessionId, offset: u64, content: &[u8]) {
    let mut writer = store.stage(session, offset).await.unwrap();
    for piece in content.chunks(100_000) {
        let (left, right) = piece.split_at(piece.len() / 3);
        let pieces = [left, b"", right].map(Bytes::copy_from_slice);
        writer.write(pieces.to_vec()).await.unwrap();
    }
    writer.sync().await.unwrap();
}

#[allow(clippy::unwrap_used)]
async fn publish(store: &dyn BlobStore, content: &[u8]) -> (SessionId, Digest) {
    let (session, digest) = (SessionId::random(), Digest::sha256(content));
    stage(store, session, 0, content).await;
    store
        .publish(session, content.len() as u64, &digest)
        .await
        .unwrap();
    (session, digest)
}

#[allow(clippy::unwrap_used)]
async fn collect(stream: ByteStream) -> Vec<u8> {
    stream.try_collect::<Vec<Bytes>>().await.unwrap().concat()
}

#[allow(clippy::unwrap_used)]
async fn read(store: &dyn BlobStore, digest: &Digest) -> Option<Vec<u8>> {
    let blob = store.open(digest).await.unwrap()?;
    let size = blob.size();
    let bytes = collect(blob.read(0..size)).await;
    assert_eq!(bytes.len() as u64, size);
    Some(bytes)
}

/// The error says how many bytes there are.
fn assert_missing<T>(result: Result<T, BlobError>, session: SessionId, has: u64, needs: u64) {
    match result.err() {
        Some(BlobError::StagedBytesMissing {
            session: named,
            expected,
            found,
        }) => {
            assert_eq!((named, expected, found), (session, needs, has));
        }
        other => assert!(
            other.is_none() && has == needs,
            "bytes were not missed: {other:?}"
        ),
    }
}

#[allow(clippy::unwrap_used)]
async fn what_is_published_can_be_read(store: &dyn BlobStore) {
    for length in [0, 1, 262_143, 262_144, 262_145, 1_000_000] {
        let content = content(1, length);
        for algorithm in Algorithm::ALL {
            let (session, digest) = (SessionId::random(), Digest::of(algorithm, &content));
            assert_eq!(read(store, &digest).await, None);
            stage(store, session, 0, &content).await;
            store
                .publish(session, content.len() as u64, &digest)
                .await
                .unwrap();
            store.discard(session).await.unwrap();
            assert!(
                read(store, &digest).await.unwrap() == content,
                "{length} bytes differ"
            );
        }
    }
}

#[allow(clippy::unwrap_used)]
async fn nothing_is_seen_before_it_is_published(store: &dyn BlobStore) {
    let content = content(2, 1000);
    let digest = Digest::sha256(&content);
    let session = SessionId::random();
    stage(store, session, 0, &content).await;
    assert!(store.open(&digest).await.unwrap().is_none());
    store.discard(session).await.unwrap();
    assert!(store.open(&digest).await.unwrap().is_none());
}

#[allow(clippy::unwrap_used)]
async fn what_was_not_acknowledged_is_cut_off(store: &dyn BlobStore) {
    let session = SessionId::random();
    stage(store, session, 0, b"kept, lost").await;
    stage(store, session, 6, b"new").await;
    assert_eq!(
        collect(store.read_staged(session, 9).await.unwrap()).await,
        b"kept, new"
    );
    assert_eq!(
        collect(store.read_staged(session, 4).await.unwrap()).await,
        b"kept"
    );
    assert_eq!(
        collect(store.read_staged(session, 0).await.unwrap()).await,
        b""
    );
    stage(store, session, 0, b"").await;
    assert_missing(store.read_staged(session, 1).await, session, 0, 1);
    store.discard(session).await.unwrap();
}

#[allow(clippy::unwrap_used)]
async fn staged_bytes_must_be_there(store: &dyn BlobStore) {
    let session = SessionId::random();
    assert_missing(store.stage(session, 1).await, session, 0, 1);
    assert_missing(store.read_staged(session, 1).await, session, 0, 1);
    assert_missing(
        store.publish(session, 1, &Digest::sha256(b"x")).await,
        session,
        0,
        1,
    );
    assert!(!store.staged().await.unwrap().contains(&session));
    stage(store, session, 0, b"four").await;
    assert_missing(store.stage(session, 5).await, session, 4, 5);
    assert_missing(store.read_staged(session, 5).await, session, 4, 5);
    assert_eq!(
        collect(store.read_staged(session, 4).await.unwrap()).await,
        b"four"
    );
    store.discard(session).await.unwrap();
}

#[allow(clippy::unwrap_used)]
async fn publishing_needs_the_exact_length(store: &dyn BlobStore) {
    let (session, digest) = (SessionId::random(), Digest::sha256(b"exact"));
    stage(store, session, 0, b"exact").await;
    assert_missing(store.publish(session, 6, &digest).await, session, 5, 6);
    assert_missing(store.publish(session, 4, &digest).await, session, 5, 4);
    assert_eq!(read(store, &digest).await, None);
    store.publish(session, 5, &digest).await.unwrap();
    assert_eq!(read(store, &digest).await.unwrap(), b"exact");
}

#[allow(clippy::unwrap_used)]
async fn publishing_can_be_repeated(store: &dyn BlobStore) {
    let content = content(3, 1000);
    let (session, digest) = publish(store, &content).await;
    store.publish(session, 1000, &digest).await.unwrap();
    let (other, _) = publish(store, &content).await;
    for session in [session, other] {
        store.discard(session).await.unwrap();
        assert_eq!(read(store, &digest).await.unwrap(), content);
    }
}

#[allow(clippy::unwrap_used)]
async fn a_damaged_blob_is_replaced(store: &dyn BlobStore, open_blobs: OpenBlobs) {
    let digest = Digest::sha256(b"as it should be");
    for damage in [&b"as it should"[..], b"as it might be.", b""] {
        let damaged = SessionId::random();
        stage(store, damaged, 0, damage).await;
        let length = damage.len() as u64;
        store.publish(damaged, length, &digest).await.unwrap();
        assert_eq!(read(store, &digest).await.unwrap(), damage);
        let being_read = store.open(&digest).await.unwrap().unwrap();
        let (whole, _) = publish(store, b"as it should be").await;
        assert_eq!(read(store, &digest).await.unwrap(), b"as it should be");
        open_blobs.check(being_read.read(0..length), damage).await;
        // What was done last can be repeated.
        store.publish(whole, 15, &digest).await.unwrap();
        assert_eq!(read(store, &digest).await.unwrap(), b"as it should be");
        store.discard(damaged).await.unwrap();
        store.discard(whole).await.unwrap();
    }
}

#[allow(clippy::unwrap_used)]
async fn a_published_blob_never_changes(store: &dyn BlobStore) {
    let content = content(4, 1000);
    let (session, digest) = publish(store, &content).await;
    // Nobody should go on with such a session. If somebody does, the blob must not suffer.
    stage(store, session, 500, b"other").await;
    assert_eq!(read(store, &digest).await.unwrap(), content);
    let staged = collect(store.read_staged(session, 505).await.unwrap()).await;
    assert_eq!(staged, [&content[..500], b"other"].concat());
    stage(store, session, 0, b"").await;
    assert_eq!(read(store, &digest).await.unwrap(), content);
}

#[allow(clippy::unwrap_used)]
async fn the_empty_blob_needs_no_staging(store: &dyn BlobStore) {
    let (session, digest) = (SessionId::random(), Digest::of(Algorithm::Sha512, b""));
    let digests = [digest.clone()];
    store.delete(&digests).await.unwrap();
    store.publish(session, 0, &digest).await.unwrap();
    assert_eq!(read(store, &digest).await.unwrap(), b"");
    store.discard(session).await.unwrap();
}

#[allow(clippy::unwrap_used)]
async fn any_range_can_be_read(store: &dyn BlobStore) {
    const LENGTH: usize = 600_000;
    let content = content(5, LENGTH);
    let (_, digest) = publish(store, &content).await;
    let ranges: [Range<usize>; 8] = [
        0..0,
        0..1,
        LENGTH..LENGTH,
        LENGTH - 1..LENGTH,
        262_143..262_145,
        100_000..500_000,
        262_144..524_288,
        0..LENGTH,
    ];
    for range in ranges {
        let blob = store.open(&digest).await.unwrap().unwrap();
        let bytes = collect(blob.read(range.start as u64..range.end as u64)).await;
        assert!(bytes == content[range.clone()], "{range:?} differs");
    }
    let blob = store.open(&digest).await.unwrap().unwrap();
    if let Some(file) = blob.file() {
        let mut bytes = Vec::new();
        (&*file).read_to_end(&mut bytes).unwrap();
        assert!(bytes == content, "the file differs");
    }
}

#[allow(clippy::unwrap_used)]
async fn an_open_blob_survives_its_deletion(store: &dyn BlobStore, open_blobs: OpenBlobs) {
    let content = content(6, 1_000_000);
    let (session, digest) = publish(store, &content).await;
    store.discard(session).await.unwrap();
    let blob = store.open(&digest).await.unwrap().unwrap();
    let digests = [digest.clone()];
    assert_eq!(store.delete(&digests).await.unwrap(), 1);
    assert_eq!(store.delete(&digests).await.unwrap(), 0);
    assert!(store.open(&digest).await.unwrap().is_none());
    open_blobs.check(blob.read(0..1_000_000), &content).await;
}

#[allow(clippy::unwrap_used)]
async fn blobs_are_listed_until_deleted(store: &dyn BlobStore) {
    let contents = [7, 8, 9].map(|seed| content(seed, 100));
    let mut digests = Vec::new();
    for content in &contents {
        digests.push(publish(store, content).await.1);
    }
    let staged = SessionId::random();
    stage(store, staged, 0, b"no blob yet").await;
    let listed = listed(store).await;
    assert!(digests.iter().all(|digest| listed.contains(digest)));
    for digest in &listed {
        assert!(store.open(digest).await.unwrap().is_some());
    }
    let nowhere = Digest::sha256(b"was never published");
    let gone = [digests[0].clone(), nowhere, digests[2].clone()];
    assert_eq!(store.delete(&gone).await.unwrap(), 2);
    let rest = self::listed(store).await;
    assert_eq!(rest.len() + 2, listed.len());
    assert!(rest.contains(&digests[1]));
}

#[allow(clippy::unwrap_used)]
async fn listed(store: &dyn BlobStore) -> HashSet<Digest> {
    let batches: Vec<Vec<Digest>> = store.list().try_collect().await.unwrap();
    let all: Vec<Digest> = batches.concat();
    let set: HashSet<Digest> = all.iter().cloned().collect();
    assert_eq!(set.len(), all.len(), "a blob was listed twice");
    set
}

#[allow(clippy::unwrap_used)]
async fn what_is_quarantined_is_gone_until_published_again(
    store: &dyn BlobStore,
    open_blobs: OpenBlobs,
) {
    let content = content(7, 1000);
    // Twice: the second time, there are bytes of this digest in quarantine.
    for _ in 0..2 {
        let (session, digest) = publish(store, &content).await;
        store.discard(session).await.unwrap();
        let blob = store.open(&digest).await.unwrap().unwrap();
        let identity = blob.identity();
        assert!(store.quarantine(&digest, &identity).await.unwrap());
        assert!(store.open(&digest).await.unwrap().is_none());
        assert!(!store.quarantine(&digest, &identity).await.unwrap());
        assert_eq!(store.delete(&[digest]).await.unwrap(), 0);
        open_blobs.check(blob.read(0..1000), &content).await;
    }
    let (_, digest) = publish(store, &content).await;
    assert!(read(store, &digest).await.unwrap() == content);
}

#[allow(clippy::unwrap_used)]
async fn only_the_bytes_that_were_read_are_quarantined(store: &dyn BlobStore) {
    let digest = Digest::sha256(b"replaced while it was read");
    let damaged = SessionId::random();
    stage(store, damaged, 0, b"replaced").await;
    store.publish(damaged, 8, &digest).await.unwrap();
    store.discard(damaged).await.unwrap();
    let replaced = store.open(&digest).await.unwrap().unwrap().identity();
    publish(store, b"replaced while it was read").await;
    assert!(!store.quarantine(&digest, &replaced).await.unwrap());
    let other = content(8, 10);
    let (_, other) = publish(store, &other).await;
    let other = store.open(&other).await.unwrap().unwrap().identity();
    assert!(!store.quarantine(&digest, &other).await.unwrap());
    let read = read(store, &digest).await.unwrap();
    assert_eq!(read, b"replaced while it was read");
}

#[allow(clippy::unwrap_used)]
async fn staging_areas_are_listed_until_discarded(store: &dyn BlobStore) {
    let session = SessionId::random();
    store.discard(session).await.unwrap();
    drop(store.stage(session, 0).await.unwrap());
    assert!(store.staged().await.unwrap().contains(&session));
    store.discard(session).await.unwrap();
    assert!(!store.staged().await.unwrap().contains(&session));
}
