use std::time::Duration;

use berth_postgres::test_server::TestServer;

use crate::cluster::{Cluster, NO_GRACE};
use crate::load::Load;
use crate::outages::happen;
use crate::programs::Program;
use crate::server::Server;

/// So short that it can run for every commit. `BERTH_CLUSTER_SECONDS` makes it longer, and then replicas are also stopped for longer
/// than an upload session is theirs.
const SECONDS: u64 = 15;

#[test]
fn what_was_acknowledged_is_there_whatever_replicas_were_killed() {
    let seconds = number_in("BERTH_CLUSTER_SECONDS").unwrap_or(SECONDS);
    let seed = number_in("BERTH_CLUSTER_SEED").unwrap_or_else(rand::random);
    let cluster = Cluster::start(3, NO_GRACE, TestServer::shared(), Server::endpoint);
    let load = Load {
        cluster: &cluster,
        seed,
        clients: 6,
        programs: &[Program::Crane, Program::Skopeo],
    };
    let time = Duration::from_secs(seconds);
    let (answered, outages) = load.during(|stop| happen(&cluster, seed, time, stop));
    println!("{outages:?}");
    let (counts, collected) = (answered.counts, answered.collected.clone());
    answered.holds();
    // Or else nothing was tried.
    assert!(outages.kills > 3, "{outages:?}");
    assert!(counts.pushed > 50, "{counts:?}");
    assert!(counts.deleted > 5 && counts.pulled > 5, "{counts:?}");
    assert!(collected.blobs > 10, "{collected:?}");
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}
