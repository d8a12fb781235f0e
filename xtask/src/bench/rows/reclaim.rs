//! Deletion of images, and collection of the blobs that only they needed.

mod collect;
mod files;
mod reads;

use anyhow::{Result, ensure};

use super::small_image::SmallImage;
use super::{Bench, progress};
use crate::bench::http::{Body, Connection, Request};
use crate::bench::image::Blob;
use crate::bench::load::{Cost, for_each, measured, open};
use crate::bench::push;
use crate::bench::registries::{Program, Running};
use crate::bench::results::{Measurements, Metric, Registry};
use crate::command::{command, run_quietly};
use collect::{Collected, collect};
use files::BlobFiles;

/// One for all: zot waits up to 30 s, at random, before it collects in the next.
const REPOSITORY: &str = "reclaim";
const CONNECTIONS: usize = 16;
const LAYERS: usize = 9;

/// How many rounds there are at most: to push anew what is deleted takes minutes.
const MOST_ROUNDS: usize = 3;

/// The tag of the image that stays, and is read while the others go.
const KEPT: &str = "kept";

/// What is pushed.
struct Images {
    deleted: Vec<SmallImage>,
    kept: SmallImage,
}

pub(super) async fn measure(bench: &Bench) -> Result<Measurements> {
    let count = bench.scale.deleted_images;
    let images = Images {
        deleted: (0..count)
            .map(|number| SmallImage::new(number, LAYERS))
            .collect(),
        kept: SmallImage::new(count, LAYERS),
    };
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds.min(MOST_ROUNDS) {
        for program in &bench.programs {
            // A new server for each round: what the old one has not reclaimed must not be there.
            let server = program.start(&bench.folder).await?;
            images.push(&server).await?;
            images
                .reclaim(round, program, server, &mut measurements)
                .await?;
        }
    }
    Ok(measurements)
}

impl Images {
    async fn push(&self, server: &Running) -> Result<()> {
        let mut connections = open(server.address, CONNECTIONS).await?;
        let numbers = 0..self.deleted.len();
        for_each(&mut connections, numbers, async |connection, number| {
            let tag = format!("v{number}");
            self.deleted[number]
                .push(connection, REPOSITORY, &tag)
                .await
        })
        .await?;
        let mut connection = Connection::open(server.address).await?;
        self.kept.push(&mut connection, REPOSITORY, KEPT).await?;
        // What the pushes left for the kernel to write must not slow what comes.
        run_quietly(&mut command("sync", &[]))
    }

    async fn reclaim(
        &self,
        round: usize,
        program: &Program,
        server: Running,
        measurements: &mut Measurements,
    ) -> Result<()> {
        let registry = server.registry;
        let garbage: Vec<Blob> = self.deleted.iter().flat_map(SmallImage::blobs).collect();
        let mut files = BlobFiles::find(server.folder(), &garbage)?;
        let mut kept = BlobFiles::find(server.folder(), &self.kept.blobs())?;

        let cost = self.delete(&server).await?;
        let count = self.deleted.len();
        let case = format!("DELETE of {count} manifests");
        let rate = add_deletion(measurements, registry, &case, count, cost);
        progress(round, registry, &case, &format!("{rate:.0} requests/s"));

        let (collected, _folder) = collect(program, server, &mut files).await?;
        let name = registry.name();
        ensure!(
            kept.left() == kept.count(),
            "{name} removed blobs that an image needs"
        );
        let case = format!("collection of {} blobs", garbage.len());
        let left = files.left();
        let text = add_collection(
            measurements,
            registry,
            &case,
            garbage.len(),
            left,
            &collected,
        );
        progress(round, registry, &case, &text);
        Ok(())
    }

    async fn delete(&self, server: &Running) -> Result<Cost> {
        let mut connections = open(server.address, CONNECTIONS).await?;
        let numbers = 0..self.deleted.len();
        let work = for_each(&mut connections, numbers, async |connection, number| {
            let digest = &self.deleted[number].image.digest;
            let target = format!("/v2/{REPOSITORY}/manifests/{digest}");
            let request = Request::new("DELETE", &target, &[], &Body::None);
            push::expect(
                &connection.send(&request).await?,
                202,
                "DELETE of a manifest",
            )
        });
        let ((), cost) = measured(server, work).await?;
        Ok(cost)
    }
}

/// Adds what deleting so many manifests cost, and answers how many were deleted in a second.
fn add_deletion(
    measurements: &mut Measurements,
    registry: Registry,
    case: &str,
    count: usize,
    cost: Cost,
) -> f64 {
    let count = count as f64;
    let rate = count / cost.seconds;
    for (metric, value) in [
        (Metric::RequestsPerSecond, rate),
        (
            Metric::CpuMicrosecondsPerRequest,
            cost.cpu_seconds * 1e6 / count,
        ),
        (Metric::PeakMebibytes, cost.peak_mebibytes),
    ] {
        measurements.add(registry, case, metric, value);
    }
    rate
}

/// Adds what collecting so many blobs cost, and answers what to tell of it. Of a collection that left
/// blobs there is nothing to tell but that.
fn add_collection(
    measurements: &mut Measurements,
    registry: Registry,
    case: &str,
    count: usize,
    left: usize,
    collected: &Collected,
) -> String {
    let Collected { cost, reads } = collected;
    measurements.add(registry, case, Metric::FilesLeft, left as f64);
    if left > 0 {
        return format!("{left} files left");
    }
    let rate = count as f64 / cost.seconds;
    for (metric, value) in [
        (Metric::BlobsPerSecond, rate),
        (Metric::Seconds, cost.seconds),
        (Metric::CpuSeconds, cost.cpu_seconds),
        (Metric::PeakMebibytes, cost.peak_mebibytes),
        (Metric::PercentAnswered, reads.percent_answered()),
    ] {
        measurements.add(registry, case, metric, value);
    }
    if let Some(slowest) = reads.slowest_milliseconds() {
        measurements.add(registry, case, Metric::MillisecondsSlowest, slowest);
    }
    format!("{:.2} s, {rate:.0} blobs/s", cost.seconds)
}

#[cfg(test)]
mod tests {
    use super::reads::Reads;
    use super::*;

    fn measured(left: usize) -> Vec<(Metric, f64)> {
        let mut measurements = Measurements::default();
        let mut reads = Reads::default();
        reads.add(Some(0.004));
        reads.add(None);
        let cost = Cost {
            seconds: 4.0,
            cpu_seconds: 2.0,
            peak_mebibytes: 30.0,
        };
        let collected = Collected { cost, reads };
        add_collection(
            &mut measurements,
            Registry::Zot,
            "case",
            100,
            left,
            &collected,
        );
        let values = measurements.0.iter().map(|one| (one.metric, one.values[0]));
        values.collect()
    }

    #[test]
    fn what_a_collection_cost_is_told() {
        assert_eq!(
            measured(0),
            [
                (Metric::FilesLeft, 0.0),
                (Metric::BlobsPerSecond, 25.0),
                (Metric::Seconds, 4.0),
                (Metric::CpuSeconds, 2.0),
                (Metric::PeakMebibytes, 30.0),
                (Metric::PercentAnswered, 50.0),
                (Metric::MillisecondsSlowest, 4.0),
            ]
        );
    }

    #[test]
    fn a_collection_that_leaves_blobs_has_no_speed() {
        assert_eq!(measured(7), [(Metric::FilesLeft, 7.0)]);
    }
}
