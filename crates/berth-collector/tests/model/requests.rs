//! What clients ask for that is answered from one transaction. There is no limit to how many do so.
//!
//! A `HEAD` reads first, and answers from that if it has nothing to write; if it has, its second
//! transaction decides all anew. It opens the file as well, as a mount does. That is no step here: it
//! can only turn a yes into a no, and the properties say that it need not.

use crate::flaws::Flaw;
use crate::protocol::Protocol;
use crate::state::{Blob, Link, Reference, Row, State};

impl Protocol {
    pub(crate) fn mount(&self, blob: &mut Blob, to: usize) -> Option<()> {
        let is_had = blob.links.iter().any(|link| *link != Link::Absent);
        if !is_had {
            return None;
        }
        if self.has(Flaw::MountPromisesNothing) {
            if blob.links[to] == Link::Absent {
                blob.links[to] = Link::Old;
            }
            blob.told.promised[to] = true;
            return Some(());
        }
        link(blob, to);
        Some(())
    }

    pub(crate) fn head(&self, blob: &mut Blob, repository: usize) -> Option<()> {
        let found = blob.links[repository];
        if found == Link::Absent {
            return None;
        }
        let is_promise_due = found == Link::Old || blob.is_condemned();
        if is_promise_due && !self.has(Flaw::HeadPromisesNothing) {
            blob.row = Row::Live;
            blob.links[repository] = Link::New;
        }
        blob.told.promised[repository] = true;
        Some(())
    }

    /// Puts the manifest that needs all blobs.
    pub(crate) fn put_manifest(&self, state: &mut State, repository: usize) -> Option<()> {
        let needed = &mut state.blobs[..self.blobs];
        let mut links = needed.iter().map(|blob| blob.links[repository]);
        if links.any(|link| link == Link::Absent) {
            return None;
        }
        for blob in needed {
            blob.references[repository] = Reference::Kept;
            if !self.has(Flaw::ManifestLeavesCondemned) {
                blob.row = Row::Live;
            }
        }
        Some(())
    }
}

pub(crate) fn delete_manifest(state: &mut State, repository: usize) -> Option<()> {
    for blob in &mut state.blobs {
        blob.references[repository] = Reference::Absent;
    }
    Some(())
}

pub(crate) fn delete_blob(blob: &mut Blob, repository: usize) -> Option<()> {
    if blob.links[repository] == Link::Absent {
        return None;
    }
    blob.links[repository] = Link::Absent;
    if blob.references[repository] == Reference::Kept {
        blob.references[repository] = Reference::Cut;
    }
    blob.told.promised[repository] = false;
    Some(())
}

/// The transaction of a mount, and of a push.
pub(crate) fn link(blob: &mut Blob, repository: usize) {
    blob.row = Row::Live;
    blob.links[repository] = Link::New;
    if blob.references[repository] == Reference::Cut {
        blob.references[repository] = Reference::Kept;
    }
    blob.told.promised[repository] = true;
}
