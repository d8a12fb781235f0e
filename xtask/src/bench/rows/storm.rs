//! Many requests for manifests, on many connections that stay open.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;

use super::{Bench, progress};
use crate::bench::http::{Body, Connection, Request};
use crate::bench::image::Image;
use crate::bench::load::{Cost, measured, open};
use crate::bench::push;
use crate::bench::registries::Running;
use crate::bench::results::{Measurements, Metric};
use crate::bench::statistics::percentile;
use berth_spec::media_types;

const CONNECTIONS: usize = 64;
const TAGS: usize = 100;

pub(super) async fn measure(bench: &Bench) -> Result<Measurements> {
    let images: Vec<Image> = (0..TAGS)
        .map(|number| Image::new(&number.to_string(), &[]))
        .collect();
    let servers = bench.start_all().await?;
    for server in &servers {
        fill(server, &images).await?;
    }
    let cases = cases(&images);
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds {
        for (case, requests) in &cases {
            for server in &servers {
                let (latencies, cost) = blow(server, requests, bench.scale.storm).await?;
                let text = add(&mut measurements, server, case, &latencies, cost);
                progress(round, server.registry, case, &text);
            }
        }
    }
    Ok(measurements)
}

/// One image for each tag.
async fn fill(server: &Running, images: &[Image]) -> Result<()> {
    let mut connection = Connection::open(server.address).await?;
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
fn cases(images: &[Image]) -> [(&'static str, Vec<Request>); 3] {
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

/// Sends requests on all connections until the time is over, and answers the milliseconds that
/// each took.
async fn blow(
    server: &Running,
    requests: &[Request],
    duration: Duration,
) -> Result<(Vec<f64>, Cost)> {
    let mut connections = open(server.address, CONNECTIONS).await?;
    let end = Instant::now() + duration;
    // Each connection begins with another request.
    let storms = connections
        .iter_mut()
        .enumerate()
        .map(async |(first, connection)| {
            let mut latencies = Vec::new();
            for request in requests.iter().cycle().skip(first) {
                let sent = Instant::now();
                if sent >= end {
                    break;
                }
                let answer = connection.send(request).await?;
                push::expect(&answer, 200, "a request for a manifest")?;
                latencies.push(sent.elapsed().as_secs_f64() * 1e3);
            }
            Ok(latencies)
        });
    let (latencies, cost) = measured(server, try_join_all(storms)).await?;
    Ok((latencies.concat(), cost))
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
