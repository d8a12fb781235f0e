use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use berth_postgres::test_server::TestServer;

use crate::cluster::{Cluster, NO_GRACE};
use crate::harness::{Berth, Image, Push};
use crate::load::Load;
use crate::server::Server;

const SEED: u64 = 7;

#[test]
fn pushes_go_on_when_the_database_was_started_again() {
    let cluster = Cluster::start(2, NO_GRACE, Arc::new(TestServer::start()), Server::endpoint);
    let load = Load {
        cluster: &cluster,
        seed: SEED,
        clients: 4,
        programs: &[],
    };
    let (answered, ()) = load.during(|_| {
        for time in [100, 1500] {
            sleep(Duration::from_millis(1500));
            cluster.database.stop();
            sleep(Duration::from_millis(time));
            cluster.database.start_again();
        }
        // At once, by every replica, whatever connections it has.
        for number in 0..cluster.size() {
            cluster.with(number, take_a_push);
        }
        sleep(Duration::from_secs(1));
    });
    let counts = answered.counts;
    answered.holds();
    assert!(counts.pushed > 10, "{counts:?}");
}

/// Pushes something, and deletes it.
fn take_a_push(replica: &Berth) {
    let image = Image::new(replica.process_id().into());
    let repository = "cluster/afterwards";
    replica.push(repository, "v1", &image);
    let path = format!("/v2/{repository}/manifests/{}", image.digest());
    replica.delete(&path).is(202);
}
