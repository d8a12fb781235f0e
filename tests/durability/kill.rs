//! The process is killed at random points under concurrent pushes, mounts and deletions, and started
//! again: what it acknowledged must be so, and nothing half-written.

mod pusher;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use berth_spec::{Algorithm, Digest};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::harness::Berth;
use pusher::Pusher;

const ROUNDS: u64 = 25;
const PUSHERS: u64 = 6;

#[test]
fn nothing_acknowledged_is_lost() {
    let mut pushers: Vec<Pusher> = (0..PUSHERS).map(Pusher::new).collect();
    let mut berth = Berth::start();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let mut random = StdRng::seed_from_u64(round);
        let life = Duration::from_millis(random.random_range(5..400));
        thread::scope(|scope| {
            for pusher in &mut pushers {
                let (client, address) = (berth.client.clone(), berth.address.clone());
                scope.spawn(move || pusher.push_until_killed(&client, &address));
            }
            thread::sleep(life);
            berth.kill();
        });
        berth = berth.restart();
        for pusher in &mut pushers {
            acknowledged += pusher.check(&berth);
        }
    }
    assert!(
        acknowledged > ROUNDS,
        "only {acknowledged} answers were checked"
    );
    for pusher in &mut pushers {
        pusher.check_all(&berth);
    }
    let (mounts, deletions) = pushers
        .iter()
        .map(Pusher::mounts_and_deletions)
        .fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
    assert!(mounts > 0 && deletions > 0, "{mounts}, {deletions}");
    every_published_file_is_whole(&berth.data().join("blobs"));
}

fn every_published_file_is_whole(blobs: &Path) {
    let mut files = 0;
    for algorithm in Algorithm::ALL {
        for folder in fs::read_dir(blobs.join(algorithm.as_str())).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let digest = Digest::of(algorithm, &fs::read(&path).unwrap());
                assert_eq!(digest.hex(), path.file_name().unwrap().to_str().unwrap());
                files += 1;
            }
        }
    }
    assert!(files > 0);
}
