//! What happens around the registry: time, crashes, failing disks, and backups.

use crate::state::{BLOBS, Backup, Blob, Content, Link, PUSHES, REPOSITORIES, Row, State};

/// A grace period passes. Promises end, and links grow older.
pub(crate) fn tick(state: &mut State) -> Option<()> {
    for blob in &mut state.blobs {
        blob.told.promised = [false; REPOSITORIES];
        blob.links = blob.links.map(older);
        if blob.row == Row::Condemned {
            blob.row = Row::Ripe;
        }
    }
    Some(())
}

fn older(link: Link) -> Link {
    match link {
        Link::New => Link::Aging,
        Link::Aging | Link::Old => Link::Old,
        Link::Absent => Link::Absent,
    }
}

/// All that was in memory is gone.
pub(crate) fn crash(state: &mut State, survivors: [Content; BLOBS]) -> Option<()> {
    for (blob, survivor) in state.blobs.iter_mut().zip(survivors) {
        blob.file.seen = survivor;
        blob.file.synced = survivor;
        blob.told.is_quarantined &= survivor != Content::Whole;
        blob.removal = None;
        blob.is_suspected = false;
    }
    state.pushes = [None; PUSHES];
    state.backup = Backup::None;
    Some(())
}

pub(crate) fn corrupt(blob: &mut Blob) -> Option<()> {
    if !blob.is_stored() {
        return None;
    }
    blob.file.seen = Content::Corrupt;
    blob.file.synced = Content::Corrupt;
    Some(())
}

pub(crate) fn read_corrupt(blob: &mut Blob) -> Option<()> {
    blob.is_suspected |= blob.file.seen == Content::Corrupt;
    Some(())
}

/// Takes the guard of all blobs: waits until nobody removes any.
pub(crate) fn begin_backup(state: &mut State) -> Option<()> {
    let is_removing = state.blobs.iter().any(|blob| blob.removal.is_some());
    if is_removing || state.backup != Backup::None {
        return None;
    }
    state.backup = Backup::Begun;
    Some(())
}

pub(crate) fn take_snapshot(state: &mut State) -> Option<()> {
    if state.backup != Backup::Begun {
        return None;
    }
    state.backup = Backup::Copying(state.blobs.map(|blob| blob.row != Row::Absent));
    Some(())
}

pub(crate) fn end_backup(state: &mut State) -> Option<()> {
    state.backup = Backup::None;
    Some(())
}
