use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use tempfile::TempDir;

use super::files::BlobFiles;
use super::reads::{Reads, while_reading};
use crate::bench::load::{Cost, measured};
use crate::bench::registries::{Collection, Program, Running, spawn};

/// How often it is looked whether a server has collected.
const INTERVAL: Duration = Duration::from_millis(5);

/// How long a server may remove nothing until it is given up: twice as long as zot ever waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a collection cost: with the server, if it was running.
pub(super) struct Collected {
    pub(super) cost: Cost,
    pub(super) reads: Reads,
}

/// Collects the garbage, of which these are the files, in the way of the registry, and ends the server.
/// Not all of it may be gone then: the folder, which comes back, tells.
pub(super) async fn collect(
    program: &Program,
    server: Running,
    files: &mut BlobFiles,
) -> Result<(Collected, TempDir)> {
    match program.collection(server.folder()) {
        Collection::Beside(command) => beside(command, server).await,
        Collection::Stopped(command) => stopped(command, server).await,
        Collection::Within => within(program, server, files).await,
    }
}

async fn beside(mut command: Command, server: Running) -> Result<(Collected, TempDir)> {
    let collector = spawn(&mut command, server.folder())?.finish();
    let work = while_reading(server.address, collector);
    let ((mut cost, reads), server_cost) = measured(&server, work).await?;
    cost.cpu_seconds += server_cost.cpu_seconds;
    cost.peak_mebibytes += server_cost.peak_mebibytes;
    Ok((Collected { cost, reads }, server.stop()))
}

async fn stopped(mut command: Command, server: Running) -> Result<(Collected, TempDir)> {
    let address = server.address;
    let folder = server.stop();
    let collector = spawn(&mut command, folder.path())?.finish();
    let (cost, reads) = while_reading(address, collector).await?;
    Ok((Collected { cost, reads }, folder))
}

async fn within(
    program: &Program,
    server: Running,
    files: &mut BlobFiles,
) -> Result<(Collected, TempDir)> {
    let server = program.start_collecting(server.stop()).await?;
    let (waited, reads) = while_reading(server.address, until_gone(files)).await?;
    // It may have begun before it answered: all since its start counts.
    let cost = Cost {
        seconds: (server.start_time + waited).as_secs_f64(),
        cpu_seconds: server.process.cpu_seconds()?,
        peak_mebibytes: server.process.peak_mebibytes()?,
    };
    Ok((Collected { cost, reads }, server.stop()))
}

/// Waits until all files are gone, or none goes any more. Answers how long it took.
async fn until_gone(files: &mut BlobFiles) -> Result<Duration> {
    let started = Instant::now();
    let (mut left, mut looked) = (files.left(), started);
    while !files.are_gone() {
        if looked.elapsed() > PATIENCE {
            let still = files.left();
            if still == left {
                break;
            }
            (left, looked) = (still, Instant::now());
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Ok(started.elapsed())
}
