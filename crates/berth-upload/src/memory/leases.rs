use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_spec::SessionId;
use tokio::time::Instant;

use super::{MemorySessionRecords, Stored};
use crate::{HeldRevision, RecordsError, SessionLeases, SessionRecord, Take};

/// Who has a session, and until when.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) holder: String,
    until: Instant,
    /// The same as others are told it.
    told: SystemTime,
}

impl Held {
    fn by(holder: &str, duration: Duration) -> Self {
        Self {
            holder: holder.to_owned(),
            until: Instant::now() + duration,
            told: SystemTime::now() + duration,
        }
    }

    /// How long it is kept from somebody still.
    fn left(&self, asking: &str) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        (self.holder != asking && !left.is_zero()).then_some(left)
    }
}

#[async_trait]
impl SessionLeases for MemorySessionRecords {
    async fn take(
        &self,
        id: SessionId,
        holder: &str,
        duration: Duration,
    ) -> Result<Take, RecordsError> {
        let mut all = self.stored();
        let Some(stored) = all.get_mut(&id) else {
            return Ok(Take::Missing);
        };
        let held = stored.held.as_ref();
        let other = held.and_then(|held| Some((held.told, held.left(holder)?)));
        if let Some((until, left)) = other {
            return Ok(Take::Held { until, left });
        }
        stored.record.revision += 1;
        stored.held = Some(Held::by(holder, duration));
        Ok(Take::Taken(SessionRecord {
            holder: Some(holder.to_owned()),
            ..stored.record.clone()
        }))
    }

    async fn renew(&self, by: &HeldRevision, duration: Duration) -> Result<bool, RecordsError> {
        let mut all = self.stored();
        let stored = all.get_mut(&by.id);
        let Some(stored) = stored.filter(|stored| stored.is_at(by.revision, Some(&by.holder)))
        else {
            return Ok(false);
        };
        let Stored { record, held } = stored;
        let Some(held) = held else {
            return Ok(false);
        };
        *held = Held::by(&held.holder, duration);
        record.expires_at = record.expires_at.max(held.told);
        Ok(true)
    }

    async fn give_back(&self, by: &HeldRevision) -> Result<(), RecordsError> {
        let mut all = self.stored();
        let stored = all.get_mut(&by.id);
        if let Some(stored) = stored.filter(|stored| stored.is_at(by.revision, Some(&by.holder))) {
            stored.held = None;
        }
        Ok(())
    }
}
