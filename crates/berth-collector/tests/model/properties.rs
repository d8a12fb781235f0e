//! What must be true in every state.

use stateright::{Model, Property};

use crate::protocol::{Action, Protocol};
use crate::state::{Backup, Blob, Content, Link, Remover, Row, State};

pub(crate) const REFERENCES_HOLD: &str = "what a manifest needs is there";
pub(crate) const PROMISES_HOLD: &str = "what a client was told is there, is there";
pub(crate) const NO_ROW_WITHOUT_FILE: &str = "no row is without a synced file";
pub(crate) const NO_EMPTY_PUSH: &str = "no push is acknowledged without a file";
pub(crate) const BACKUPS_ARE_WHOLE: &str = "what a backup has yet to copy is there";
pub(crate) const THE_CONDEMNED_ARE_UNUSED: &str = "what is condemned is unused";
pub(crate) const THE_UNUSED_CAN_GO: &str = "what is unused can go";

/// Where one of these does not hold, something is lost.
pub(crate) const LOSSES: [&str; 5] = [
    REFERENCES_HOLD,
    PROMISES_HOLD,
    NO_ROW_WITHOUT_FILE,
    NO_EMPTY_PUSH,
    BACKUPS_ARE_WHOLE,
];

pub(crate) fn safety() -> Vec<Property<Protocol>> {
    vec![
        Property::always(REFERENCES_HOLD, |_, state| {
            each(state, |blob| !blob.is_referred_to() || has_bytes(blob))
        }),
        Property::always(PROMISES_HOLD, |_, state| each(state, keeps_promises)),
        Property::always(NO_ROW_WITHOUT_FILE, |_, state| {
            let has_file = |blob: &Blob| blob.is_stored() || blob.is_damaged();
            each(state, |blob| blob.row == Row::Absent || has_file(blob))
        }),
        Property::always(NO_EMPTY_PUSH, |_, state| {
            each(state, |blob| !blob.told.pushed_nothing)
        }),
        Property::always(BACKUPS_ARE_WHOLE, |_, state| is_backup_whole(state)),
        Property::always(THE_CONDEMNED_ARE_UNUSED, |_, state| {
            each(state, |blob| !blob.is_condemned() || blob.is_unused())
        }),
        Property::always(THE_UNUSED_CAN_GO, the_unused_can_go),
    ]
}

fn each(state: &State, holds: impl Fn(&Blob) -> bool) -> bool {
    state.blobs.iter().all(holds)
}

/// Whether a client can have it, or the disk is to blame that it cannot.
fn has_bytes(blob: &Blob) -> bool {
    let is_there = blob.row != Row::Absent && blob.file.seen == Content::Whole;
    is_there || blob.is_damaged()
}

/// Whether a manifest that needs it would be taken, and could be pulled.
fn keeps_promises(blob: &Blob) -> bool {
    let mut promises = blob.told.promised.iter().zip(blob.links);
    let have_links = promises.all(|(is_promised, link)| !is_promised || link != Link::Absent);
    let is_kept = blob.row == Row::Live && has_bytes(blob);
    have_links && (is_kept || !blob.is_promised())
}

fn is_backup_whole(state: &State) -> bool {
    let Backup::Copying(snapshot) = state.backup else {
        return true;
    };
    let mut copied = state.blobs.iter().zip(snapshot);
    copied.all(|(blob, had_row)| !had_row || blob.file.seen == Content::Whole || blob.is_damaged())
}

/// When all that is under way has ended, and nobody asks for more, time and collections alone take
/// away every blob that no manifest needs.
fn the_unused_can_go(protocol: &Protocol, state: &State) -> bool {
    let mut state = *state;
    while let Some(next) = nearer_to_rest(protocol, &state) {
        state = next;
    }
    let is_at_rest = state.pushes.iter().all(Option::is_none)
        && state.backup == Backup::None
        && each(&state, |blob| blob.removal.is_none());
    let is_gone = |blob: &Blob| blob.row == Row::Absent && blob.file.seen == Content::Missing;
    is_at_rest && each(&state, |blob| blob.is_referred_to() || is_gone(blob))
}

/// The first of these steps that is possible; none can be taken for ever.
fn nearer_to_rest(protocol: &Protocol, state: &State) -> Option<State> {
    let blobs = 0..protocol.blobs;
    let without_row = |blob: &usize| state.blobs[*blob].row == Row::Absent;
    let begin = |by| move |blob| Action::BeginRemoval { blob, by };
    let pushes = state.pushes.into_iter().flatten();
    let mut steps = pushes
        .map(Action::ContinuePush)
        .chain(blobs.clone().map(|blob| Action::ContinueRemoval { blob }))
        .chain([Action::EndBackup])
        .chain(blobs.clone().map(begin(Remover::Collection)))
        .chain(blobs.clone().filter(without_row).map(begin(Remover::Sweep)))
        .chain(blobs.map(|blob| Action::Condemn { blob }))
        .chain([Action::Tick]);
    steps.find_map(|step| protocol.next_state(state, step))
}
