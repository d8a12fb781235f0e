//! Push of one large blob.

use anyhow::Result;

use super::{Bench, progress, pull};
use crate::bench::content::Content;
use crate::bench::http::Connection;
use crate::bench::load::measured;
use crate::bench::push::{self, Way};
use crate::bench::results::Measurements;
use crate::command::{command, run_quietly};

const WAYS: [(&str, Way); 3] = [
    ("single PUT", Way::SinglePut),
    ("one streamed PATCH", Way::StreamedPatch),
    ("chunks of 8 MiB", Way::Chunks),
];

pub(super) async fn measure(bench: &Bench) -> Result<Measurements> {
    let mut measurements = Measurements::default();
    let mut seed = 1000;
    for round in 0..bench.scale.rounds {
        for (case, way) in WAYS {
            seed += 1;
            let mut content = Content::new(seed, bench.scale.blob);
            let digest = content.digest();
            for program in &bench.programs {
                // A new server for each push: its data goes with it, so the disk does not fill.
                let server = program.start(&bench.folder).await?;
                // What an earlier push left for the kernel to write must not slow this one.
                run_quietly(&mut command("sync", &[]))?;
                let mut connection = Connection::open(server.address).await?;
                let work = push::content(&mut connection, "push", &mut content, &digest, way);
                let ((), cost) = measured(&server, work).await?;
                let bytes = bench.scale.blob;
                pull::add(&mut measurements, server.registry, case, bytes, cost);
                let text = format!("{:.0} MB/s", bytes as f64 / 1e6 / cost.seconds);
                progress(round, server.registry, case, &text);
            }
        }
    }
    Ok(measurements)
}
