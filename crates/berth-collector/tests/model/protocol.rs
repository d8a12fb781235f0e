//! All that can happen next, and what it changes.
//!
//! A step is a transaction, an operation on a file, or the taking of a guard. Anything else may come
//! between two steps.

use stateright::{Model, Property};

use crate::flaws::Flaw;
use crate::state::{BLOBS, Content, Push, Remover, State};
use crate::{push, requests, world};

/// How much is explored, and what is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) repositories: usize,
    pub(crate) blobs: usize,
    /// How many uploads may be under way at once.
    pub(crate) pushes: usize,
    /// Whether backups are made.
    pub(crate) backups: bool,
    /// Whether files become corrupt, and verification looks for them.
    pub(crate) damage: bool,
    pub(crate) flaws: Vec<Flaw>,
    /// What is asked of every state.
    pub(crate) properties: fn() -> Vec<Property<Protocol>>,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    BeginPush {
        blob: usize,
        repository: usize,
    },
    ContinuePush(Push),
    /// It ends with an error: the next steps are not taken.
    FailPush(Push),
    Mount {
        blob: usize,
        to: usize,
    },
    Head {
        blob: usize,
        repository: usize,
    },
    PutManifest {
        repository: usize,
    },
    DeleteManifest {
        repository: usize,
    },
    DeleteBlob {
        blob: usize,
        repository: usize,
    },
    Condemn {
        blob: usize,
    },
    BeginRemoval {
        blob: usize,
        by: Remover,
    },
    ContinueRemoval {
        blob: usize,
    },
    /// As with a push.
    FailRemoval {
        blob: usize,
    },
    BeginBackup,
    TakeSnapshot,
    EndBackup,
    Corrupt {
        blob: usize,
    },
    /// Verification has read a corrupt file.
    ReadCorrupt {
        blob: usize,
    },
    /// A grace period passes.
    Tick,
    /// The process ends, and starts again. This is what has become of the file of each blob.
    Crash([Content; BLOBS]),
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for blob in 0..self.blobs {
            self.actions_on_blob(blob, actions);
        }
        for repository in 0..self.repositories {
            actions.push(Action::PutManifest { repository });
            actions.push(Action::DeleteManifest { repository });
        }
        for push in state.pushes.into_iter().flatten() {
            actions.push(Action::ContinuePush(push));
            actions.push(Action::FailPush(push));
        }
        if self.backups {
            actions.extend([Action::BeginBackup, Action::TakeSnapshot, Action::EndBackup]);
        }
        actions.push(Action::Tick);
        for first in state.blobs[0].file.survivors() {
            for second in state.blobs[1].file.survivors() {
                actions.push(Action::Crash([first, second]));
            }
        }
    }

    /// None if the action is not possible now, or changes nothing.
    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        self.take(&mut state, action)?;
        state.pushes.sort_unstable();
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        (self.properties)()
    }
}

impl Protocol {
    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.flaws.contains(&flaw)
    }

    fn actions_on_blob(&self, blob: usize, actions: &mut Vec<Action>) {
        for repository in 0..self.repositories {
            actions.extend([
                Action::BeginPush { blob, repository },
                Action::Mount {
                    blob,
                    to: repository,
                },
                Action::Head { blob, repository },
                Action::DeleteBlob { blob, repository },
            ]);
        }
        for by in [Remover::Collection, Remover::Sweep, Remover::Verification] {
            actions.push(Action::BeginRemoval { blob, by });
        }
        actions.extend([
            Action::Condemn { blob },
            Action::ContinueRemoval { blob },
            Action::FailRemoval { blob },
        ]);
        if self.damage {
            actions.extend([Action::Corrupt { blob }, Action::ReadCorrupt { blob }]);
        }
    }

    fn take(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::BeginPush { blob, repository } => self.begin_push(state, blob, repository),
            Action::ContinuePush(push) => self.continue_push(state, push),
            Action::FailPush(push) => push::replace(state, push, None),
            Action::Mount { blob, to } => self.mount(&mut state.blobs[blob], to),
            Action::Head { blob, repository } => self.head(&mut state.blobs[blob], repository),
            Action::PutManifest { repository } => self.put_manifest(state, repository),
            Action::DeleteManifest { repository } => requests::delete_manifest(state, repository),
            Action::DeleteBlob { blob, repository } => {
                requests::delete_blob(&mut state.blobs[blob], repository)
            }
            Action::Condemn { blob } => self.condemn(&mut state.blobs[blob]),
            Action::BeginRemoval { blob, by } => self.begin_removal(state, blob, by),
            Action::ContinueRemoval { blob } => self.continue_removal(state, blob),
            Action::FailRemoval { blob } => state.blobs[blob].removal.take().map(drop),
            Action::BeginBackup => world::begin_backup(state),
            Action::TakeSnapshot => world::take_snapshot(state),
            Action::EndBackup => world::end_backup(state),
            Action::Corrupt { blob } => world::corrupt(&mut state.blobs[blob]),
            Action::ReadCorrupt { blob } => world::read_corrupt(&mut state.blobs[blob]),
            Action::Tick => world::tick(state),
            Action::Crash(survivors) => world::crash(state, survivors),
        }
    }
}
