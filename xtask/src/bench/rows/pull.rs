//! Pull of one large blob, which is in the page cache.

use anyhow::{Result, ensure};
use berth_spec::Digest;
use futures_util::future::try_join_all;

use super::{Bench, progress};
use crate::bench::content::Content;
use crate::bench::http::{Connection, Request};
use crate::bench::load::{Cost, measured, open};
use crate::bench::push::{self, Way};
use crate::bench::registries::Running;
use crate::bench::results::{Measurements, Metric, ONE_CONNECTION, Registry};

const CONNECTIONS: [usize; 2] = [1, 16];

pub(super) async fn measure(bench: &Bench) -> Result<Measurements> {
    let mut content = Content::new(1, bench.scale.blob);
    let digest = content.digest();
    let servers = bench.start_all().await?;
    for server in &servers {
        let mut connection = Connection::open(server.address).await?;
        push::content(
            &mut connection,
            "pull",
            &mut content,
            &digest,
            Way::SinglePut,
        )
        .await?;
        // Once without measuring, so that all find the blob in the page cache.
        pull(server, 1, &digest, content.size()).await?;
    }
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds {
        for count in CONNECTIONS {
            for server in &servers {
                let case = case(count);
                let cost = pull(server, count, &digest, content.size()).await?;
                let bytes = content.size() * count as u64;
                add(&mut measurements, server.registry, &case, bytes, cost);
                let text = format!("{:.0} MB/s", bytes as f64 / 1e6 / cost.seconds);
                progress(round, server.registry, &case, &text);
            }
        }
    }
    Ok(measurements)
}

fn case(connections: usize) -> String {
    match connections {
        1 => ONE_CONNECTION.to_owned(),
        many => format!("{many} connections"),
    }
}

/// Pulls the whole blob on each of so many connections at once.
async fn pull(server: &Running, connections: usize, digest: &Digest, size: u64) -> Result<Cost> {
    let request = Request::get(&format!("/v2/pull/blobs/{digest}"));
    let mut connections = open(server.address, connections).await?;
    let pulls = connections.iter_mut().map(async |connection| {
        let answer = connection.send(&request).await?;
        push::expect(&answer, 200, "GET of a blob")?;
        ensure!(answer.length == size, "a blob is {} bytes", answer.length);
        Ok(())
    });
    let (_, cost) = measured(server, try_join_all(pulls)).await?;
    Ok(cost)
}

/// Adds what moving so many bytes cost.
pub(super) fn add(
    measurements: &mut Measurements,
    registry: Registry,
    case: &str,
    bytes: u64,
    cost: Cost,
) {
    let bytes = bytes as f64;
    let gibibytes = bytes / f64::from(1 << 30);
    for (metric, value) in [
        (Metric::MegabytesPerSecond, bytes / 1e6 / cost.seconds),
        (Metric::CpuSecondsPerGibibyte, cost.cpu_seconds / gibibytes),
        (Metric::PeakMebibytes, cost.peak_mebibytes),
    ] {
        measurements.add(registry, case, metric, value);
    }
}
