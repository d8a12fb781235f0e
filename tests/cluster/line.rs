use std::thread::sleep;
use std::time::Duration;

use berth_postgres::test_server::TestServer;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Runtime;

use crate::cluster::{Cluster, NO_GRACE};
use crate::load::Load;
use crate::proxy::{Fault, Proxy};

const SEED: u64 = 8;

const FAULTS: [Fault; 7] = [
    Fault::CutAnswer(100),
    Fault::CutAnswer(5_000),
    Fault::CutRequest(0),
    Fault::CutRequest(3_000),
    Fault::DropAnswer,
    Fault::SlowDown,
    Fault::Stall(50, Duration::from_secs(2)),
];

#[test]
fn nothing_is_lost_when_the_line_to_the_bucket_is_cut() {
    let runtime = Runtime::new().unwrap();
    let mut line = None;
    let cluster = Cluster::start(2, NO_GRACE, TestServer::shared(), |bucket| {
        let proxy = runtime.block_on(Proxy::before(&bucket.address));
        line.insert(proxy).endpoint()
    });
    let line = line.unwrap();
    let mut random = StdRng::seed_from_u64(SEED);
    let load = Load {
        cluster: &cluster,
        seed: SEED,
        clients: 4,
        programs: &[],
    };
    let (answered, ()) = load.during(|_| {
        for _ in 0..40 {
            let after = random.random_range(0..20);
            line.fail_one(after, *FAULTS.choose(&mut random).unwrap());
            sleep(Duration::from_millis(random.random_range(0..200)));
        }
        // Nothing goes through.
        line.fail("", "", Fault::CutRequest(0), usize::MAX);
        sleep(Duration::from_secs(1));
        line.calm();
        sleep(Duration::from_secs(1));
    });
    let counts = answered.counts;
    answered.holds();
    assert!(counts.pushed > 10, "{counts:?}");
}
