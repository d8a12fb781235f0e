//! What is particular to the folder.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use berth_blob::{BlobError, BlobReader, BlobStore, FilesystemBlobs, MemoryBlobs};
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::TryStreamExt;
use proptest::prelude::*;

async fn publish(store: &dyn BlobStore, content: &'static [u8]) -> (SessionId, Digest) {
    let (session, digest) = (SessionId::random(), Digest::sha256(content));
    let mut writer = store.stage(session, 0).await.unwrap();
    writer
        .write(vec![Bytes::from_static(content)])
        .await
        .unwrap();
    writer.sync().await.unwrap();
    store
        .publish(session, content.len() as u64, &digest)
        .await
        .unwrap();
    (session, digest)
}

fn plain(digest: &Digest) -> BlobName {
    BlobName::from(digest)
}

async fn staged(store: &dyn BlobStore) -> Vec<SessionId> {
    let staged = store.staged().await.unwrap().into_iter();
    staged.map(|staged| staged.session).collect()
}

fn path_of(root: &Path, digest: &Digest) -> std::path::PathBuf {
    root.join("blobs/sha256")
        .join(&digest.hex()[..2])
        .join(digest.hex())
}

#[tokio::test]
async fn files_are_where_the_documentation_says_and_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    let (session, digest) = publish(&store, b"content").await;
    assert_eq!(
        fs::read(path_of(folder.path(), &digest)).unwrap(),
        b"content"
    );
    assert!(
        folder
            .path()
            .join("uploads")
            .join(session.to_string())
            .is_file()
    );
    drop(store);
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    assert_eq!(staged(&store).await, [session]);
    assert_eq!(
        store.open(&plain(&digest)).await.unwrap().unwrap().size(),
        7
    );
}

#[tokio::test]
async fn what_a_crash_left_half_copied_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    drop(FilesystemBlobs::open(folder.path()).unwrap());
    let leftover = folder
        .path()
        .join(format!("uploads/{}.temporary", SessionId::random()));
    fs::write(&leftover, b"half").unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    assert!(!leftover.exists());
    assert_eq!(staged(&store).await, []);
}

#[tokio::test]
async fn files_that_are_no_sessions_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    let note = folder.path().join("uploads/README");
    fs::write(&note, b"note").unwrap();
    assert_eq!(staged(&store).await, []);
    drop(store);
    drop(FilesystemBlobs::open(folder.path()).unwrap());
    assert!(note.exists());
}

#[tokio::test]
async fn a_blob_that_was_cut_short_while_open_is_an_error_not_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    let (_, digest) = publish(&store, b"content").await;
    let blob = store.open(&plain(&digest)).await.unwrap().unwrap();
    let path = path_of(folder.path(), &digest);
    allow_writing(&path);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(3).unwrap();
    let read = blob.read(0..7).try_collect::<Vec<Bytes>>().await;
    assert!(matches!(read, Err(BlobError::Truncated)), "{read:?}");
}

#[tokio::test]
async fn what_is_quarantined_keeps_its_bytes_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    assert!(!folder.path().join("quarantine").exists());
    let mut digests = Vec::new();
    for damaged in [b"contempt", b"contests"] {
        let (session, digest) = publish(&store, b"contents").await;
        store.discard(session).await.unwrap();
        let path = path_of(folder.path(), &digest);
        allow_writing(&path);
        fs::write(path, damaged).unwrap();
        let blob = store.open(&plain(&digest)).await.unwrap().unwrap();
        assert!(
            store
                .quarantine(&plain(&digest), &blob.identity())
                .await
                .unwrap()
        );
        assert!(!path_of(folder.path(), &digest).exists());
        digests.push(digest);
    }
    let quarantined = |number| {
        let name = format!("quarantine/sha256-{}.{number}", digests[0].hex());
        fs::read(folder.path().join(name)).unwrap()
    };
    assert_eq!(quarantined(1), b"contempt");
    assert_eq!(quarantined(2), b"contests");
}

/// While a file is judged, good bytes may take its place. They must stay there.
#[test]
fn what_is_published_while_another_file_is_quarantined_stays() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(FilesystemBlobs::open(folder.path()).unwrap());
        let digest = Digest::sha256(b"content");
        let path = path_of(folder.path(), &digest);
        let good = SessionId::random();
        let mut writer = store.stage(good, 0).await.unwrap();
        let content = vec![Bytes::from_static(b"content")];
        writer.write(content).await.unwrap();
        for _ in 0..300 {
            allow_writing(&path);
            fs::write(&path, b"cut").unwrap();
            let damaged = store
                .open(&plain(&digest))
                .await
                .unwrap()
                .unwrap()
                .identity();
            let quarantining = {
                let (store, digest) = (Arc::clone(&store), digest.clone());
                tokio::spawn(async move { store.quarantine(&plain(&digest), &damaged).await })
            };
            store.publish(good, 7, &digest).await.unwrap();
            quarantining.await.unwrap().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"content");
            store.delete(&[plain(&digest)]).await.unwrap();
        }
    });
}

#[tokio::test]
async fn reading_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemBlobs::for_reading(folder.path());
    let digest = Digest::sha256(b"content");
    assert!(store.open(&plain(&digest)).await.unwrap().is_none());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    publish(&FilesystemBlobs::open(folder.path()).unwrap(), b"content").await;
    assert_eq!(
        store.open(&plain(&digest)).await.unwrap().unwrap().size(),
        7
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("blobs"), b"a file").unwrap();
    assert!(FilesystemBlobs::open(folder.path()).is_err());
}

#[tokio::test]
async fn reading_reads_one_piece_ahead_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    let content: &'static [u8] = vec![7; 10 * 256 * 1024].leak();
    let (_, digest) = publish(&store, content).await;
    let mut stream = store
        .open(&plain(&digest))
        .await
        .unwrap()
        .unwrap()
        .read(0..content.len() as u64);
    stream.try_next().await.unwrap();
    // Cut behind what may have been read: two pieces. The third must still be unread.
    let path = path_of(folder.path(), &digest);
    allow_writing(&path);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(2 * 256 * 1024).unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    assert!(matches!(stream.try_next().await, Err(BlobError::Truncated)));
    assert!(
        stream.try_next().await.unwrap().is_none(),
        "the stream went on after an error"
    );
}

/// What may be done to a store; sessions and contents are few, so that they collide.
#[derive(Clone, Debug)]
enum Step {
    Append {
        session: usize,
        offset: u64,
        content: Vec<u8>,
    },
    Publish {
        session: usize,
        length: u64,
        digest: u8,
    },
    Discard {
        session: usize,
    },
    Delete {
        digest: u8,
    },
    Quarantine {
        digest: u8,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let session = || 0..3_usize;
    prop_oneof![
        4 => (session(), 0..6_u64, prop::collection::vec(any::<u8>(), 0..4))
            .prop_map(|(session, offset, content)| Step::Append { session, offset, content }),
        3 => (session(), 0..6_u64, 0..3_u8)
            .prop_map(|(session, length, digest)| Step::Publish { session, length, digest }),
        1 => session().prop_map(|session| Step::Discard { session }),
        1 => (0..3_u8).prop_map(|digest| Step::Delete { digest }),
        1 => (0..3_u8).prop_map(|digest| Step::Quarantine { digest }),
        1 => Just(Step::Reopen),
    ]
}

fn digest_of(number: u8) -> Digest {
    Digest::sha256(&[number])
}

/// What a step answers, in a form that can be compared.
async fn take(store: &dyn BlobStore, sessions: &[SessionId], step: &Step) -> String {
    let outcome = match step {
        Step::Append {
            session,
            offset,
            content,
        } => append(store, sessions[*session], *offset, content).await,
        Step::Publish {
            session,
            length,
            digest,
        } => store
            .publish(sessions[*session], *length, &digest_of(*digest))
            .await
            .map(drop),
        Step::Discard { session } => store.discard(sessions[*session]).await,
        Step::Delete { digest } => {
            return format!("{:?}", store.delete(&[plain(&digest_of(*digest))]).await);
        }
        Step::Quarantine { digest } => {
            let digest = digest_of(*digest);
            let Some(blob) = store.open(&plain(&digest)).await.unwrap() else {
                return String::new();
            };
            let moved = store.quarantine(&plain(&digest), &blob.identity()).await;
            return format!("{moved:?}");
        }
        Step::Reopen => Ok(()),
    };
    format!("{outcome:?}")
}

async fn append(
    store: &dyn BlobStore,
    session: SessionId,
    offset: u64,
    content: &[u8],
) -> Result<(), BlobError> {
    let mut writer = store.stage(session, offset).await?;
    writer.write(vec![Bytes::copy_from_slice(content)]).await?;
    writer.sync().await
}

/// All that can be seen of a store.
async fn view(store: &dyn BlobStore, sessions: &[SessionId]) -> Vec<Option<Vec<u8>>> {
    let mut seen = Vec::new();
    for digest in 0..3 {
        let blob: Option<Box<dyn BlobReader>> =
            store.open(&plain(&digest_of(digest))).await.unwrap();
        seen.push(match blob {
            Some(blob) => {
                let size = blob.size();
                Some(
                    blob.read(0..size)
                        .try_collect::<Vec<Bytes>>()
                        .await
                        .unwrap()
                        .concat(),
                )
            }
            None => None,
        });
    }
    let mut staged = staged(store).await;
    staged.sort();
    for session in sessions {
        seen.push(staged.contains(session).then(Vec::new));
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_folder_does_what_memory_does(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut filesystem = FilesystemBlobs::open(folder.path()).unwrap();
            let memory = MemoryBlobs::default();
            let sessions = [(); 3].map(|()| SessionId::random());
            for step in steps {
                if matches!(step, Step::Reopen) {
                    filesystem = FilesystemBlobs::open(folder.path()).unwrap();
                }
                let expected = take(&memory, &sessions, &step).await;
                prop_assert_eq!(take(&filesystem, &sessions, &step).await, expected, "{:?}", step);
                prop_assert_eq!(view(&filesystem, &sessions).await, view(&memory, &sessions).await, "{:?}", step);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn folders_that_a_power_cut_took_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(FilesystemBlobs::open(folder.path()).unwrap());
    let digest = Digest::sha256(b"content");
    let lost = format!("blobs/sha256/{}", &digest.hex()[..2]);
    fs::remove_dir(folder.path().join(lost)).unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    let (_, published) = publish(&store, b"content").await;
    assert_eq!(published, digest);
}

/// After a crash between publishing and the answer, the client sends the last `PUT` again.
#[tokio::test]
async fn a_blob_that_was_replaced_is_read_to_its_end_whatever_its_session_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    let (session, digest) = publish(&store, b"content").await;
    let being_read = store.open(&plain(&digest)).await.unwrap().unwrap();
    // Now the file has no other name than that of its session.
    publish(&store, b"content").await;
    for offset in [7, 3, 0] {
        let mut writer = store.stage(session, offset).await.unwrap();
        writer.write(vec![Bytes::from_static(b"!")]).await.unwrap();
        writer.sync().await.unwrap();
    }
    let read: Vec<Bytes> = being_read.read(0..7).try_collect().await.unwrap();
    assert_eq!(read.concat(), b"content");
}

#[tokio::test]
async fn a_published_session_is_copied_only_if_something_is_appended() {
    let folder = tempfile::tempdir().unwrap();
    let store = FilesystemBlobs::open(folder.path()).unwrap();
    let (session, digest) = publish(&store, b"content").await;
    let staged = folder.path().join(format!("uploads/{session}"));
    let names = || fs::metadata(&staged).unwrap().nlink();
    store.stage(session, 7).await.unwrap().sync().await.unwrap();
    store.publish(session, 7, &digest).await.unwrap();
    assert_eq!(names(), 2);
    let mut writer = store.stage(session, 7).await.unwrap();
    writer.write(vec![Bytes::from_static(b"!")]).await.unwrap();
    assert_eq!(names(), 1);
    assert_eq!(fs::read(&staged).unwrap(), b"content!");
}

/// Files of blobs are read-only.
fn allow_writing(path: &Path) {
    if path.exists() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
}
