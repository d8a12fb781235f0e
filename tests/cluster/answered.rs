use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;

use crate::check::check;
use crate::cluster::Cluster;
use crate::collecting::Collected;
use crate::ledger::{Ledger, State};
use crate::pusher::{Counts, Outcome};

/// What all clients were answered.
pub(crate) struct Answered<'a> {
    cluster: &'a Cluster,
    seed: u64,
    ledger: Ledger,
    pub(crate) counts: Counts,
    pub(crate) collected: Collected,
    findings: Vec<String>,
    failures: BTreeMap<String, usize>,
    histories: Vec<Vec<String>>,
}

impl<'a> Answered<'a> {
    pub(crate) fn nothing(cluster: &'a Cluster, seed: u64) -> Self {
        Self {
            cluster,
            seed,
            ledger: Ledger::default(),
            counts: Counts::default(),
            collected: Collected::default(),
            findings: Vec::new(),
            failures: BTreeMap::new(),
            histories: Vec::new(),
        }
    }

    /// Takes in what a client was answered.
    pub(crate) fn include(&mut self, outcome: Outcome) {
        self.ledger.extend(outcome.ledger);
        self.counts.include(outcome.counts);
        self.findings.extend(outcome.findings);
        self.histories.push(outcome.history);
        for (failure, times) in outcome.failures {
            *self.failures.entry(failure).or_default() += times;
        }
    }

    /// Everything that was acknowledged is there, and nothing that was deleted is back: every replica says so, and so does the
    /// verification of all that is stored; also when all garbage is gone.
    pub(crate) fn holds(mut self) {
        println!("{:?}", self.counts);
        println!("{:?}", self.collected);
        println!("not answered: {:#?}", self.failures);
        for state in [State::There, State::Gone, State::Unknown] {
            println!("{state:?}: {} manifests", self.ledger.count(state));
        }
        self.check_replicas();
        let mut collected = Collected::default();
        collected.once(self.cluster);
        if !collected.failed.is_empty() || collected.missing > 0 {
            self.findings
                .push(format!("the last collection: {collected:?}"));
        }
        self.look_for_garbage();
        self.verify();
        // What is lost already, nobody needs to be told twice.
        if self.findings.is_empty() {
            self.check_replicas();
        }
        self.complain();
    }

    fn check_replicas(&mut self) {
        let (cluster, ledger) = (self.cluster, &self.ledger);
        let found = thread::scope(|scope| {
            let check = |number| {
                let address = cluster.address(number);
                scope.spawn(move || (number, check(&address, ledger)))
            };
            let checks: Vec<_> = (0..cluster.size()).map(check).collect();
            let checks = checks.into_iter().map(|it| it.join().unwrap());
            checks.collect::<Vec<_>>()
        });
        for (number, findings) in found {
            let of_replica = |it| format!("replica {number}: {it}");
            self.findings.extend(findings.into_iter().map(of_replica));
        }
    }

    /// The bucket has each blob that is needed once, and no other.
    fn look_for_garbage(&mut self) {
        let manifests = self.ledger.manifests.values();
        let stored = manifests.filter(|it| it.state != State::Gone);
        let blobs = stored.flat_map(|it| &it.blobs);
        let needed: BTreeSet<&str> = blobs.map(|it| it.digest.as_str()).collect();
        let mut seen = BTreeSet::new();
        for object in self.cluster.bucket.objects() {
            if !object.starts_with("registry/blobs") {
                continue;
            }
            let name = object.file_name().unwrap().to_str().unwrap();
            let digest = format!("sha256:{}", name.split('.').next().unwrap());
            if !needed.contains(digest.as_str()) || !seen.insert(digest) {
                let what = format!("{} is garbage", object.display());
                self.findings.push(what);
            }
        }
    }

    fn verify(&mut self) {
        let output = self.cluster.command(&["verify"]).output().unwrap();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let printed = String::from_utf8_lossy(&output.stdout);
            self.findings
                .push(format!("berth verify: {printed} {said}"));
        }
    }

    fn complain(self) {
        for error in self.cluster.errors().iter().take(30) {
            println!("{error}");
        }
        if self.findings.is_empty() {
            return;
        }
        let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{}", self.seed));
        self.cluster.write_logs(&logs);
        for (number, history) in self.histories.iter().enumerate() {
            let path = logs.join(format!("client-{number}.log"));
            fs::write(path, history.join("\n")).unwrap();
        }
        let count = self.findings.len();
        let some = self.findings.into_iter().take(20).collect::<Vec<_>>();
        panic!(
            "{count} things are wrong; logs are in {}\n{}",
            logs.display(),
            some.join("\n")
        );
    }
}
