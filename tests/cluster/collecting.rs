use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::cluster::Cluster;

/// Older than what a sweep leaves alone out of courtesy.
const AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// What came of collecting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collected {
    pub(crate) runs: usize,
    pub(crate) killed: usize,
    pub(crate) failed: Vec<String>,
    /// Blobs that nothing needed.
    pub(crate) blobs: u64,
    /// Objects that no record knew.
    pub(crate) objects: u64,
    /// Records that the last run found no object of.
    pub(crate) missing: u64,
}

/// Collects garbage, as a command beside the replicas, again and again; some of the commands are killed.
pub(crate) fn collect(cluster: &Cluster, seed: u64, stop: &AtomicBool) -> Collected {
    let mut random = StdRng::seed_from_u64(seed);
    let mut collected = Collected::default();
    while !stop.load(Ordering::Relaxed) {
        match random.random_range(0..4) {
            0 => {
                collect_in_part(cluster, random.random_range(50..500));
                collected.killed += 1;
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
        // To a sweep, all objects have been there for long.
        cluster.bucket.age(AGE);
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
}

/// Begins to collect, and is killed.
fn collect_in_part(cluster: &Cluster, milliseconds: u64) {
    let mut command = cluster.command(&["gc"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    sleep(Duration::from_millis(milliseconds));
    process.kill().unwrap();
    process.wait().unwrap();
}
