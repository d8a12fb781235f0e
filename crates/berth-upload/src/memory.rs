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
        let stored = Stored {
            record: record.clone(),
            held: None,
        };
        self.stored().insert(record.id, stored);
        Ok(())
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionRecord>, RecordsError> {
        Ok(self.stored().get(&id).map(|stored| stored.record.clone()))
    }

    async fn update(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        let mut all = self.stored();
        match all.get_mut(&record.id) {
            Some(stored) if stored.record.revision + 1 == record.revision => {
                *stored = Stored {
                    record: record.clone(),
                    held: None,
                };
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn remove(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        let mut all = self.stored();
        let stored = all.get(&record.id);
        let is_same = stored.is_some_and(|stored| stored.record.revision == record.revision);
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
