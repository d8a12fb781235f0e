use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use berth_spec::SessionId;

/// The sessions that this process is working on: at most one piece of work for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveSessions(Arc<Mutex<HashSet<SessionId>>>);

/// The right to work on a session, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    sessions: ActiveSessions,
    id: SessionId,
}

impl ActiveSessions {
    /// Claims a session; `None` if somebody else has.
    pub(crate) fn claim(&self, id: SessionId) -> Option<Claim> {
        let claimed = self.with(|sessions| sessions.insert(id));
        claimed.then(|| Claim {
            sessions: self.clone(),
            id,
        })
    }

    /// Whether somebody is working on a session.
    pub(crate) fn is_claimed(&self, id: SessionId) -> bool {
        self.with(|sessions| sessions.contains(&id))
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashSet<SessionId>) -> T) -> T {
        // No code that can panic runs under the lock, so a poisoned set is still whole.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Claim {
    /// The session that is claimed.
    pub(crate) fn id(&self) -> SessionId {
        self.id
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.sessions.with(|sessions| sessions.remove(&self.id));
    }
}
