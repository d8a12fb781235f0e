//! Many requests for manifests, on many connections that stay open.

use std::net::SocketAddr;

use anyhow::Result;

use super::{Bench, progress};
use crate::bench::http::{Body, Connection, Request};
use crate::bench::image::Image;
use crate::bench::load::{Cost, blow, measured, open};
use crate::bench::push;
use crate::bench::registries::Running;
use crate::bench::results::{Measurements, Metric};
use crate::bench::statistics::percentile;
use berth_spec::media_types;

pub(in crate::bench) const CONNECTIONS: usize = 64;
const TAGS: usize = 100;

pub(super) async fn measure(bench: &Bench) -> Result<Measurements> {
    let images = images();
    let servers = bench.start_all().await?;
    for server in &servers {
        fill(server.address, &images).await?;
    }
    let cases = cases(&images);
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds {
        for (case, requests) in &cases {
            for server in &servers {
                let mut connections = open(server.address, CONNECTIONS).await?;
                let work = blow(&mut connections, requests, bench.scale.storm);
                let (latencies, cost) = measured(server, work).await?;
                let text = add(&mut measurements, server, case, &latencies, cost);
                progress(round, server.registry, case, &text);
            }
        }
    }
    Ok(measurements)
}

/// What is pulled.
pub(in crate::bench) fn images() -> Vec<Image> {
    let numbers = 0..TAGS;
    numbers
        .map(|number| Image::new(&number.to_string(), &[]))
        .collect()
}

/// One image for each tag.
pub(in crate::bench) async fn fill(address: SocketAddr, images: &[Image]) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    for (number, image) in images.iter().enumerate() {
        push::blob(
            &mut connection,
            "storm",
            &image.config,
            &image.config_digest,
        )
        .await?;
        push::manifest(&mut connection, "storm", &tag(number), &image.manifest).await?;
    }
    Ok(())
}

fn tag(number: usize) -> String {
    format!("v{number}")
}

/// The requests of each case: one for each image.
pub(in crate::bench) fn cases(images: &[Image]) -> [(&'static str, Vec<Request>); 3] {
    let request = |method: &str, reference: &str| {
        let target = format!("/v2/storm/manifests/{reference}");
        let headers = [("Accept", media_types::OCI_IMAGE_MANIFEST)];
        Request::new(method, &target, &headers, &Body::None)
    };
    let by_tag = |method: &str| {
        let tags = (0..images.len()).map(tag);
        tags.map(|tag| request(method, &tag)).collect()
    };
    let by_digest = images
        .iter()
        .map(|image| request("GET", image.digest.as_str()))
        .collect();
    [
        ("GET by tag", by_tag("GET")),
        ("GET by digest", by_digest),
        ("HEAD by tag", by_tag("HEAD")),
    ]
}

/// Adds what a storm cost, and answers what to tell of it.
fn add(
    measurements: &mut Measurements,
    server: &Running,
    case: &str,
    latencies: &[f64],
    cost: Cost,
) -> String {
    let count = latencies.len() as f64;
    let rate = count / cost.seconds;
    let cpu = cost.cpu_seconds * 1e6 / count;
    let p50 = percentile(latencies, 50).unwrap_or_default();
    let p99 = percentile(latencies, 99).unwrap_or_default();
    for (metric, value) in [
        (Metric::RequestsPerSecond, rate),
        (Metric::MillisecondsP50, p50),
        (Metric::MillisecondsP99, p99),
        (Metric::CpuMicrosecondsPerRequest, cpu),
        (Metric::PeakMebibytes, cost.peak_mebibytes),
    ] {
        measurements.add(server.registry, case, metric, value);
    }
    format!("{rate:.0} requests/s, p99 {p99:.2} ms")
}
