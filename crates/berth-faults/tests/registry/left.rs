use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use berth_faults::{Fault, Faults};
use berth_metadata::UploadRevision;
use berth_spec::SessionId;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::every_fault::Trials;
use crate::process::Process;
use crate::scenario::Scenario;

/// Does a scenario and stops waiting for it at each of its moments, as when a client goes away. What it
/// started goes on.
pub(crate) fn leave_at_every_step(scenario: &impl Scenario) {
    let trials = Trials::prepare(scenario);
    for moment in 1..=trials.steps.len() * 2 {
        let folder = trials.folder();
        // So that no two moments are in one turn.
        let faults = Faults::planned(|_, _| Some(Fault::Yield(1)));
        folder.process(&faults, async |process| {
            let operating = trials.scenario().operate(process);
            let outcome = until_moment(moment, &faults, operating, yield_now).await;
            settle(process).await;
            let acknowledged = matches!(outcome, Some(Ok(())));
            assert!(acknowledged || outcome.is_none());
            trials.go_on(process, acknowledged).await;
        });
        trials.restart_tidy(&folder);
    }
}

/// Drops work at a moment; what came of it if it ended before that.
pub(crate) async fn until_moment<T>(
    moment: usize,
    faults: &Faults,
    work: impl Future<Output = T>,
    others: impl AsyncFn(),
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        let polled = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context)));
        if let Poll::Ready(outcome) = polled.await {
            return Some(outcome);
        }
        if faults.moments() >= moment {
            return None;
        }
        others().await;
    }
}

/// Waits for all that goes on.
pub(crate) async fn settle(process: &Process) {
    while Handle::current().metrics().num_alive_tasks() > 0 {
        sleep(Duration::from_millis(1)).await;
    }
    // What was to be written before this is written when it is.
    let nothing = UploadRevision {
        id: SessionId::random(),
        revision: 0,
        holder: None,
    };
    let behind_all = process.stored.metadata.delete_upload(nothing);
    assert!(!behind_all.await.unwrap());
}
