//! The push of a blob whose bytes are staged.

use crate::flaws::Flaw;
use crate::protocol::Protocol;
use crate::requests::link;
use crate::state::{Blob, Content, Push, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Publish,
    SyncFolder,
    Record,
}

impl Protocol {
    fn push_order(&self) -> [Step; 3] {
        if self.has(Flaw::RecordBeforePublish) {
            return [Step::Record, Step::Publish, Step::SyncFolder];
        }
        if self.has(Flaw::RecordBeforeSync) {
            return [Step::Publish, Step::Record, Step::SyncFolder];
        }
        [Step::Publish, Step::SyncFolder, Step::Record]
    }

    /// Whether it has the guard of its blob, or must take it now.
    fn needs_guard(&self, push: Push) -> bool {
        let is_too_late = self.has(Flaw::PushGuardedTooLate) && push.done == 0;
        let is_too_short = self.has(Flaw::PushGuardedTooShort) && push.done == 2;
        !is_too_late && !is_too_short && !self.has(Flaw::NoGuards)
    }

    pub(crate) fn is_being_pushed(&self, state: &State, blob: usize) -> bool {
        let mut pushes = state.pushes.iter().flatten();
        pushes.any(|push| push.blob == blob && self.needs_guard(*push))
    }

    /// Whether it has its guard, or can have it, or goes on without.
    fn may_go_on(&self, state: &State, push: Push) -> bool {
        let removal = state.blobs[push.blob].removal;
        let is_removed = removal.is_some_and(|removal| self.keeps_pushes_away(removal));
        !is_removed || !self.needs_guard(push)
    }

    pub(crate) fn begin_push(
        &self,
        state: &mut State,
        blob: usize,
        repository: usize,
    ) -> Option<()> {
        let push = Push {
            blob,
            repository,
            done: 0,
        };
        let under_way = state.pushes.iter().flatten().count();
        if under_way == self.pushes || !self.may_go_on(state, push) {
            return None;
        }
        let place = state.pushes.iter_mut().find(|place| place.is_none())?;
        *place = Some(push);
        Some(())
    }

    pub(crate) fn continue_push(&self, state: &mut State, push: Push) -> Option<()> {
        if !self.may_go_on(state, push) {
            return None;
        }
        let order = self.push_order();
        let blob = &mut state.blobs[push.blob];
        match order[push.done] {
            Step::Publish => publish(blob),
            Step::SyncFolder => sync_folder(blob),
            Step::Record => record(blob, push.repository),
        }
        let done = push.done + 1;
        let next = (done < order.len()).then_some(Push { done, ..push });
        replace(state, push, next)
    }
}

/// What becomes of a push that is under way.
pub(crate) fn replace(state: &mut State, push: Push, next: Option<Push>) -> Option<()> {
    let mut places = state.pushes.iter_mut();
    *places.find(|place| **place == Some(push))? = next;
    Some(())
}

/// Puts the staged file in the place of what has the name of the blob.
fn publish(blob: &mut Blob) {
    blob.file.seen = Content::Whole;
}

fn sync_folder(blob: &mut Blob) {
    blob.file.synced = blob.file.seen;
    if blob.file.seen == Content::Whole {
        blob.told.is_quarantined = false;
    }
}

fn record(blob: &mut Blob, repository: usize) {
    blob.told.pushed_nothing |= blob.file.seen == Content::Missing;
    link(blob, repository);
}
