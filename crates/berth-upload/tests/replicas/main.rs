//! Several machines over one store, as replicas are: who may go on with a session, and what becomes of whoever lost it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod late;
mod leases;
mod replica;

use std::sync::Arc;
use std::time::Duration;

use berth_blob::MemoryBlobs;
use berth_spec::{Algorithm, Digest, RepositoryName, SessionId};
use berth_upload::{Content, MemorySessionRecords, UploadError, contract};
use replica::Replica;
use tokio::task::JoinHandle;

const LIFETIME: Duration = Duration::from_secs(3600);

/// A database and a bucket that replicas share.
#[derive(Default)]
struct Stores {
    blobs: Arc<MemoryBlobs>,
    records: Arc<MemorySessionRecords>,
}

impl Stores {
    fn new() -> Self {
        Self {
            records: Arc::new(MemorySessionRecords::shared()),
            ..Self::default()
        }
    }

    fn replica(&self) -> Replica {
        Replica::new(&self.blobs, &self.records)
    }
}

fn repository() -> RepositoryName {
    "library/alpine".parse().unwrap()
}

async fn begin(replica: &Replica) -> SessionId {
    let (uploads, here) = (&replica.uploads, repository());
    uploads.begin(&here, Algorithm::Sha256).await.unwrap()
}

async fn append(replica: &Replica, id: SessionId, bytes: &'static str) -> Result<u64, UploadError> {
    let content = Content::from_bytes(bytes);
    replica.uploads.append(&repository(), id, content).await
}

async fn status(replica: &Replica, id: SessionId) -> u64 {
    replica.uploads.status(&repository(), id).await.unwrap()
}

fn appending(
    replica: &Replica,
    id: SessionId,
    content: Content,
) -> JoinHandle<Result<u64, UploadError>> {
    let uploads = replica.uploads.clone();
    tokio::spawn(async move { uploads.append(&repository(), id, content).await })
}

/// Finishes a session that holds these bytes, and makes the blob known, as whoever uses the machine does.
async fn finish(replica: &Replica, id: SessionId, whole: &str) {
    let digest = Digest::sha256(whole.as_bytes());
    let (uploads, here) = (&replica.uploads, repository());
    let finished = uploads.finish(&here, id, &digest, Content::empty());
    let finished = finished.await.unwrap();
    assert!(replica.remove(&finished).await);
    let name = finished.name().clone();
    uploads.release(finished).await;
    assert_eq!(replica.read(&name).await, whole.as_bytes());
}

#[tokio::test]
async fn shared_memory_records_keep_the_contract() {
    contract::session_records(&MemorySessionRecords::shared()).await;
    contract::session_leases(&MemorySessionRecords::shared()).await;
}
