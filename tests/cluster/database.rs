use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use berth_postgres::test_server::TestServer;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::cluster::{Cluster, NO_GRACE};
use crate::harness::{Berth, OCI_INDEX, digest, index};
use crate::length::{length, seed};
use crate::load::Load;
use crate::server::Server;

#[test]
fn pushes_go_on_when_the_database_was_started_again() {
    let seed = seed();
    let cluster = Cluster::start(2, NO_GRACE, Arc::new(TestServer::start()), Server::endpoint);
    let load = Load {
        cluster: &cluster,
        seed,
        clients: 4,
        programs: &[],
    };
    let (answered, times) = load.during(|stop| stop_and_start(&cluster, seed, length(5), stop));
    let counts = answered.counts;
    answered.holds();
    assert!(times > 0);
    assert!(counts.pushed > 0, "{counts:?}");
}

/// Answers how often the database was started again.
fn stop_and_start(cluster: &Cluster, seed: u64, time: Duration, stop: &AtomicBool) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let begun = Instant::now();
    let mut times = 0;
    while begun.elapsed() < time && !stop.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(random.random_range(500..2000)));
        cluster.database.stop();
        sleep(Duration::from_millis(random.random_range(0..1500)));
        cluster.database.start_again();
        times += 1;
        // At once, by every replica, whatever connections it has.
        for number in 0..cluster.size() {
            cluster.with(number, take_a_push);
        }
    }
    times
}

/// Pushes a manifest, and deletes it.
fn take_a_push(replica: &Berth) {
    // Nothing that could be collected under it.
    let index = index(&[]);
    let path = format!("/v2/cluster/afterwards/manifests/{}", digest(&index));
    replica.put_manifest(&path, OCI_INDEX, index).is(201);
    replica.delete(&path).is(202);
}
