mod leases;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::SessionId;

use crate::{RecordsError, SessionLeases, SessionRecord, SessionRecords};
use leases::Held;

/// Records that live in memory, for tests of other layers.
#[derive(Debug, Default)]
pub struct MemorySessionRecords {
    stored: Mutex<BTreeMap<SessionId, Stored>>,
    is_shared: bool,
}

#[derive(Debug)]
struct Stored {
    record: SessionRecord,
    held: Option<Held>,
}

impl Stored {
    fn new(record: &SessionRecord) -> Self {
        let record = SessionRecord {
            holder: None,
            ..record.clone()
        };
        Self { record, held: None }
    }

    /// Whether this is the revision, and was given to the holder, if there is one.
    fn is_at(&self, revision: u64, holder: Option<&str>) -> bool {
        let held_by = self.held.as_ref().map(|held| &*held.holder);
        self.record.revision == revision && (holder.is_none() || holder == held_by)
    }
}

impl MemorySessionRecords {
    /// Records that have leases, by tokio's clock, for several [`Uploads`](crate::Uploads) that are as many processes.
    pub fn shared() -> Self {
        Self {
            is_shared: true,
            ..Self::default()
        }
    }

    fn stored(&self) -> MutexGuard<'_, BTreeMap<SessionId, Stored>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionRecords for MemorySessionRecords {
    async fn create(&self, record: &SessionRecord) -> Result<(), RecordsError> {
        self.stored().insert(record.id, Stored::new(record));
        Ok(())
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionRecord>, RecordsError> {
        Ok(self.stored().get(&id).map(|stored| stored.record.clone()))
    }

    async fn update(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        let mut all = self.stored();
        let (Some(stored), Some(before)) =
            (all.get_mut(&record.id), record.revision.checked_sub(1))
        else {
            return Ok(false);
        };
        let is_same = stored.is_at(before, record.holder.as_deref());
        if is_same {
            *stored = Stored::new(record);
        }
        Ok(is_same)
    }

    async fn remove(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        let mut all = self.stored();
        let stored = all.get(&record.id);
        let is_same =
            stored.is_some_and(|stored| stored.is_at(record.revision, record.holder.as_deref()));
        if is_same {
            all.remove(&record.id);
        }
        Ok(is_same)
    }

    async fn expired(&self, now: SystemTime, limit: u32) -> Result<Vec<SessionId>, RecordsError> {
        let all = self.stored();
        let mut expired: Vec<_> = all
            .values()
            .map(|stored| (stored.record.expires_at, stored.record.id))
            .filter(|(expires_at, _)| *expires_at <= now)
            .collect();
        expired.sort_unstable();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(expired.into_iter().take(limit).map(|(_, id)| id).collect())
    }

    fn leases(&self) -> Option<&dyn SessionLeases> {
        self.is_shared.then_some(self as _)
    }
}
