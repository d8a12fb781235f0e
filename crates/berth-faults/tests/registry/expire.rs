use berth_registry::Content;
use berth_spec::Algorithm;

use crate::contents::{HERE, LAYER};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::{Process, later};
use crate::scenario::{Outcome, Scenario};

/// The end of upload sessions whose time has run out.
struct Expire;

impl Scenario for Expire {
    async fn prepare(&self, process: &Process) {
        let registry = &process.registry;
        for _ in 0..2 {
            let begun = registry.begin_upload(&HERE, Algorithm::default());
            let (session, content) = (begun.await.unwrap(), Content::from_bytes(LAYER));
            let appended = registry.append_upload(&HERE, session, content);
            appended.await.unwrap();
        }
    }

    async fn operate(&self, process: &Process) -> Outcome {
        process.registry.expire_uploads(later(2)).await?;
        // One that cannot be ended now does not keep the others from ending.
        let rest = process.stored.metadata.expired_uploads(later(2), 2).await?;
        match rest.len() {
            0 => Ok(()),
            _ if process.faults.has_crashed() => Err("nobody is there any more".into()),
            1 => Err("one session stays for the next time".into()),
            _ => panic!("a fault of one session harmed another"),
        }
    }
}

/// The end of an upload session that its client gives up.
struct Cancel;

impl Scenario for Cancel {
    async fn prepare(&self, process: &Process) {
        let registry = &process.registry;
        let begun = registry.begin_upload(&HERE, Algorithm::default()).await;
        let (session, content) = (begun.unwrap(), Content::from_bytes(LAYER));
        let appended = registry.append_upload(&HERE, session, content).await;
        appended.unwrap();
    }

    async fn operate(&self, process: &Process) -> Outcome {
        let sessions = process.stored.metadata.expired_uploads(later(2), 2).await?;
        for session in sessions {
            process.registry.cancel_upload(&HERE, session).await?;
        }
        Ok(())
    }

    async fn assert_done(&self, process: &Process) {
        let sessions = process.stored.metadata.expired_uploads(later(2), 1).await;
        assert_eq!(sessions.unwrap(), []);
    }
}

#[test]
fn a_cancellation_survives_every_fault() {
    try_every_fault(&Cancel);
}

#[test]
fn a_cancellation_can_be_left_at_every_step() {
    leave_at_every_step(&Cancel);
}

#[test]
fn the_end_of_sessions_survives_every_fault() {
    try_every_fault(&Expire);
}

#[test]
fn the_end_of_sessions_can_be_left_at_every_step() {
    leave_at_every_step(&Expire);
}
