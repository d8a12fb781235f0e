use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use crate::contents::{HERE, LAYER, digest};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::{Process, later};
use crate::scenario::{Outcome, Scenario};

/// That an old blob is there, which is a promise that it stays.
#[derive(Default)]
struct Head {
    is_condemned: bool,
    /// When all links were made already.
    made_before: OnceLock<SystemTime>,
}

impl Scenario for Head {
    async fn prepare(&self, process: &Process) {
        process.push(&HERE, &[LAYER]).await;
        if self.is_condemned {
            process.condemn(&[LAYER]).await;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.made_before.set(SystemTime::now()).unwrap();
        // Stores keep milliseconds.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    async fn operate(&self, process: &Process) -> Outcome {
        process.registry.blob(&HERE, &digest(LAYER)).await?;
        Ok(())
    }

    async fn assert_done(&self, process: &Process) {
        let (metadata, made_before) = (&process.stored.metadata, self.made_before.get());
        let unused = metadata.unused_blobs(None, *made_before.unwrap(), 1).await;
        assert_eq!(unused.unwrap().blobs, []);
        let condemned = metadata.condemned_blobs(None, later(1), 1).await;
        assert_eq!(condemned.unwrap(), []);
    }
}

#[test]
fn a_promise_survives_every_fault() {
    try_every_fault(&Head::default());
}

#[test]
fn a_promise_of_a_condemned_blob_survives_every_fault() {
    try_every_fault(&Head {
        is_condemned: true,
        ..Head::default()
    });
}

#[test]
fn a_promise_can_be_left_at_every_step() {
    leave_at_every_step(&Head::default());
}
