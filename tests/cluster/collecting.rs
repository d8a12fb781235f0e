use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::cluster::Cluster;

/// Older than what a sweep leaves alone out of courtesy.
const AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// What came of collecting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collected {
    pub(crate) runs: usize,
    pub(crate) killed: usize,
    pub(crate) paused: usize,
    pub(crate) failed: Vec<String>,
    /// Blobs that nothing needed.
    pub(crate) blobs: u64,
    /// Objects that no record knew.
    pub(crate) objects: u64,
    /// Records that the last run found no object of.
    pub(crate) missing: u64,
}

/// Collects garbage, as a command beside the replicas, again and again; some of the commands are killed, or stopped for a while.
pub(crate) fn collect(cluster: &Cluster, seed: u64, stop: &AtomicBool) -> Collected {
    let mut random = StdRng::seed_from_u64(seed);
    let mut collected = Collected::default();
    while !stop.load(Ordering::Relaxed) {
        match random.random_range(0..6) {
            0 => collected.in_part(cluster, random.random_range(50..500)),
            1 => {
                let (work, pause) = (random.random_range(50..500), random.random_range(500..3000));
                collected.with_a_pause(cluster, work, pause);
            }
            _ => collected.once(cluster),
        }
        sleep(Duration::from_millis(random.random_range(0..1500)));
    }
    collected
}

impl Collected {
    /// Collects all that there is.
    pub(crate) fn once(&mut self, cluster: &Cluster) {
        // All objects have been there for long, and what was replaced has been so for long.
        cluster.age(AGE);
        let output = cluster.command(&["gc", "--json"]).output().unwrap();
        self.runs += 1;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            self.failed.push(said);
            return;
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let report: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let done = &report["collected"]["done"];
        self.blobs += done["blobs"]["deleted"]["blobs"].as_u64().unwrap();
        self.objects += done["sweep"]["unrecorded"]["blobs"].as_u64().unwrap();
        self.missing = done["sweep"]["missing"]["blobs"].as_u64().unwrap();
    }

    /// Begins to collect, and is killed.
    fn in_part(&mut self, cluster: &Cluster, milliseconds: u64) {
        let mut process = begin(cluster);
        sleep(Duration::from_millis(milliseconds));
        process.kill().unwrap();
        process.wait().unwrap();
        self.killed += 1;
    }

    /// Collects, and does nothing for a while after whatever step it has come to.
    fn with_a_pause(&mut self, cluster: &Cluster, work: u64, pause: u64) {
        let mut process = begin(cluster);
        sleep(Duration::from_millis(work));
        // If it is done already, it takes no signal.
        let signal = |name| rustix::process::kill_process(Pid::from_child(&process), name);
        let _stopped = signal(Signal::STOP);
        sleep(Duration::from_millis(pause));
        let _continued = signal(Signal::CONT);
        process.wait().unwrap();
        self.paused += 1;
    }
}

fn begin(cluster: &Cluster) -> Child {
    cluster.age(AGE);
    let mut command = cluster.command(&["gc"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
