use berth_spec::SessionId;

use crate::active::Claim;
use crate::lease::Lease;
use crate::{SessionRecord, UploadError};

/// A piece of work on a session: the right to do it, and the session as it was before.
#[derive(Debug)]
pub(crate) struct Work {
    record: SessionRecord,
    /// Against other processes, if there are any. Goes before the claim.
    lease: Option<Lease>,
    /// Against others in this process.
    _claim: Claim,
}

/// Where bytes are to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) id: SessionId,
    pub(crate) offset: u64,
    /// What keeps those out who had the session before.
    pub(crate) fence: u64,
}

impl Place {
    /// Where the bytes of a session begin that nobody else knows of.
    pub(crate) fn start_of(id: SessionId) -> Self {
        Self {
            id,
            offset: 0,
            fence: 0,
        }
    }
}

impl Work {
    /// On a session that no other process can work on.
    pub(crate) fn alone(claim: Claim, record: SessionRecord) -> Self {
        Self {
            record,
            lease: None,
            _claim: claim,
        }
    }

    /// On a session that was taken.
    pub(crate) fn leased(claim: Claim, record: SessionRecord, lease: Lease) -> Self {
        Self {
            record,
            lease: Some(lease),
            _claim: claim,
        }
    }

    /// The session as it was before.
    pub(crate) fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// Behind what the session holds.
    pub(crate) fn place(&self) -> Place {
        Place {
            id: self.record.id,
            offset: self.record.offset,
            fence: self.lease.as_ref().map_or(0, |_| self.record.revision),
        }
    }

    /// Does something as long as nobody else is known to work on the session.
    pub(crate) async fn during<T>(
        &self,
        doing: impl Future<Output = Result<T, UploadError>>,
    ) -> Result<T, UploadError> {
        match &self.lease {
            None => doing.await,
            Some(lease) => lease.during(doing).await,
        }
    }

    /// Ends when the session was changed or has ended.
    pub(crate) fn settle(self) {
        if let Some(lease) = self.lease {
            lease.settle();
        }
    }

    /// Ends, and lets others work on the session.
    pub(crate) async fn give_back(self) {
        if let Some(lease) = self.lease {
            lease.give_back().await;
        }
    }
}
