//! What happens to upload sessions, whatever bucket they are in.

use berth_blob::BlobStore;
use berth_object::ObjectBlobs;
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::TryStreamExt;

use super::{PART, append, content, read};

fn part() -> usize {
    usize::try_from(PART).unwrap()
}

pub(crate) async fn read_staged(
    blobs: &dyn BlobStore,
    session: SessionId,
    length: usize,
) -> Vec<u8> {
    let bytes = blobs.read_staged(session, length as u64).await.unwrap();
    bytes.try_collect::<Vec<Bytes>>().await.unwrap().concat()
}

/// Each step by a process that knows nothing of the others. Answers the session, which stays, and its blob.
pub(crate) async fn another_process_goes_on(
    replica: impl Fn() -> ObjectBlobs,
) -> (SessionId, BlobName) {
    let part = part();
    let whole = content(1, 3 * part + 12_345);
    let session = SessionId::random();
    // In no part yet, in the middle of one, at the end of one, and behind that.
    let ends = [1, part / 2, part + 7, 2 * part, 2 * part + 1, whole.len()];
    let mut start = 0;
    for end in ends {
        let chunk = whole.slice(start..end);
        append(&replica(), session, start as u64, &chunk)
            .await
            .unwrap();
        start = end;
    }
    let staged = replica().staged().await.unwrap();
    assert_eq!((staged.len(), staged[0].session), (1, session));
    let digest = Digest::sha256(&whole);
    let length = whole.len() as u64;
    let first = replica().publish(session, length, &digest).await.unwrap();
    assert!(read(&replica(), &first).await.unwrap() == whole);
    // Done again, by a process that knows nothing of it.
    let again = replica().publish(session, length, &digest).await.unwrap();
    assert_eq!(replica().delete(&[first]).await.unwrap(), 1);
    assert!(read(&replica(), &again).await.unwrap() == whole);
    (session, again)
}

/// A session is cut at the end of parts and within them, and nothing is left of it.
pub(crate) async fn parts_are_cut(blobs: &ObjectBlobs) {
    let part = part();
    let session = SessionId::random();
    append(blobs, session, 0, &content(2, 2 * part + 100))
        .await
        .unwrap();
    for offset in [2 * part + 50, 2 * part, part + 1, part, 10, 0] {
        let (kept, more) = (content(2, offset), content(3, part / 2));
        append(blobs, session, offset as u64, &more).await.unwrap();
        let expected = [&kept[..], &more].concat();
        // This makes an object of the parts, to which nothing can be appended.
        assert!(
            read_staged(blobs, session, expected.len()).await == expected,
            "{offset}"
        );
    }
    blobs.discard(session).await.unwrap();
}

/// A writer sends parts and is gone, and another process goes on with what was synced.
pub(crate) async fn a_crash_leaves_parts(replica: impl Fn() -> ObjectBlobs) {
    let part = part();
    let session = SessionId::random();
    for kept in [0, 100, part + 100] {
        let blobs = replica();
        let kept = content(4, kept);
        append(&blobs, session, 0, &kept).await.unwrap();
        let mut crashing = blobs.stage(session, kept.len() as u64).await.unwrap();
        crashing.write(vec![content(5, 4 * part)]).await.unwrap();
        drop(crashing);
        let blobs = replica();
        let more = content(6, part + 5);
        append(&blobs, session, kept.len() as u64, &more)
            .await
            .unwrap();
        let whole = Bytes::from([&kept[..], &more].concat());
        let digest = Digest::sha256(&whole);
        let length = whole.len() as u64;
        let name = blobs.publish(session, length, &digest).await.unwrap();
        assert!(read(&blobs, &name).await.unwrap() == whole);
        blobs.discard(session).await.unwrap();
    }
}

/// A writer syncs after another process has.
pub(crate) async fn a_lost_session_is_safe(lost: &ObjectBlobs, owner: &ObjectBlobs) {
    for kept in [10, part() + 10] {
        let session = SessionId::random();
        let kept = content(7, kept);
        append(lost, session, 0, &kept).await.unwrap();
        let offset = kept.len() as u64;
        let mut late = lost.stage(session, offset).await.unwrap();
        let others = content(8, 1000);
        late.write(vec![others]).await.unwrap();
        let more = content(9, 1000);
        append(owner, session, offset, &more).await.unwrap();
        let refused = late.sync().await.unwrap_err();
        assert!(refused.to_string().contains("another writer"), "{refused}");
        let whole = [&kept[..], &more].concat();
        assert!(read_staged(owner, session, whole.len()).await == whole);
        owner.discard(session).await.unwrap();
    }
}
