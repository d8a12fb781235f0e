use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::{MemoryMetadata, MetadataError, Turn, TurnStore};

/// The turns of one process, which has nobody to agree with.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    tasks: HashMap<String, Begun>,
    count: u64,
}

#[derive(Debug)]
struct Begun {
    at: Instant,
    /// By which turn, if it is not ended.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    token: String,
    until: Instant,
}

impl Begun {
    fn is_due(&self, every: Duration, now: Instant) -> bool {
        match &self.held {
            Some(held) => held.until <= now,
            None => now.saturating_duration_since(self.at) >= every,
        }
    }

    fn is_held_by(&self, turn: &Turn) -> bool {
        let held = self.held.as_ref();
        held.is_some_and(|held| held.token == turn.token)
    }
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self, tasks: &[String], every: Duration, lease: Duration) -> Option<Turn> {
        let now = Instant::now();
        let mut taken = self.lock();
        let begun_at = |task: &&String| taken.tasks.get(*task).map(|begun| begun.at);
        let is_due = |task: &&String| {
            let begun = taken.tasks.get(*task);
            begun.is_none_or(|begun| begun.is_due(every, now))
        };
        let task = tasks.iter().filter(is_due).min_by_key(begun_at)?.clone();
        taken.count += 1;
        let token = taken.count.to_string();
        let held = Held {
            token: token.clone(),
            until: now + lease,
        };
        let begun = Begun {
            at: now,
            held: Some(held),
        };
        taken.tasks.insert(task.clone(), begun);
        Some(Turn { task, token })
    }

    pub(crate) fn keep(&self, turn: &Turn, lease: Duration) -> bool {
        let mut taken = self.lock();
        let begun = taken.tasks.get_mut(&turn.task);
        let Some(begun) = begun.filter(|begun| begun.is_held_by(turn)) else {
            return false;
        };
        begun.held = Some(Held {
            token: turn.token.clone(),
            until: Instant::now() + lease,
        });
        true
    }

    pub(crate) fn end(&self, turn: &Turn) {
        let mut taken = self.lock();
        let begun = taken.tasks.get_mut(&turn.task);
        if let Some(begun) = begun.filter(|begun| begun.is_held_by(turn)) {
            begun.held = None;
        }
    }
}

#[async_trait]
impl TurnStore for MemoryMetadata {
    async fn take_turn(
        &self,
        tasks: &[String],
        every: Duration,
        lease: Duration,
    ) -> Result<Option<Turn>, MetadataError> {
        Ok(self.turns.take(tasks, every, lease))
    }

    async fn keep_turn(&self, turn: &Turn, lease: Duration) -> Result<bool, MetadataError> {
        Ok(self.turns.keep(turn, lease))
    }

    async fn end_turn(&self, turn: &Turn) -> Result<(), MetadataError> {
        self.turns.end(turn);
        Ok(())
    }
}
