//! The machine against a model: random operations on several sessions, with broken bodies, wrong
//! ranges, wrong digests and restarts in between. After each, the machine and the model agree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use berth_blob::{BlobStore, FilesystemBlobs, MemoryBlobs};
use berth_spec::{Algorithm, Digest, RepositoryName, SessionId};
use berth_upload::{Content, MemorySessionRecords, SessionRecords, UploadError, Uploads};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use proptest::prelude::*;

const SESSIONS: usize = 3;

/// What arrives of a body.
#[derive(Clone, Debug)]
struct Sent {
    pieces: Vec<Vec<u8>>,
    breaks_off: bool,
    range: SentRange,
}

#[derive(Clone, Debug)]
enum SentRange {
    None,
    Right,
    /// Starts so many bytes too late, or ends so many too late.
    LateStart(u64),
    LateEnd(u64),
}

#[derive(Clone, Debug)]
enum Operation {
    Begin(usize, bool),
    Append(usize, Sent),
    Finish(usize, Sent, bool, bool),
    Cancel(usize),
    Restart,
}

fn sent() -> impl Strategy<Value = Sent> {
    let pieces = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..4);
    let range = prop_oneof![
        4 => Just(SentRange::None),
        4 => Just(SentRange::Right),
        1 => (1..9_u64).prop_map(SentRange::LateStart),
        1 => (1..9_u64).prop_map(SentRange::LateEnd),
    ];
    (pieces, prop::bool::weighted(0.2), range).prop_map(|(pieces, breaks_off, range)| Sent {
        pieces,
        breaks_off,
        range,
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let session = 0..SESSIONS;
    prop_oneof![
        2 => (session.clone(), any::<bool>()).prop_map(|(s, long)| Operation::Begin(s, long)),
        6 => (session.clone(), sent()).prop_map(|(s, sent)| Operation::Append(s, sent)),
        2 => (session.clone(), sent(), any::<bool>(), prop::bool::weighted(0.7))
            .prop_map(|(s, sent, long, right)| Operation::Finish(s, sent, long, right)),
        1 => session.prop_map(Operation::Cancel),
        1 => Just(Operation::Restart),
    ]
}

fn algorithm(long: bool) -> Algorithm {
    if long {
        Algorithm::Sha512
    } else {
        Algorithm::Sha256
    }
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    fn content_range(&self, offset: u64) -> Option<Range<u64>> {
        let length = self.bytes().len() as u64;
        match self.range {
            SentRange::None => None,
            // A range cannot say that there are no bytes.
            _ if length == 0 => None,
            SentRange::Right => Some(offset..offset + length),
            SentRange::LateStart(by) => Some(offset + by..offset + by + length),
            SentRange::LateEnd(by) => Some(offset..offset + length + by),
        }
    }

    fn content(&self, offset: u64) -> Content {
        let pieces = self
            .pieces
            .clone()
            .into_iter()
            .map(|piece| Ok(Bytes::from(piece)));
        let end = self.breaks_off.then(|| Err("the connection broke".into()));
        Content {
            range: self.content_range(offset),
            length: None,
            body: stream::iter(pieces.chain(end)).boxed(),
        }
    }

    /// How many of its bytes the session has afterwards, and whether all is well.
    fn expected(&self) -> (usize, bool) {
        let length = self.bytes().len();
        match self.range {
            SentRange::LateStart(_) if length > 0 => (0, false),
            SentRange::LateEnd(_) if length > 0 && !self.breaks_off => (0, false),
            _ => (length, !self.breaks_off),
        }
    }
}

struct World {
    blobs: Arc<dyn BlobStore>,
    records: Arc<dyn SessionRecords>,
    uploads: Uploads,
    repository: RepositoryName,
    sessions: BTreeMap<usize, (SessionId, Vec<u8>)>,
}

impl World {
    fn new(blobs: Arc<dyn BlobStore>) -> Self {
        let records: Arc<dyn SessionRecords> = Arc::new(MemorySessionRecords::default());
        Self {
            uploads: machine(&blobs, &records),
            blobs,
            records,
            repository: "library/alpine".parse().unwrap(),
            sessions: BTreeMap::new(),
        }
    }

    async fn run(&mut self, operation: &Operation) {
        match operation {
            Operation::Begin(session, long) => {
                let id = self
                    .uploads
                    .begin(&self.repository, algorithm(*long))
                    .await
                    .unwrap();
                self.sessions.insert(*session, (id, Vec::new()));
            }
            Operation::Append(session, sent) => self.append(*session, sent).await,
            Operation::Finish(session, sent, long, right) => {
                self.finish(*session, sent, *long, *right).await;
            }
            Operation::Cancel(session) => {
                if let Some((id, _)) = self.sessions.remove(session) {
                    self.uploads.cancel(&self.repository, id).await.unwrap();
                    self.is_gone(id).await;
                }
            }
            Operation::Restart => self.uploads = machine(&self.blobs, &self.records),
        }
    }

    async fn append(&mut self, session: usize, sent: &Sent) {
        let Some((id, bytes)) = self.sessions.get_mut(&session) else {
            return;
        };
        let content = sent.content(bytes.len() as u64);
        let appended = self.uploads.append(&self.repository, *id, content).await;
        let (kept, succeeds) = sent.expected();
        bytes.extend_from_slice(&sent.bytes()[..kept]);
        match appended {
            Ok(offset) => assert!(succeeds && offset == bytes.len() as u64),
            Err(UploadError::Interrupted { kept, .. }) => {
                assert!(!succeeds && kept == bytes.len() as u64);
            }
            Err(_) => assert!(!succeeds && kept == 0),
        }
    }

    async fn finish(&mut self, session: usize, sent: &Sent, long: bool, right: bool) {
        let Some((id, bytes)) = self.sessions.get_mut(&session) else {
            return;
        };
        let whole = [bytes.as_slice(), &sent.bytes()].concat();
        let digest = match right {
            true => Digest::of(algorithm(long), &whole),
            false => Digest::of(algorithm(long), b"something else"),
        };
        let content = sent.content(bytes.len() as u64);
        let finished = self
            .uploads
            .finish(&self.repository, *id, &digest, content)
            .await;
        let (kept, succeeds) = sent.expected();
        if !succeeds {
            assert!(finished.is_err());
            bytes.extend_from_slice(&sent.bytes()[..kept]);
            return;
        }
        if !right {
            assert!(matches!(finished, Err(UploadError::DigestMismatch { .. })));
            return;
        }
        let finished = finished.unwrap();
        assert_eq!(
            (finished.digest(), finished.size()),
            (&digest, whole.len() as u64)
        );
        let record = finished.record().unwrap();
        assert!(self.records.remove(record).await.unwrap());
        let name = finished.name().clone();
        self.uploads.release(finished).await;
        let id = *id;
        self.sessions.remove(&session);
        self.is_gone(id).await;
        let reader = self.blobs.open(&name).await.unwrap().unwrap();
        let stored: Vec<Bytes> = reader
            .read(0..whole.len() as u64)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(stored.concat(), whole);
    }

    async fn is_gone(&self, id: SessionId) {
        let status = self.uploads.status(&self.repository, id).await;
        assert!(matches!(status, Err(UploadError::Unknown(_))));
        let staged = self.blobs.staged().await.unwrap();
        assert!(staged.iter().all(|staged| staged.session != id));
    }

    async fn check(&self) {
        for (id, bytes) in self.sessions.values() {
            let offset = self.uploads.status(&self.repository, *id).await.unwrap();
            assert_eq!(offset, bytes.len() as u64);
        }
    }
}

fn machine(blobs: &Arc<dyn BlobStore>, records: &Arc<dyn SessionRecords>) -> Uploads {
    Uploads::new(
        Arc::clone(blobs),
        Arc::clone(records),
        Duration::from_secs(3600),
    )
}

fn run(blobs: Arc<dyn BlobStore>, operations: &[Operation]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(blobs);
        for operation in operations {
            world.run(operation).await;
            world.check().await;
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_machine_agrees_with_the_model(operations in proptest::collection::vec(operation(), 1..40)) {
        run(Arc::new(MemoryBlobs::default()), &operations);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn the_machine_agrees_with_the_model_on_a_disk(operations in proptest::collection::vec(operation(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        run(Arc::new(FilesystemBlobs::open(folder.path()).unwrap()), &operations);
    }
}
