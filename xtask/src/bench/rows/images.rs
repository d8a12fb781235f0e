//! Push of many small images.

use anyhow::Result;

use super::small_image::SmallImage;
use super::{Bench, progress};
use crate::bench::load::{Cost, for_each, measured, open};
use crate::bench::registries::Running;
use crate::bench::results::{Measurements, Metric};

const CONNECTIONS: usize = 16;
const LAYERS: usize = 2;

pub(super) async fn measure(bench: &Bench) -> Result<Measurements> {
    let count = bench.scale.images;
    let images: Vec<SmallImage> = (0..count)
        .map(|number| SmallImage::new(number, LAYERS))
        .collect();
    let many = format!("{count} repositories");
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds {
        for (case, is_one_repository) in [("one repository", true), (&many, false)] {
            for program in &bench.programs {
                // A new server for each round: the images would be known to the old one.
                let server = program.start(&bench.folder).await?;
                let cost = push_all(&server, &images, is_one_repository).await?;
                let rate = add(&mut measurements, &server, case, count, cost);
                progress(round, server.registry, case, &format!("{rate:.0} images/s"));
            }
        }
    }
    Ok(measurements)
}

async fn push_all(
    server: &Running,
    images: &[SmallImage],
    is_one_repository: bool,
) -> Result<Cost> {
    let mut connections = open(server.address, CONNECTIONS).await?;
    let work = for_each(
        &mut connections,
        0..images.len(),
        async |connection, number| {
            let repository = if is_one_repository {
                "images".to_owned()
            } else {
                format!("images/{number}")
            };
            let tag = format!("v{number}");
            images[number].push(connection, &repository, &tag).await
        },
    );
    let ((), cost) = measured(server, work).await?;
    Ok(cost)
}

/// Adds what pushing so many images cost, and answers how many were pushed in a second.
fn add(
    measurements: &mut Measurements,
    server: &Running,
    case: &str,
    count: usize,
    cost: Cost,
) -> f64 {
    let count = count as f64;
    let rate = count / cost.seconds;
    let cpu = cost.cpu_seconds * 1e3 / count;
    for (metric, value) in [
        (Metric::ImagesPerSecond, rate),
        (Metric::CpuMillisecondsPerImage, cpu),
        (Metric::PeakMebibytes, cost.peak_mebibytes),
    ] {
        measurements.add(server.registry, case, metric, value);
    }
    rate
}
