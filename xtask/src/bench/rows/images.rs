//! Push of many small images.

use anyhow::Result;
use berth_spec::Digest;

use super::{Bench, progress};
use crate::bench::content::random;
use crate::bench::http::Connection;
use crate::bench::image::{Blob, Image};
use crate::bench::load::{for_each, measured, open};
use crate::bench::push;
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
    let cases = [
        ("one repository".to_owned(), true),
        (format!("{count} repositories"), false),
    ];
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds {
        for (case, is_one_repository) in &cases {
            for program in &bench.programs {
                // A new server for each round: the images would be known to the old one.
                let server = program.start(&bench.folder).await?;
                let mut connections = open(server.address, CONNECTIONS).await?;
                let work = for_each(&mut connections, 0..count, async |connection, number| {
                    let repository = match is_one_repository {
                        true => "images".to_owned(),
                        false => format!("images/{number}"),
                    };
                    push_image(connection, &repository, number, &images[number]).await
                });
                let ((), cost) = measured(&server, work).await?;
                let rate = count as f64 / cost.seconds;
                let cpu = cost.cpu_seconds * 1e3 / count as f64;
                for (metric, value) in [
                    (Metric::ImagesPerSecond, rate),
                    (Metric::CpuMillisecondsPerImage, cpu),
                    (Metric::PeakMebibytes, cost.peak_mebibytes),
                ] {
                    measurements.add(server.registry, case, metric, value);
                }
                progress(round, &server, case, &format!("{rate:.0} images/s"));
            }
        }
    }
    Ok(measurements)
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
