use std::collections::BTreeSet;
use std::thread::panicking;

use berth_faults::{Fault, Faults, When};
use berth_spec::Digest;

use crate::folder::Folder;
use crate::process::Process;
use crate::scenario::Scenario;
use crate::seen::{Seen, look, recorded};
use crate::tidy::{assert_has_only, tidy};

const FAULTS: [Fault; 5] = [
    Fault::Full,
    Fault::Error(When::Before),
    Fault::Error(When::After),
    Fault::Crash(When::Before),
    Fault::Crash(When::After),
];

/// For steps that can be done by half.
const HALVES: [Fault; 2] = [Fault::Error(When::Halfway), Fault::Crash(When::Halfway)];

/// Tries a scenario with each fault at each of its steps.
pub(crate) fn try_every_fault(scenario: &impl Scenario) {
    let trials = Trials::prepare(scenario);
    for (index, name) in trials.steps.iter().enumerate() {
        let halves = HALVES.iter().filter(|_| ["write", "delete"].contains(name));
        for fault in FAULTS.iter().chain(halves) {
            trials.try_fault(index + 1, *fault);
        }
    }
}

/// A scenario, and what it does if nothing goes wrong.
pub(crate) struct Trials<'a, S> {
    scenario: &'a S,
    prepared: Folder,
    before: Seen,
    after: Seen,
    pub(crate) steps: Vec<&'static str>,
}

impl<'a, S: Scenario> Trials<'a, S> {
    pub(crate) fn prepare(scenario: &'a S) -> Self {
        let prepared = Folder::new();
        let before = prepared.process(&Faults::none(), async |process| {
            scenario.prepare(process).await;
            look(&process.stored).await
        });
        let faults = Faults::none();
        let after = prepared.copy().process(&faults, async |process| {
            scenario.operate(process).await.unwrap();
            scenario.assert_done(process).await;
            look(&process.stored).await
        });
        let steps = faults.steps();
        assert!(!steps.is_empty());
        Self {
            scenario,
            prepared,
            before,
            after,
            steps,
        }
    }

    fn try_fault(&self, step: usize, fault: Fault) {
        let faults = Faults::at(step, fault);
        let _told = ToldIfItPanics(fault, step, &faults);
        let folder = self.prepared.copy();
        let acknowledged = folder.process(&faults, async |process| {
            let outcome = self.scenario.operate(process).await;
            if !faults.has_crashed() {
                self.go_on(process, outcome.is_ok()).await;
            }
            outcome.is_ok()
        });
        match faults.has_crashed() {
            true => self.restart(&folder, acknowledged),
            false => self.restart_tidy(&folder),
        }
    }

    /// After a crash.
    fn restart(&self, folder: &Folder, acknowledged: bool) {
        let go_on = async |process: &Process| self.go_on(process, acknowledged).await;
        let blobs = folder.process(&Faults::none(), go_on);
        assert_has_only(folder, &blobs);
    }

    /// After all is done.
    pub(crate) fn restart_tidy(&self, folder: &Folder) {
        let blobs = folder.process(&Faults::none(), async |process| {
            self.look(process, true).await;
            recorded(&process.stored).await
        });
        assert_has_only(folder, &blobs);
    }

    /// Does it again, if that is needed, and then what a registry does every now and then. Answers
    /// which blobs stay.
    pub(crate) async fn go_on(&self, process: &Process, acknowledged: bool) -> BTreeSet<Digest> {
        process.faults.cease();
        self.look(process, acknowledged).await;
        if !acknowledged {
            self.scenario.operate(process).await.unwrap();
            self.look(process, true).await;
        }
        tidy(process).await;
        self.look(process, true).await;
        recorded(&process.stored).await
    }

    async fn look(&self, process: &Process, acknowledged: bool) {
        let seen = look(&process.stored).await;
        if acknowledged {
            assert_eq!(seen, self.after);
            self.scenario.assert_done(process).await;
            return;
        }
        let is_allowed = self.scenario.allows(&seen, &self.before, &self.after);
        assert!(is_allowed, "{seen:?} is neither before nor after");
    }

    pub(crate) fn folder(&self) -> Folder {
        self.prepared.copy()
    }

    pub(crate) fn scenario(&self) -> &S {
        self.scenario
    }
}

/// Says which trial it was.
struct ToldIfItPanics<'a>(Fault, usize, &'a Faults);

impl Drop for ToldIfItPanics<'_> {
    fn drop(&mut self) {
        let Self(fault, step, faults) = self;
        if panicking() {
            eprintln!("with {fault:?} at step {step} of {:?}", faults.steps());
        }
    }
}
