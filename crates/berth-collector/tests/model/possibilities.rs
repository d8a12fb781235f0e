//! What must be possible in some state: without it, the model would be right because nothing happens in
//! it.

use stateright::Property;

use crate::protocol::Protocol;
use crate::state::{Backup, Blob, Content, Link, Reference, Removal, Remover, Row, State};

pub(crate) fn possibilities() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes(
            "a blob is pushed that could be deleted",
            |_, state: &State| {
                let mut pushes = state.pushes.iter().flatten();
                pushes.any(|push| push.done > 0 && state.blobs[push.blob].row == Row::Ripe)
            },
        ),
        Property::sometimes("a row is gone and its file is not", |_, state| {
            any(state, |blob| {
                blob.row == Row::Absent && is_at(blob, Remover::Collection, 1)
            })
        }),
        Property::sometimes("a deleted file may come back", |_, state| {
            any(state, |blob| {
                blob.file.seen == Content::Missing && blob.file.synced == Content::Whole
            })
        }),
        Property::sometimes("a sweep has found a file without a row", |_, state| {
            any(state, |blob| is_at(blob, Remover::Sweep, 1))
        }),
        Property::sometimes("a promise is kept by an aging link", |_, state| {
            let is_aging = |blob: &Blob| blob.told.promised[0] && blob.links[0] == Link::Aging;
            any(state, is_aging)
        }),
        Property::sometimes("a cut reference outlives its blob", |_, state| {
            any(state, |blob| {
                blob.row == Row::Absent && blob.references.contains(&Reference::Cut)
            })
        }),
        Property::sometimes("one repository needs what the other deleted", |_, state| {
            any(state, |blob| {
                blob.references == [Reference::Kept, Reference::Cut]
            })
        }),
        Property::sometimes("a backup copies what is condemned", |_, state: &State| {
            state.backup == Backup::Copying([true, false]) && state.blobs[0].row == Row::Ripe
        }),
        Property::sometimes("a promised blob is in quarantine", |_, state| {
            any(state, |blob| blob.told.is_quarantined && blob.is_promised())
        }),
        Property::sometimes("what was suspected is well again", |_, state| {
            any(state, |blob| {
                blob.is_suspected && blob.is_stored() && blob.row == Row::Live
            })
        }),
    ]
}

fn any(state: &State, holds: impl Fn(&Blob) -> bool) -> bool {
    state.blobs.iter().any(holds)
}

fn is_at(blob: &Blob, by: Remover, done: usize) -> bool {
    let is_at = |removal: Removal| (removal.by, removal.done) == (by, done);
    blob.removal.is_some_and(is_at)
}
