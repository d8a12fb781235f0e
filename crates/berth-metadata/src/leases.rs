use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_spec::SessionId;

use crate::{MetadataError, UploadRecord, UploadRevision};

/// Who works on which upload session, for the processes that share a store.
///
/// A lease keeps others from beginning, for as long as it lasts; times are those of the store's clock, so that
/// the processes' clocks do not matter. Taking one raises the revision of the session: that is what keeps a
/// process out that has lost its lease and does not know it yet, since all that changes a session names the
/// revision that it goes by, and the holder: a store that went back to an older state, as after a failover that lost
/// changes, may give one revision to two.
///
/// Renewals and what is given back need not be durable when they are answered.
///
/// A change of the session's record ([`MetadataStore::update_upload`](crate::MetadataStore::update_upload)) gives
/// its lease back, and so does its end.
#[async_trait]
pub trait UploadLeases: Send + Sync {
    /// Begins a lease on a session, for so long, unless somebody else has one. `holder` is any text that no other
    /// process has: one that has a lease and takes it again gets it, as after an answer that was lost.
    async fn take_upload(
        &self,
        id: SessionId,
        holder: &str,
        duration: Duration,
    ) -> Result<TakeUpload, MetadataError>;

    /// Makes a lease last for so long from now on, even one that has ended, if nobody has taken the session since.
    /// The session does not expire as long as the lease lasts. `false`, and nothing changes, if somebody has, or the
    /// session was changed or has ended.
    async fn renew_upload(
        &self,
        held: UploadRevision,
        duration: Duration,
    ) -> Result<bool, MetadataError>;

    /// Ends a lease. One that is somebody else's by now stays.
    async fn give_back_upload(&self, held: UploadRevision) -> Result<(), MetadataError>;
}

/// What became of taking a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeUpload {
    /// The caller has it. Its record is as it is now, with the raised revision.
    Taken(UploadRecord),
    /// Somebody else has it.
    Held {
        /// When that lease ends if it is not renewed, by the store's clock.
        until: SystemTime,
        /// How long that is from now on.
        left: Duration,
    },
    /// There is no such session.
    Missing,
}
