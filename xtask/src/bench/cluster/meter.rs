use std::time::Instant;

use anyhow::Result;

use super::fleet::Fleet;
use super::results::Sample;
use super::world::World;
use crate::bench::process::own_cpu_seconds;

/// What was done by some work.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    /// How much: requests, images, or bytes.
    pub(super) units: f64,
    pub(super) milliseconds_p99: Option<f64>,
}

/// Does work with the first servers of a fleet, and tells what it took of them and of all that they need.
pub(super) async fn metered(
    world: &World,
    fleet: &Fleet,
    servers: usize,
    work: impl Future<Output = Result<Done>>,
) -> Result<Sample> {
    for process in fleet.processes(servers) {
        process.forget_peak()?;
    }
    let before = Cpu::of(world, fleet, servers)?;
    let started = Instant::now();
    let done = work.await?;
    let seconds = started.elapsed().as_secs_f64();
    let after = Cpu::of(world, fleet, servers)?;
    let mut peak_mebibytes: f64 = 0.0;
    for process in fleet.processes(servers) {
        peak_mebibytes = peak_mebibytes.max(process.peak_mebibytes()?);
    }
    Ok(Sample {
        units: done.units,
        seconds,
        servers_cpu: after.servers - before.servers,
        database_cpu: after.database - before.database,
        bucket_cpu: after.bucket - before.bucket,
        client_cpu: after.client - before.client,
        peak_mebibytes,
        milliseconds_p99: done.milliseconds_p99,
    })
}

/// The CPU seconds that everything has taken so far.
struct Cpu {
    servers: f64,
    database: f64,
    bucket: f64,
    client: f64,
}

impl Cpu {
    fn of(world: &World, fleet: &Fleet, count: usize) -> Result<Self> {
        let mut servers = 0.0;
        for process in fleet.processes(count) {
            servers += process.cpu_seconds()?;
        }
        Ok(Self {
            servers,
            database: world.postgres.process.family_cpu_seconds()?,
            bucket: world.gateway.process.cpu_seconds()?,
            client: own_cpu_seconds()?,
        })
    }
}
