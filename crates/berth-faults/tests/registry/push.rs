use berth_registry::Content;

use crate::contents::{HERE, LAYER, THERE, digest};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::{Process, later};
use crate::scenario::{Outcome, Scenario};

/// A push of a whole blob in one request.
enum InOne {
    New,
    /// Another repository has it.
    Known,
    /// No repository has it any more, and garbage collection is about to delete it.
    Condemned,
}

impl Scenario for InOne {
    async fn prepare(&self, process: &Process) {
        match self {
            Self::New => {}
            Self::Known => process.push(&THERE, &[LAYER]).await,
            Self::Condemned => {
                process.push(&THERE, &[LAYER]).await;
                process.condemn(&[LAYER]).await;
            }
        }
    }

    async fn operate(&self, process: &Process) -> Outcome {
        let content = Content::from_bytes(LAYER);
        let (registry, digest) = (&process.registry, digest(LAYER));
        let pushed = registry.push_blob(&HERE, &digest, content).await;
        if pushed.is_err() && !process.faults.has_crashed() {
            assert_eq!(process.stored.blobs.staged().await?, []);
        }
        Ok(pushed?)
    }

    async fn assert_done(&self, process: &Process) {
        let condemned = process.stored.metadata.condemned_blobs(None, later(1), 1);
        assert_eq!(condemned.await.unwrap(), []);
    }
}

#[test]
fn a_push_survives_every_fault() {
    try_every_fault(&InOne::New);
}

#[test]
fn a_push_can_be_left_at_every_step() {
    leave_at_every_step(&InOne::New);
}

#[test]
fn a_push_of_a_blob_that_is_there_survives_every_fault() {
    try_every_fault(&InOne::Known);
}

#[test]
fn a_push_of_a_condemned_blob_survives_every_fault() {
    try_every_fault(&InOne::Condemned);
}

#[test]
fn a_push_of_a_condemned_blob_can_be_left_at_every_step() {
    leave_at_every_step(&InOne::Condemned);
}
