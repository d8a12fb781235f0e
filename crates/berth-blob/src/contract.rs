//! The contract of [`BlobStore`], as tests that every implementation runs.

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use berth_spec::{Algorithm, BlobName, Digest, Generation, SessionId};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};

use crate::{BlobError, BlobStore, ByteStream, Listed, begun};

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
    all_but_damage(store, open_blobs).await;
    a_damaged_blob_is_replaced(store, open_blobs).await;
}

/// Runs the suite but for what becomes of damaged blobs. The store must be empty.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn all_but_damage(store: &dyn BlobStore, open_blobs: OpenBlobs) {
    what_is_published_can_be_read(store).await;
    nothing_is_seen_before_it_is_published(store).await;
    what_was_not_acknowledged_is_cut_off(store).await;
    staged_bytes_must_be_there(store).await;
    publishing_needs_the_exact_length(store).await;
    publishing_can_be_repeated(store).await;
    a_published_blob_never_changes(store).await;
    the_empty_blob_needs_no_staging(store).await;
    any_range_can_be_read(store).await;
    an_open_blob_survives_its_deletion(store, open_blobs).await;
    blobs_are_listed_until_deleted(store).await;
    what_is_quarantined_is_gone_until_published_again(store, open_blobs).await;
    only_the_bytes_that_were_read_are_quarantined(store).await;
    staging_areas_are_listed_until_discarded(store).await;
    a_generation_that_was_never_published_is_nowhere(store).await;
    a_name_with_a_generation_is_written_once(store).await;
    what_is_known_is_read_or_told_before_its_first_byte(store).await;
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
async fn publish(store: &dyn BlobStore, content: &[u8]) -> (SessionId, BlobName) {
    let session = SessionId::random();
    stage(store, session, 0, content).await;
    let digest = Digest::sha256(content);
    (session, name(store, session, content.len(), &digest).await)
}

/// Publishes what is staged, and checks that the name is of this digest.
#[allow(clippy::unwrap_used)]
async fn name(
    store: &dyn BlobStore,
    session: SessionId,
    length: usize,
    digest: &Digest,
) -> BlobName {
    let name = store.publish(session, length as u64, digest).await.unwrap();
    assert_eq!(name.digest, *digest);
    name
}

#[allow(clippy::unwrap_used)]
async fn collect(stream: ByteStream) -> Vec<u8> {
    stream.try_collect::<Vec<Bytes>>().await.unwrap().concat()
}

#[allow(clippy::unwrap_used)]
async fn read(store: &dyn BlobStore, name: &BlobName) -> Option<Vec<u8>> {
    let blob = store.open(name).await.unwrap()?;
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
            assert_eq!(read(store, &BlobName::from(&digest)).await, None);
            stage(store, session, 0, &content).await;
            let name = name(store, session, content.len(), &digest).await;
            store.discard(session).await.unwrap();
            assert!(
                read(store, &name).await.unwrap() == content,
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
    assert_unseen(store, &digest).await;
    store.discard(session).await.unwrap();
    assert_unseen(store, &digest).await;
}

#[allow(clippy::unwrap_used)]
async fn assert_unseen(store: &dyn BlobStore, digest: &Digest) {
    assert!(store.open(&digest.into()).await.unwrap().is_none());
    let listed = listed(store).await;
    assert!(listed.iter().all(|name| name.digest != *digest));
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
    assert!(!is_staged(store, session).await);
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
    assert_unseen(store, &digest).await;
    let name = name(store, session, 5, &digest).await;
    assert_eq!(read(store, &name).await.unwrap(), b"exact");
}

#[allow(clippy::unwrap_used)]
async fn publishing_can_be_repeated(store: &dyn BlobStore) {
    let content = content(3, 1000);
    let (session, first) = publish(store, &content).await;
    let again = name(store, session, 1000, &first.digest).await;
    let (other, last) = publish(store, &content).await;
    for session in [session, other] {
        store.discard(session).await.unwrap();
        for name in [&first, &again, &last] {
            assert_eq!(read(store, name).await.unwrap(), content);
        }
    }
}

#[allow(clippy::unwrap_used)]
async fn a_damaged_blob_is_replaced(store: &dyn BlobStore, open_blobs: OpenBlobs) {
    let digest = Digest::sha256(b"as it should be");
    for damage in [&b"as it should"[..], b"as it might be.", b""] {
        let damaged = SessionId::random();
        stage(store, damaged, 0, damage).await;
        let damaged_name = name(store, damaged, damage.len(), &digest).await;
        assert_eq!(read(store, &damaged_name).await.unwrap(), damage);
        let being_read = store.open(&damaged_name).await.unwrap().unwrap();
        let (whole, name) = publish(store, b"as it should be").await;
        assert_eq!(read(store, &name).await.unwrap(), b"as it should be");
        let length = damage.len() as u64;
        open_blobs.check(being_read.read(0..length), damage).await;
        // What was done last can be repeated.
        let again = self::name(store, whole, 15, &digest).await;
        assert_eq!(read(store, &again).await.unwrap(), b"as it should be");
        store.discard(damaged).await.unwrap();
        store.discard(whole).await.unwrap();
    }
}

/// Runs the suite of damaged blobs over a store that checks what it reads: they are not read to their end, not even if bytes
/// of the same digest that were right have been read before.
///
/// # Panics
/// When the implementation breaks the contract.
#[allow(clippy::unwrap_used)]
pub async fn a_damaged_blob_is_not_read_to_its_end(store: &dyn BlobStore) {
    let digest = Digest::sha256(b"as it should be");
    for damage in [&b"as it should"[..], b"as it might be.", b""] {
        let damaged = SessionId::random();
        stage(store, damaged, 0, damage).await;
        let damaged_name = name(store, damaged, damage.len(), &digest).await;
        let blob = store.open(&damaged_name).await.unwrap().unwrap();
        let size = blob.size();
        match blob.read(0..size).try_collect::<Vec<Bytes>>().await {
            Ok(pieces) => assert_eq!(pieces.concat(), b"as it should be"),
            Err(error) => assert!(matches!(error, BlobError::Corrupt), "{error}"),
        }
        let (whole, name) = publish(store, b"as it should be").await;
        assert_eq!(read(store, &name).await.unwrap(), b"as it should be");
        store.discard(damaged).await.unwrap();
        store.discard(whole).await.unwrap();
    }
}

#[allow(clippy::unwrap_used)]
async fn a_published_blob_never_changes(store: &dyn BlobStore) {
    let content = content(4, 1000);
    let (session, name) = publish(store, &content).await;
    // Nobody should go on with such a session. If somebody does, the blob must not suffer.
    stage(store, session, 500, b"other").await;
    assert_eq!(read(store, &name).await.unwrap(), content);
    let staged = collect(store.read_staged(session, 505).await.unwrap()).await;
    assert_eq!(staged, [&content[..500], b"other"].concat());
    stage(store, session, 0, b"").await;
    assert_eq!(read(store, &name).await.unwrap(), content);
}

#[allow(clippy::unwrap_used)]
async fn the_empty_blob_needs_no_staging(store: &dyn BlobStore) {
    let (session, digest) = (SessionId::random(), Digest::of(Algorithm::Sha512, b""));
    store.delete(&[BlobName::from(&digest)]).await.unwrap();
    let name = name(store, session, 0, &digest).await;
    assert_eq!(read(store, &name).await.unwrap(), b"");
    store.discard(session).await.unwrap();
}

#[allow(clippy::unwrap_used)]
async fn any_range_can_be_read(store: &dyn BlobStore) {
    const LENGTH: usize = 600_000;
    let content = content(5, LENGTH);
    let (_, name) = publish(store, &content).await;
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
        let blob = store.open(&name).await.unwrap().unwrap();
        let bytes = collect(blob.read(range.start as u64..range.end as u64)).await;
        assert!(bytes == content[range.clone()], "{range:?} differs");
    }
    let blob = store.open(&name).await.unwrap().unwrap();
    if let Some(file) = blob.file() {
        let mut bytes = Vec::new();
        (&*file).read_to_end(&mut bytes).unwrap();
        assert!(bytes == content, "the file differs");
    }
}

#[allow(clippy::unwrap_used)]
async fn an_open_blob_survives_its_deletion(store: &dyn BlobStore, open_blobs: OpenBlobs) {
    let content = content(6, 1_000_000);
    let (session, name) = publish(store, &content).await;
    store.discard(session).await.unwrap();
    let blob = store.open(&name).await.unwrap().unwrap();
    let names = [name.clone()];
    assert_eq!(store.delete(&names).await.unwrap(), 1);
    assert_eq!(store.delete(&names).await.unwrap(), 0);
    assert!(store.open(&name).await.unwrap().is_none());
    open_blobs.check(blob.read(0..1_000_000), &content).await;
}

#[allow(clippy::unwrap_used)]
async fn blobs_are_listed_until_deleted(store: &dyn BlobStore) {
    let contents = [7, 8, 9].map(|seed| content(seed, 100));
    let mut names = Vec::new();
    for content in &contents {
        names.push(publish(store, content).await.1);
    }
    let staged = SessionId::random();
    stage(store, staged, 0, b"no blob yet").await;
    let listed = listed(store).await;
    assert!(names.iter().all(|name| listed.contains(name)));
    for name in &listed {
        assert!(store.open(name).await.unwrap().is_some());
    }
    let nowhere = Digest::sha256(b"was never published").into();
    let gone = [names[0].clone(), nowhere, names[2].clone()];
    assert_eq!(store.delete(&gone).await.unwrap(), 2);
    let rest = self::listed(store).await;
    assert_eq!(rest.len() + 2, listed.len());
    assert!(rest.contains(&names[1]));
}

#[allow(clippy::unwrap_used)]
async fn listed(store: &dyn BlobStore) -> HashSet<BlobName> {
    let batches: Vec<Vec<Listed>> = store.list().try_collect().await.unwrap();
    let all: Vec<Listed> = batches.concat();
    let is_just_now = |listed: &Listed| listed.written_at.is_none_or(is_just_now);
    assert!(all.iter().all(is_just_now));
    let names: HashSet<BlobName> = all.iter().map(|listed| listed.name.clone()).collect();
    assert_eq!(names.len(), all.len(), "a blob was listed twice");
    names
}

/// Whether a store's clock may have said this while the suite ran.
fn is_just_now(time: SystemTime) -> bool {
    let apart = match time.elapsed() {
        Ok(elapsed) => elapsed,
        Err(ahead) => ahead.duration(),
    };
    apart < Duration::from_secs(10 * 60)
}

#[allow(clippy::unwrap_used)]
async fn what_is_quarantined_is_gone_until_published_again(
    store: &dyn BlobStore,
    open_blobs: OpenBlobs,
) {
    let content = content(7, 1000);
    // Twice: the second time, there are bytes of this digest in quarantine.
    for _ in 0..2 {
        let (session, name) = publish(store, &content).await;
        store.discard(session).await.unwrap();
        let blob = store.open(&name).await.unwrap().unwrap();
        let identity = blob.identity();
        assert!(store.quarantine(&name, &identity).await.unwrap());
        assert!(store.open(&name).await.unwrap().is_none());
        assert!(!listed(store).await.contains(&name));
        assert!(!store.quarantine(&name, &identity).await.unwrap());
        assert_eq!(store.delete(&[name]).await.unwrap(), 0);
        open_blobs.check(blob.read(0..1000), &content).await;
    }
    let (_, name) = publish(store, &content).await;
    assert!(read(store, &name).await.unwrap() == content);
}

#[allow(clippy::unwrap_used)]
async fn only_the_bytes_that_were_read_are_quarantined(store: &dyn BlobStore) {
    let digest = Digest::sha256(b"replaced while it was read");
    let damaged = SessionId::random();
    stage(store, damaged, 0, b"replaced").await;
    let damaged_name = name(store, damaged, 8, &digest).await;
    store.discard(damaged).await.unwrap();
    let replaced = store.open(&damaged_name).await.unwrap().unwrap();
    let replaced = replaced.identity();
    let (_, name) = publish(store, b"replaced while it was read").await;
    assert!(!store.quarantine(&name, &replaced).await.unwrap());
    let other = content(8, 10);
    let (_, other) = publish(store, &other).await;
    let other = store.open(&other).await.unwrap().unwrap().identity();
    assert!(!store.quarantine(&name, &other).await.unwrap());
    let read = read(store, &name).await.unwrap();
    assert_eq!(read, b"replaced while it was read");
}

#[allow(clippy::unwrap_used)]
async fn staging_areas_are_listed_until_discarded(store: &dyn BlobStore) {
    let session = SessionId::random();
    store.discard(session).await.unwrap();
    drop(store.stage(session, 0).await.unwrap());
    assert!(is_staged(store, session).await);
    stage(store, session, 0, b"touched").await;
    assert!(is_staged(store, session).await);
    store.discard(session).await.unwrap();
    assert!(!is_staged(store, session).await);
}

#[allow(clippy::unwrap_used)]
async fn is_staged(store: &dyn BlobStore, session: SessionId) -> bool {
    let staged = store.staged().await.unwrap();
    let is_touched_now = |touched_at: Option<SystemTime>| touched_at.is_none_or(is_just_now);
    assert!(
        staged
            .iter()
            .all(|staged| is_touched_now(staged.touched_at))
    );
    staged.iter().any(|staged| staged.session == session)
}

/// Also in a store that has no generations: metadata may have come from one that does.
#[allow(clippy::unwrap_used)]
async fn a_generation_that_was_never_published_is_nowhere(store: &dyn BlobStore) {
    let (_, published) = publish(store, b"of another generation").await;
    let never = BlobName {
        digest: published.digest.clone(),
        generation: Some(Generation::random()),
    };
    assert!(store.open(&never).await.unwrap().is_none());
    let identity = store.open(&published).await.unwrap().unwrap().identity();
    assert!(!store.quarantine(&never, &identity).await.unwrap());
    assert_eq!(store.delete(&[never]).await.unwrap(), 0);
    assert!(read(store, &published).await.is_some());
}

/// A store need not look for what is about to be read, but whoever waits for its beginning hears that it is not there.
#[allow(clippy::unwrap_used)]
async fn what_is_known_is_read_or_told_before_its_first_byte(store: &dyn BlobStore) {
    let content = content(21, 300_000);
    let size = content.len() as u64;
    let (_, name) = publish(store, &content).await;
    for range in [0..size, 7..8, size..size] {
        let blob = store.open_known(&name, size).await.unwrap().unwrap();
        assert_eq!(blob.size(), size);
        let bytes = begun(blob.read(range.clone())).await.unwrap();
        let expected = &content[range.start as usize..range.end as usize];
        assert!(collect(bytes).await == expected, "{range:?} differs");
    }
    // Whoever is wrong about the size is told the right one, or at once that it is another.
    let wrong = store.open_known(&name, size + 1).await.unwrap().unwrap();
    if wrong.size() != size {
        let begun = begun(wrong.read(0..size + 1)).await;
        assert!(matches!(begun, Err(BlobError::Truncated)));
    }
    store.delete(std::slice::from_ref(&name)).await.unwrap();
    if let Some(missing) = store.open_known(&name, size).await.unwrap() {
        let begun = begun(missing.read(0..size)).await;
        assert!(matches!(begun, Err(BlobError::Gone)));
    }
}

/// What removal by whoever is late depends on.
#[allow(clippy::unwrap_used)]
async fn a_name_with_a_generation_is_written_once(store: &dyn BlobStore) {
    let content = content(9, 1000);
    let (session, first) = publish(store, &content).await;
    let again = name(store, session, 1000, &first.digest).await;
    let (_, other) = publish(store, &content).await;
    if first.generation.is_none() {
        assert!(again == first && other == first);
        return;
    }
    let plain = BlobName::from(&first.digest);
    let names = HashSet::from([&plain, &first, &again, &other]);
    assert_eq!(names.len(), 4, "a name was given twice");
    assert_eq!(store.delete(&[plain, first.clone()]).await.unwrap(), 1);
    let being_read = store.open(&again).await.unwrap().unwrap().identity();
    assert!(store.quarantine(&again, &being_read).await.unwrap());
    let (_, last) = publish(store, &content).await;
    let listed = listed(store).await;
    for gone in [&first, &again] {
        assert!(read(store, gone).await.is_none() && !listed.contains(gone));
    }
    for kept in [&other, &last] {
        assert!(read(store, kept).await.unwrap() == content && listed.contains(kept));
    }
}

/// Runs the suite of [`BlobStore::stage_fenced`], over two processes' openings of one store that several may use; or one, if
/// all share it.
///
/// # Panics
/// When an implementation breaks the contract.
pub async fn fenced_staging(one: &dyn BlobStore, other: &dyn BlobStore) {
    // In one piece of memory, and, where there is such a thing, in several parts.
    for length in [10, 3_000_000] {
        whoever_lost_a_session_cuts_nothing(one, other, length).await;
        whoever_lost_a_session_writes_nothing(one, other, length).await;
    }
}

#[allow(clippy::unwrap_used)]
async fn stage_as(
    store: &dyn BlobStore,
    session: SessionId,
    offset: usize,
    fence: u64,
    content: &[u8],
) {
    let writer = store.stage_fenced(session, offset as u64, fence).await;
    let mut writer = writer.unwrap();
    let pieces = vec![Bytes::copy_from_slice(content)];
    writer.write(pieces).await.unwrap();
    writer.sync().await.unwrap();
}

#[allow(clippy::unwrap_used)]
async fn assert_staged(store: &dyn BlobStore, session: SessionId, content: &[u8]) {
    let staged = store.read_staged(session, content.len() as u64).await;
    assert!(collect(staged.unwrap()).await == content);
    store.discard(session).await.unwrap();
}

#[allow(clippy::unwrap_used)]
async fn whoever_lost_a_session_cuts_nothing(
    one: &dyn BlobStore,
    other: &dyn BlobStore,
    length: usize,
) {
    let session = SessionId::random();
    let (first, second) = (content(70, length), content(71, length));
    stage_as(one, session, 0, 1, &first).await;
    stage_as(other, session, length, 7, &second).await;
    let whole = [first, second].concat();
    for offset in [0, 1, length, whole.len()] {
        let late = one.stage_fenced(session, offset as u64, 6).await;
        assert!(
            matches!(late, Err(BlobError::Superseded(lost)) if lost == session),
            "{offset}"
        );
    }
    // Whoever has it goes on, and so does the next.
    let third = content(72, length);
    stage_as(other, session, whole.len(), 7, &third).await;
    let whole = [whole, third].concat();
    let writer = one.stage_fenced(session, whole.len() as u64, 8).await;
    drop(writer.unwrap());
    assert_staged(one, session, &whole).await;
}

#[allow(clippy::unwrap_used)]
async fn whoever_lost_a_session_writes_nothing(
    one: &dyn BlobStore,
    other: &dyn BlobStore,
    length: usize,
) {
    let session = SessionId::random();
    let (first, second) = (content(80, length), content(81, length));
    stage_as(one, session, 0, 1, &first).await;
    let late = one.stage_fenced(session, length as u64, 2).await;
    let mut late = late.unwrap();
    stage_as(other, session, length, 3, &second).await;
    let pieces = vec![Bytes::from(content(82, length))];
    let written = late.write(pieces).await;
    let synced = late.sync().await;
    let is_refused = written.is_err() || synced.is_err();
    assert!(is_refused, "bytes of a lost session were acknowledged");
    drop(late);
    let whole = [first, second].concat();
    let staged = other.read_staged(session, whole.len() as u64).await;
    // It may be spoilt, but is nothing else.
    if let Ok(staged) = staged {
        assert!(collect(staged).await == whole);
    }
    other.discard(session).await.unwrap();
}
