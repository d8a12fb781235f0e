use crate::contents::{HERE, LAYER, THERE, digest};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::{Process, later};
use crate::scenario::{Outcome, Scenario};

/// A mount of a blob that is about to be deleted.
struct Mount;

impl Scenario for Mount {
    async fn prepare(&self, process: &Process) {
        process.push(&THERE, &[LAYER]).await;
        process.condemn(&[LAYER]).await;
    }

    async fn operate(&self, process: &Process) -> Outcome {
        let (registry, digest) = (&process.registry, digest(LAYER));
        let mounted = registry.mount_blob(&HERE, Some(&THERE), &digest);
        mounted.await?.ok_or("it was not mounted")?;
        Ok(())
    }

    async fn assert_done(&self, process: &Process) {
        let condemned = process.stored.metadata.condemned_blobs(None, later(1), 1);
        assert_eq!(condemned.await.unwrap(), []);
    }
}

#[test]
fn a_mount_survives_every_fault() {
    try_every_fault(&Mount);
}

#[test]
fn a_mount_can_be_left_at_every_step() {
    leave_at_every_step(&Mount);
}
