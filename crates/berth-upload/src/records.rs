use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{Algorithm, RepositoryName, SessionId};

use crate::SessionLeases;

/// Where upload sessions are remembered. Every method is one transaction, and durable when it
/// answers `Ok`. None blocks the calling thread.
#[async_trait]
pub trait SessionRecords: Send + Sync + 'static {
    /// Stores the record of a new session.
    async fn create(&self, record: &SessionRecord) -> Result<(), RecordsError>;

    /// The record of a session, expired or not.
    async fn load(&self, id: SessionId) -> Result<Option<SessionRecord>, RecordsError>;

    /// Replaces the record of a session, if the stored revision is still `record.revision - 1`, and was given to
    /// `record.holder` if there is one. `false`, and nothing changes, if it is another, or the record is gone.
    async fn update(&self, record: &SessionRecord) -> Result<bool, RecordsError>;

    /// Removes the record of a session, if the stored revision is `record.revision`, and was given to `record.holder` if
    /// there is one. `false`, and nothing changes, if it is another, or there is none.
    async fn remove(&self, record: &SessionRecord) -> Result<bool, RecordsError>;

    /// At most `limit` sessions whose `expires_at` is not after `now`, the longest expired first.
    async fn expired(&self, now: SystemTime, limit: u32) -> Result<Vec<SessionId>, RecordsError>;

    /// What keeps several processes that share these records from working on one session at once. `None` if one
    /// process has them alone: that one knows by itself what it is working on.
    fn leases(&self) -> Option<&dyn SessionLeases> {
        None
    }
}

/// What is known of an upload session between two requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Names the session and its staging area.
    pub id: SessionId,
    /// The repository that the blob is for.
    pub repository: RepositoryName,
    /// The algorithm of `hash_state`.
    pub algorithm: Algorithm,
    /// How many bytes are durable, and are what `hash_state` has seen.
    pub offset: u64,
    /// The state of a [`Hasher`](berth_spec::Hasher) over those bytes.
    pub hash_state: Vec<u8>,
    /// Rises with every change, and whenever somebody takes the session.
    pub revision: u64,
    /// When the session may be removed.
    pub expires_at: SystemTime,
    /// Who changes the session by a lease. `None` in what is loaded, and where there are no leases.
    pub holder: Option<String>,
}

/// Why a record could not be read or changed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// There is no room left where records live.
    #[error("the disk that holds the upload sessions is full")]
    StorageFull,
    /// The store of records failed.
    #[error("the upload session cannot be read or changed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
