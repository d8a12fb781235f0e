//! The time from the start of the process to the first answer, and its memory when idle.

use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::growth::{Images, fill_to_the_end};
use super::{Bench, progress};
use crate::bench::registries::{Program, Running};
use crate::bench::results::{Measurements, Metric};

/// The only case of this row.
const CASE: &str = "with all tags of the growth";

/// How long after the start a process counts as idle.
const SETTLING: Duration = Duration::from_secs(1);

pub(super) async fn measure(bench: &mut Bench) -> Result<Measurements> {
    let grown = match bench.grown.take() {
        Some(grown) => grown,
        None => grow(bench).await?,
    };
    let mut folders: Vec<TempDir> = grown.into_iter().map(Running::stop).collect();
    let mut measurements = Measurements::default();
    for round in 0..bench.scale.rounds {
        let mut stopped = Vec::new();
        for (program, folder) in bench.programs.iter().zip(folders) {
            stopped.push(start(program, folder, round, &mut measurements).await?);
        }
        folders = stopped;
    }
    Ok(measurements)
}

async fn grow(bench: &Bench) -> Result<Vec<Running>> {
    let servers = bench.start_all().await?;
    let images = Images::new();
    for server in &servers {
        println!("{}: storing tags", server.registry.name());
        fill_to_the_end(bench, &images, server).await?;
    }
    Ok(servers)
}

async fn start(
    program: &Program,
    folder: TempDir,
    round: usize,
    measurements: &mut Measurements,
) -> Result<TempDir> {
    let server = program.start_with(folder).await?;
    let milliseconds = server.start_time.as_secs_f64() * 1e3;
    tokio::time::sleep(SETTLING).await;
    let idle = server.process.resident_mebibytes()?;
    let registry = server.registry;
    measurements.add(registry, CASE, Metric::Milliseconds, milliseconds);
    measurements.add(registry, CASE, Metric::IdleMebibytes, idle);
    let text = format!("{milliseconds:.1} ms, {idle:.1} MiB");
    progress(round, server.registry, CASE, &text);
    Ok(server.stop())
}
