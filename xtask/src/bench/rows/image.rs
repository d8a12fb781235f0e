//! Pull of an image with the shape of a real one.

use std::time::Instant;

use anyhow::Result;
use futures_util::future::try_join_all;

use super::{Bench, progress, pull};
use crate::bench::content::Content;
use crate::bench::http::{Connection, Request};
use crate::bench::image::{Blob, Image};
use crate::bench::load::{measured, open};
use crate::bench::push::{self, Way};
use crate::bench::registries::Running;
use crate::bench::results::{Measurements, Metric};
use crate::command::{command, run_quietly};

const CLIENTS: usize = 8;
const LAYERS: u32 = 12;
const SMALLEST_LAYER: f64 = 1024.0;

pub(super) async fn measure(bench: &Bench) -> Result<Measurements> {
    let mut layers: Vec<Content> = sizes(bench.scale.largest_layer)
        .into_iter()
        .zip(1..)
        .map(|(size, seed)| Content::new(seed, size))
        .collect();
    let blobs: Vec<Blob> = layers
        .iter_mut()
        .map(|layer| Blob {
            digest: layer.digest(),
            size: layer.size(),
        })
        .collect();
    let image = Image::new("real", &blobs);
    let servers = bench.start_all().await?;
    for server in &servers {
        fill(server, &mut layers, &blobs, &image).await?;
    }
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds {
        for server in &servers {
            pull_by_clients(round, server, &blobs, &mut measurements).await?;
        }
        for server in &servers {
            pull_by_skopeo(bench, round, server, &mut measurements)?;
        }
    }
    Ok(measurements)
}

/// From the smallest to the largest, each as much larger than the one before.
fn sizes(largest: u64) -> Vec<u64> {
    let step = (largest as f64 / SMALLEST_LAYER).powf(1.0 / f64::from(LAYERS - 1));
    (0..LAYERS)
        .map(|number| (SMALLEST_LAYER * step.powf(f64::from(number))).round() as u64)
        .collect()
}

async fn fill(
    server: &Running,
    layers: &mut [Content],
    blobs: &[Blob],
    image: &Image,
) -> Result<()> {
    let mut connection = Connection::open(server.address).await?;
    for (layer, blob) in layers.iter_mut().zip(blobs) {
        push::content(
            &mut connection,
            "image",
            layer,
            &blob.digest,
            Way::SinglePut,
        )
        .await?;
    }
    push::blob(
        &mut connection,
        "image",
        &image.config,
        &image.config_digest,
    )
    .await?;
    push::manifest(&mut connection, "image", "v1", &image.manifest).await
}

async fn pull_by_clients(
    round: usize,
    server: &Running,
    blobs: &[Blob],
    measurements: &mut Measurements,
) -> Result<()> {
    let requests: Vec<Request> = blobs
        .iter()
        .map(|blob| Request::get(&format!("/v2/image/blobs/{}", blob.digest)))
        .collect();
    let mut connections = open(server.address, CLIENTS).await?;
    let clients = connections.iter_mut().map(async |connection| {
        for request in &requests {
            push::expect(&connection.send(request).await?, 200, "GET of a layer")?;
        }
        Ok(())
    });
    let (_, cost) = measured(server, try_join_all(clients)).await?;
    let bytes = blobs.iter().map(|blob| blob.size).sum::<u64>() * CLIENTS as u64;
    let case = format!("{CLIENTS} clients at once");
    pull::add(measurements, server.registry, &case, bytes, cost);
    let text = format!("{:.0} MB/s", bytes as f64 / 1e6 / cost.seconds);
    progress(round, server.registry, &case, &text);
    Ok(())
}

fn pull_by_skopeo(
    bench: &Bench,
    round: usize,
    server: &Running,
    measurements: &mut Measurements,
) -> Result<()> {
    let folder = tempfile::tempdir_in(&bench.folder)?;
    let from = format!("docker://{}/image:v1", server.address);
    let to = format!("dir:{}", folder.path().display());
    let options = ["--insecure-policy", "copy", "--src-tls-verify=false"];
    let started = Instant::now();
    run_quietly(&mut command(
        "skopeo",
        &[&options[..], &[&from, &to]].concat(),
    ))?;
    let seconds = started.elapsed().as_secs_f64();
    let case = "skopeo copy";
    measurements.add(server.registry, case, Metric::Seconds, seconds);
    progress(round, server.registry, case, &format!("{seconds:.2} s"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_from_the_smallest_to_the_largest() {
        let sizes = sizes(300 << 20);
        assert_eq!(sizes.len(), 12);
        assert_eq!((sizes[0], sizes[11]), (1024, 300 << 20));
        assert!(sizes.is_sorted());
    }
}
