//! Work on many connections, and what it costs the registry.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;

use super::http::{Connection, Request};
use super::push;
use super::registries::Running;

/// What a registry needed for some work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// How long the work took.
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
    pub(super) peak_mebibytes: f64,
}

/// Does work with a registry, and tells what it cost.
pub(super) async fn measured<T>(
    server: &Running,
    work: impl Future<Output = Result<T>>,
) -> Result<(T, Cost)> {
    let process = &server.process;
    process.forget_peak()?;
    let cpu_before = process.cpu_seconds()?;
    let started = Instant::now();
    let done = work.await?;
    let seconds = started.elapsed().as_secs_f64();
    let cost = Cost {
        seconds,
        cpu_seconds: process.cpu_seconds()? - cpu_before,
        peak_mebibytes: process.peak_mebibytes()?,
    };
    Ok((done, cost))
}

pub(super) async fn open(address: SocketAddr, count: usize) -> Result<Vec<Connection>> {
    open_spread(&[address], count).await
}

/// As [`open`], to each of these addresses in turn.
pub(super) async fn open_spread(addresses: &[SocketAddr], count: usize) -> Result<Vec<Connection>> {
    let addresses = addresses.iter().cycle().take(count);
    try_join_all(addresses.map(|address| Connection::open(*address))).await
}

/// Sends these requests again and again on all connections until the time is over, and answers the milliseconds
/// that each took.
pub(super) async fn blow(
    connections: &mut [Connection],
    requests: &[Request],
    duration: Duration,
) -> Result<Vec<f64>> {
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
            anyhow::Ok(latencies)
        });
    Ok(try_join_all(storms).await?.concat())
}

/// Does work for each number of a range, each connection taking the next number when it is free.
pub(super) async fn for_each(
    connections: &mut [Connection],
    numbers: std::ops::Range<usize>,
    work: impl AsyncFn(&mut Connection, usize) -> Result<()>,
) -> Result<()> {
    let next = Cell::new(numbers.start);
    let workers = connections.iter_mut().map(async |connection| {
        while next.get() < numbers.end {
            let number = next.replace(next.get() + 1);
            work(connection, number).await?;
        }
        Ok(())
    });
    try_join_all(workers).await.map(|_: Vec<()>| ())
}
