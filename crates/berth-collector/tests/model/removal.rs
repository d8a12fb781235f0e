//! What takes files away: collections, sweeps, and verification.

use crate::flaws::Flaw;
use crate::protocol::Protocol;
use crate::state::{Backup, Blob, Content, Link, Removal, Remover, Row, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Looks again, and removes the row.
    Forget,
    /// Goes on if there is no row.
    LookForRow,
    /// Goes on if the file is the one that was read.
    Compare,
    Unlink,
    SyncFolder,
}

impl Protocol {
    fn removal_order(&self, by: Remover) -> [Step; 3] {
        match by {
            Remover::Collection if self.has(Flaw::FileBeforeRow) => {
                [Step::Unlink, Step::SyncFolder, Step::Forget]
            }
            Remover::Collection => [Step::Forget, Step::Unlink, Step::SyncFolder],
            Remover::Sweep => [Step::LookForRow, Step::Unlink, Step::SyncFolder],
            Remover::Verification => [Step::Compare, Step::Unlink, Step::SyncFolder],
        }
    }

    /// Whether it has the guard of its blob, or must take it now.
    pub(crate) fn keeps_pushes_away(&self, removal: Removal) -> bool {
        let lacks_guard = match removal.by {
            Remover::Collection => self.has(Flaw::CollectionGuardedTooShort) && removal.done > 0,
            Remover::Sweep if self.has(Flaw::SweepGuardedTooLate) => removal.done < 2,
            Remover::Sweep => self.has(Flaw::SweepWithoutGuard),
            Remover::Verification => self.has(Flaw::QuarantineWithoutGuard),
        };
        !lacks_guard && !self.has(Flaw::NoGuards)
    }

    /// Whether it can have its guard, or goes on without.
    fn may_have_guard(&self, state: &State, blob: usize, removal: Removal) -> bool {
        let is_backup = state.backup != Backup::None && !self.has(Flaw::RemovalDuringBackup);
        let is_free = !is_backup && !self.is_being_pushed(state, blob);
        is_free || !self.keeps_pushes_away(removal)
    }

    pub(crate) fn condemn(&self, blob: &mut Blob) -> Option<()> {
        if blob.row != Row::Live || !self.is_unused(blob) {
            return None;
        }
        blob.row = Row::Condemned;
        Some(())
    }

    /// Chooses what to remove, and takes the guard. Never waits: if it cannot have it, it comes back later.
    pub(crate) fn begin_removal(&self, state: &mut State, blob: usize, by: Remover) -> Option<()> {
        let removal = Removal { by, done: 0 };
        let may_begin = state.blobs[blob].removal.is_none()
            && self.is_chosen(&state.blobs[blob], by)
            && self.may_have_guard(state, blob, removal);
        if !may_begin {
            return None;
        }
        let blob = &mut state.blobs[blob];
        blob.removal = Some(removal);
        blob.is_suspected &= by != Remover::Verification;
        Some(())
    }

    pub(crate) fn continue_removal(&self, state: &mut State, blob: usize) -> Option<()> {
        let removal = state.blobs[blob].removal?;
        let done = removal.done + 1;
        let next = Removal { done, ..removal };
        let has_guard = self.keeps_pushes_away(removal);
        if !has_guard && !self.may_have_guard(state, blob, next) {
            return None;
        }
        let order = self.removal_order(removal.by);
        let blob = &mut state.blobs[blob];
        let goes_on = match order[removal.done] {
            Step::Forget => self.forget(blob),
            Step::LookForRow => blob.row == Row::Absent,
            Step::Compare => self.is_as_read(blob),
            Step::Unlink => unlink(blob, removal.by),
            Step::SyncFolder => sync_folder(blob),
        };
        let ends = !goes_on || done == order.len();
        blob.removal = (!ends).then_some(next);
        Some(())
    }

    fn is_chosen(&self, blob: &Blob, by: Remover) -> bool {
        match by {
            Remover::Collection => self.is_ripe(blob),
            Remover::Sweep => blob.file.seen != Content::Missing && !self.has(Flaw::NoSweep),
            Remover::Verification => blob.is_suspected,
        }
    }

    fn is_ripe(&self, blob: &Blob) -> bool {
        blob.row == Row::Ripe || self.has(Flaw::NoWait) && blob.is_condemned()
    }

    fn is_unused(&self, blob: &Blob) -> bool {
        if self.has(Flaw::NoMargin) {
            return !blob.is_referred_to() && !blob.links.contains(&Link::New);
        }
        blob.is_unused()
    }

    /// Whether the row is removed.
    fn forget(&self, blob: &mut Blob) -> bool {
        let looks = !self.has(Flaw::ForgetWithoutLooking);
        if looks && !self.has(Flaw::ForgetByUseAlone) && !self.is_ripe(blob) {
            return false;
        }
        if looks && !self.has(Flaw::ForgetByStateAlone) && !self.is_unused(blob) {
            blob.row = Row::Live;
            return false;
        }
        blob.row = Row::Absent;
        blob.links = Default::default();
        blob.told.is_quarantined = false;
        true
    }

    /// Who read the file has it open still, so that no other can be taken for it.
    fn is_as_read(&self, blob: &Blob) -> bool {
        blob.file.seen == Content::Corrupt || self.has(Flaw::QuarantineWithoutComparing)
    }
}

fn unlink(blob: &mut Blob, by: Remover) -> bool {
    let is_corrupt = blob.file.seen == Content::Corrupt;
    blob.told.is_quarantined |= is_corrupt && by == Remover::Verification;
    blob.file.seen = Content::Missing;
    true
}

fn sync_folder(blob: &mut Blob) -> bool {
    blob.file.synced = blob.file.seen;
    true
}
