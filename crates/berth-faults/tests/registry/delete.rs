use berth_registry::{Condition, RegistryError};

use crate::contents::{HERE, LAYER, THERE, digest};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::Process;
use crate::scenario::{Outcome, Scenario};

/// A deletion of a blob from one of the repositories that have it.
struct Delete;

impl Scenario for Delete {
    async fn prepare(&self, process: &Process) {
        process.push(&HERE, &[LAYER]).await;
        process.push(&THERE, &[LAYER]).await;
    }

    async fn operate(&self, process: &Process) -> Outcome {
        let (registry, always) = (&process.registry, Condition::default());
        match registry.delete_blob(&HERE, &digest(LAYER), &always).await {
            Ok(()) | Err(RegistryError::BlobUnknown { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[test]
fn a_deletion_of_a_blob_survives_every_fault() {
    try_every_fault(&Delete);
}

#[test]
fn a_deletion_of_a_blob_can_be_left_at_every_step() {
    leave_at_every_step(&Delete);
}
