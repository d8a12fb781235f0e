use berth_postgres::test_server::TestServer;

use crate::cluster::{Cluster, NO_GRACE};
use crate::length::{length, seed};
use crate::load::Load;
use crate::outages::happen;
use crate::programs::Program;
use crate::server::Server;

/// When it goes on for longer than half a minute, replicas are also stopped for longer than an upload session is theirs.
#[test]
fn what_was_acknowledged_is_there_whatever_replicas_were_killed() {
    let seed = seed();
    let cluster = Cluster::start(3, NO_GRACE, TestServer::shared(), Server::endpoint);
    let load = Load {
        cluster: &cluster,
        seed,
        clients: 6,
        programs: &[Program::Crane, Program::Skopeo],
    };
    let (answered, outages) = load.during(|stop| happen(&cluster, seed, length(15), stop));
    println!("{outages:?}");
    let (counts, collected) = (answered.counts, answered.collected.clone());
    answered.holds();
    assert_eq!(collected.failed, Vec::<String>::new());
    // Or else nothing was tried.
    assert!(outages.kills > 2, "{outages:?}");
    assert!(counts.pushed > 10, "{counts:?}");
    assert!(counts.deleted + counts.pulled > 0, "{counts:?}");
    assert!(collected.blobs > 0, "{collected:?}");
}
