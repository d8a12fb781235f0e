//! Push of many small images.

use anyhow::Result;
use berth_spec::Digest;

use super::{Bench, progress};
use crate::bench::content::random;
use crate::bench::http::Connection;
use crate::bench::image::{Blob, Image};
use crate::bench::load::{Cost, for_each, measured, open};
use crate::bench::push;
use crate::bench::registries::Running;
use crate::bench::results::{Measurements, Metric};

const CONNECTIONS: usize = 16;
const LAYERS: usize = 2;
const LAYER_SIZE: usize = 10 << 10;

/// An image that is small enough to be held in memory.
struct SmallImage {
    layers: Vec<(Vec<u8>, Digest)>,
    image: Image,
}

pub(super) async fn measure(bench: &Bench) -> Result<Measurements> {
    let count = bench.scale.images;
    let images: Vec<SmallImage> = (0..count).map(small_image).collect();
    let many = format!("{count} repositories");
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds {
        for (case, is_one_repository) in [("one repository", true), (&many, false)] {
            for program in &bench.programs {
                // A new server for each round: the images would be known to the old one.
                let server = program.start(&bench.folder).await?;
                let cost = push_all(&server, &images, is_one_repository).await?;
                let rate = add(&mut measurements, &server, case, count, cost);
                progress(round, &server, case, &format!("{rate:.0} images/s"));
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
            push_image(connection, &repository, number, &images[number]).await
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

fn small_image(number: usize) -> SmallImage {
    let layers: Vec<(Vec<u8>, Digest)> = (0..LAYERS)
        .map(|layer| {
            let bytes = random((number * LAYERS + layer) as u64, LAYER_SIZE);
            let digest = Digest::sha256(&bytes);
            (bytes, digest)
        })
        .collect();
    let blobs: Vec<Blob> = layers
        .iter()
        .map(|(bytes, digest)| Blob {
            digest: digest.clone(),
            size: bytes.len() as u64,
        })
        .collect();
    let image = Image::new(&number.to_string(), &blobs);
    SmallImage { layers, image }
}

/// Pushes as clients do: the layers, the config, and then the manifest.
async fn push_image(
    connection: &mut Connection,
    repository: &str,
    number: usize,
    small: &SmallImage,
) -> Result<()> {
    for (bytes, digest) in &small.layers {
        push::blob(connection, repository, bytes, digest).await?;
    }
    let image = &small.image;
    push::blob(connection, repository, &image.config, &image.config_digest).await?;
    push::manifest(
        connection,
        repository,
        &format!("v{number}"),
        &image.manifest,
    )
    .await
}
