use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_spec::SessionId;

use crate::{RecordsError, SessionRecord};

/// Who works on which session, for the processes that share [`SessionRecords`](crate::SessionRecords).
///
/// A lease keeps others from beginning, for as long as it lasts by the clock of the records. It does not stop a
/// process that was paused and wakes after its lease: that is done by the revision, which each taking raises. Whatever
/// changes a session names the revision that it goes by, and the staging area has it as its fence. It names the holder too:
/// records that have lost what was changed last, as by a failover, may give one revision to two.
///
/// A change of the record gives its lease back, and so does its end.
#[async_trait]
pub trait SessionLeases: Send + Sync {
    /// Begins a lease on a session, for so long, and raises the revision, unless somebody else has one. `holder` is any
    /// text that no other process has: one that has a lease and takes it again gets it, as after an answer that
    /// was lost. Durable when it answers. The record that is taken names the holder.
    async fn take(
        &self,
        id: SessionId,
        holder: &str,
        duration: Duration,
    ) -> Result<Take, RecordsError>;

    /// Makes the lease of this revision and holder last for so long from now on, even if it has ended, as long as nobody has taken
    /// the session since; meanwhile it does not expire. `false`, and nothing changes, if somebody has, or the session
    /// was changed or has ended.
    async fn renew(&self, held: &HeldRevision, duration: Duration) -> Result<bool, RecordsError>;

    /// Ends the lease of this revision and holder. Any other one stays.
    async fn give_back(&self, held: &HeldRevision) -> Result<(), RecordsError>;
}

/// What somebody was given who took a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRevision {
    /// Names the session.
    pub id: SessionId,
    /// The raised revision.
    pub revision: u64,
    /// Who took it.
    pub holder: String,
}

/// What became of taking a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Take {
    /// The caller has it. Its record is as it is now, with the raised revision.
    Taken(SessionRecord),
    /// Somebody else has it.
    Held {
        /// When that lease ends if it is not renewed, by the clock of the records.
        until: SystemTime,
        /// How long that is from now on.
        left: Duration,
    },
    /// There is no such session.
    Missing,
}
