use std::collections::HashSet;
use std::time::SystemTime;

use berth_blob::Staged;
use berth_spec::SessionId;
use tracing::{debug, warn};

use crate::uploads::Machine;
use crate::work::Work;
use crate::{Take, UploadError};

/// How many expired sessions are looked up at once, beside those that were found before.
const AT_ONCE: usize = 256;

impl Machine {
    pub(crate) async fn expire_sessions(&self, now: SystemTime) -> Result<u64, UploadError> {
        let mut stay = HashSet::new();
        let mut removed = 0;
        loop {
            // Those that stay are found again: the more they are, the more are looked up behind them, or
            // finding them would cost more than all else.
            let at_once = AT_ONCE.saturating_add(stay.len().saturating_mul(2));
            let limit = u32::try_from(at_once).unwrap_or(u32::MAX);
            let mut expired = self.records.expired(now, limit).await?;
            let is_last = expired.len() < at_once;
            expired.retain(|id| !stay.contains(id));
            for id in expired {
                let ended = self.expire_session(id, now).await;
                let is_removed = ended.unwrap_or_else(|error| {
                    warn!(session = %id, %error, "cannot end an expired upload session yet");
                    false
                });
                match is_removed {
                    true => removed += 1,
                    false => _ = stay.insert(id),
                }
            }
            if is_last {
                return Ok(removed);
            }
        }
    }

    async fn expire_session(&self, id: SessionId, now: SystemTime) -> Result<bool, UploadError> {
        let Some(claim) = self.active.claim(id) else {
            return Ok(false);
        };
        let Some(record) = self.records.load(id).await? else {
            return Ok(false);
        };
        if record.expires_at > now {
            return Ok(false);
        }
        let work = match self.records.leases() {
            None => Work::alone(claim, record),
            Some(_) => match self.take_once(id).await? {
                Take::Taken(record) => self.leased(claim, record),
                Take::Held { .. } | Take::Missing => return Ok(false),
            },
        };
        // It may have been used since it was looked up.
        if work.record().expires_at > now {
            work.give_back().await;
            return Ok(false);
        }
        let ended = work.during(self.end(work.record())).await;
        self.leave(work, ended).await?;
        debug!(session = %id, "upload session expired");
        Ok(true)
    }

    pub(crate) async fn remove_orphans(&self) -> Result<u64, UploadError> {
        let mut removed = 0;
        let now = SystemTime::now();
        for Staged {
            session: id,
            touched_at,
        } in self.blobs.staged().await?
        {
            if !self.may_be_orphaned(touched_at, now) {
                continue;
            }
            // Not claimed before this: a request that comes for the session must not find it busy.
            if self.records.load(id).await?.is_some() {
                continue;
            }
            // The record of a session is there before its bytes, and a blob pushed whole is
            // claimed as long as it has bytes: with neither, nobody will come back for them.
            let Some(_claim) = self.active.claim(id) else {
                continue;
            };
            match self.blobs.discard(id).await {
                Ok(()) => removed += 1,
                Err(error) => warn!(session = %id, %error, "cannot remove bytes of no session yet"),
            }
        }
        Ok(removed)
    }

    /// Whether a staging area may belong to nobody. Another process may be pushing a blob whole, which no record tells
    /// of: there, only time tells.
    fn may_be_orphaned(&self, touched_at: Option<SystemTime>, now: SystemTime) -> bool {
        if self.records.leases().is_none() {
            return true;
        }
        let age = touched_at.and_then(|touched_at| now.duration_since(touched_at).ok());
        age.is_some_and(|age| age > self.lifetime)
    }
}
