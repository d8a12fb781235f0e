//! A push that finds room when it begins, and none when it ends.

use berth_registry::{Content, RegistryError};
use futures_util::{StreamExt, stream};

use crate::contents::{LAYER, NARROW, OTHER, digest};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::Process;
use crate::scenario::{Outcome, Scenario};

/// The layer, before whose bytes somebody else takes the room that it needs.
fn content(process: &Process) -> Content {
    let elsewhere = process.stored.registry.clone();
    let body = stream::once(async move {
        let other = Content::from_bytes(OTHER);
        let taken = elsewhere.push_blob(&NARROW, &digest(OTHER), other).await;
        taken.unwrap();
        Ok(LAYER.into())
    });
    Content {
        range: None,
        length: Some(LAYER.len() as u64),
        body: body.boxed(),
    }
}

pub(crate) async fn push(process: &Process) -> Result<(), RegistryError> {
    let digest = digest(LAYER);
    let pushed = process
        .registry
        .push_blob(&NARROW, &digest, content(process));
    pushed.await
}

/// The refusal is what is to come of it.
struct Refused;

impl Scenario for Refused {
    async fn prepare(&self, _: &Process) {}

    async fn operate(&self, process: &Process) -> Outcome {
        match push(process).await {
            Err(RegistryError::QuotaExceeded(_)) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => panic!("there is no room for it"),
        }
    }
}

#[test]
fn a_refused_push_survives_every_fault() {
    try_every_fault(&Refused);
}

#[test]
fn a_refused_push_can_be_left_at_every_step() {
    leave_at_every_step(&Refused);
}
