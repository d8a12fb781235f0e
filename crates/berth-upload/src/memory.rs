use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::SessionId;

use crate::{RecordsError, SessionRecord, SessionRecords};

/// Records that live in memory, for tests of other layers.
#[derive(Debug, Default)]
pub struct MemorySessionRecords(Mutex<BTreeMap<SessionId, SessionRecord>>);

impl MemorySessionRecords {
    fn records(&self) -> MutexGuard<'_, BTreeMap<SessionId, SessionRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionRecords for MemorySessionRecords {
    async fn create(&self, record: &SessionRecord) -> Result<(), RecordsError> {
        self.records().insert(record.id, record.clone());
        Ok(())
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionRecord>, RecordsError> {
        Ok(self.records().get(&id).cloned())
    }

    async fn update(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        let mut records = self.records();
        match records.get_mut(&record.id) {
            Some(stored) if stored.revision + 1 == record.revision => {
                *stored = record.clone();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn remove(&self, id: SessionId) -> Result<bool, RecordsError> {
        Ok(self.records().remove(&id).is_some())
    }

    async fn expired(&self, now: SystemTime, limit: u32) -> Result<Vec<SessionId>, RecordsError> {
        let records = self.records();
        let mut expired: Vec<_> = records
            .values()
            .filter(|record| record.expires_at <= now)
            .map(|record| (record.expires_at, record.id))
            .collect();
        expired.sort_unstable();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(expired.into_iter().take(limit).map(|(_, id)| id).collect())
    }
}
