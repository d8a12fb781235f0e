use anyhow::Result;
use berth_spec::Digest;

use super::probe::{Addresses, Probe};
use super::{Bench, CONNECTIONS, CONTROL, Pair, growing, page};
use crate::bench::http::Connection;
use crate::bench::load::{for_each, open};
use crate::bench::push;
use crate::bench::registries::Running;
use crate::bench::results::Measurements;

/// Where every repository has its only blob from.
const SOURCE: &str = "source";
const BLOB: &[u8] = b"{}";

/// A catalog is one for a whole registry: the control is another server.
pub(super) async fn measure(bench: &Bench, measurements: &mut Measurements) -> Result<()> {
    let pairs = Pair::start_all(bench).await?;
    for pair in &pairs {
        for server in [&pair.growing, &pair.control] {
            let mut connection = Connection::open(server.address).await?;
            push::blob(&mut connection, SOURCE, BLOB, &Digest::sha256(BLOB)).await?;
        }
        fill(&pair.control, 0..CONTROL).await?;
    }
    let mut filled = 0;
    for &size in bench.scale.sizes {
        for pair in growing(&pairs, size) {
            println!("{}: up to {size} repositories", pair.registry().name());
            fill(&pair.growing, filled..size).await?;
            measure_at(bench, size, pair, measurements).await?;
        }
        filled = size;
    }
    Ok(())
}

async fn fill(server: &Running, numbers: std::ops::Range<usize>) -> Result<()> {
    let digest = Digest::sha256(BLOB);
    let mut connections = open(server.address, CONNECTIONS).await?;
    for_each(&mut connections, numbers, async |connection, number| {
        push::mount(connection, &repository(number), SOURCE, BLOB, &digest).await
    })
    .await
}

async fn measure_at(
    bench: &Bench,
    size: usize,
    pair: &Pair,
    measurements: &mut Measurements,
) -> Result<()> {
    let probe = Probe {
        case: "catalog page, by repositories",
        size,
        turns: bench.scale.turns,
        requests: bench.scale.requests,
    };
    let addresses = Addresses {
        control: pair.control.address,
        grown: pair.growing.address,
    };
    let targets = [CONTROL, size].map(|size| format!("/v2/_catalog?{}", page(size, repository)));
    probe
        .measure_get(pair.registry(), addresses, measurements, targets)
        .await
}

/// Repositories in the order of their numbers.
fn repository(number: usize) -> String {
    format!("growth/r{number:07}")
}
