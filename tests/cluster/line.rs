use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use berth_postgres::test_server::TestServer;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Runtime;

use crate::cluster::{Cluster, NO_GRACE};
use crate::length::{length, seed};
use crate::load::Load;
use crate::proxy::{Fault, Proxy};

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
    let seed = seed();
    let runtime = Runtime::new().unwrap();
    let mut line = None;
    let cluster = Cluster::start(2, NO_GRACE, TestServer::shared(), |bucket| {
        let proxy = runtime.block_on(Proxy::before(&bucket.address));
        line.insert(proxy).endpoint()
    });
    let line = line.unwrap();
    let load = Load {
        cluster: &cluster,
        seed,
        clients: 4,
        programs: &[],
    };
    let (answered, faults) = load.during(|stop| disturb(&line, seed, length(6), stop));
    let counts = answered.counts;
    answered.holds();
    assert!(faults > 10, "{faults}");
    assert!(counts.pushed > 0, "{counts:?}");
}

/// Answers how many requests went wrong.
fn disturb(line: &Proxy, seed: u64, time: Duration, stop: &AtomicBool) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let begun = Instant::now();
    let mut faults = 0;
    while begun.elapsed() < time && !stop.load(Ordering::Relaxed) {
        for _ in 0..30 {
            let after = random.random_range(0..20);
            line.fail_one(after, *FAULTS.choose(&mut random).unwrap());
            faults += 1;
            sleep(Duration::from_millis(random.random_range(0..200)));
        }
        faults -= line.calm();
        // Nothing goes through.
        line.fail("", "", Fault::CutRequest(0), usize::MAX);
        sleep(Duration::from_millis(random.random_range(0..2000)));
        line.calm();
        // What had begun goes on before it is cut off again.
        sleep(Duration::from_secs(1));
    }
    faults
}
