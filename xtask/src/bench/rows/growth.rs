//! What requests cost when there are many tags, and many repositories.

mod repositories;
mod tags;

use std::time::Instant;

use anyhow::Result;

use super::{Bench, progress};
use crate::bench::http::Connection;
use crate::bench::registries::Running;
use crate::bench::results::{Measurements, Metric, Registry};
use crate::bench::statistics::median;

pub(super) use tags::{Images, fill_to_the_end};

const CONNECTIONS: usize = 16;

/// The largest size that a registry is grown to. The peers take too long for more: what a push
/// costs them grows with what is there.
pub(crate) fn largest_size(registry: Registry) -> usize {
    match registry {
        Registry::Berth => usize::MAX,
        Registry::Distribution | Registry::Zot => 10_000,
    }
}

pub(super) async fn measure(bench: &mut Bench) -> Result<Measurements> {
    let mut measurements = Measurements::default();
    repositories::measure(bench, &mut measurements).await?;
    let grown = tags::measure(bench, &mut measurements).await?;
    bench.grown = Some(grown);
    Ok(measurements)
}

/// The registries that are grown to a size.
fn growing(servers: &[Running], size: usize) -> Vec<&Running> {
    let is_grown = |server: &&Running| size <= largest_size(server.registry);
    servers.iter().filter(is_grown).collect()
}

/// One kind of request, at one size.
struct Probe<'a> {
    case: &'a str,
    size: usize,
    rounds: usize,
    /// How many requests each round makes.
    requests: usize,
}

impl Probe<'_> {
    /// Makes requests one after the other, in rounds that take turns between the registries, and
    /// adds the median cost of each round. The request is told its number among all requests to
    /// that registry, and whether it succeeded is its answer: `false` is a registry that does not
    /// know this kind of request.
    async fn measure(
        &self,
        servers: &[&Running],
        measurements: &mut Measurements,
        request: impl AsyncFn(&mut Connection, usize) -> Result<bool>,
    ) -> Result<()> {
        for round in 0..self.rounds {
            for server in servers {
                let mut connection = Connection::open(server.address).await?;
                let mut costs = Vec::new();
                for number in 0..self.requests {
                    let started = Instant::now();
                    if !request(&mut connection, round * self.requests + number).await? {
                        break;
                    }
                    costs.push(started.elapsed().as_secs_f64() * 1e3);
                }
                self.add(round, server, measurements, &costs);
            }
        }
        Ok(())
    }

    fn add(&self, round: usize, server: &Running, measurements: &mut Measurements, costs: &[f64]) {
        let case = format!("{} at {}", self.case, self.size);
        let Some(cost) = median(costs) else {
            return progress(round, server, &case, "not supported");
        };
        progress(round, server, &case, &format!("{cost:.3} ms"));
        let (size, metric) = (Some(self.size), Metric::Milliseconds);
        measurements.add_at(server.registry, self.case, size, metric, cost);
    }
}

/// Spreads numbers over all that are below a size, in no order that a cache could guess.
fn scattered(number: usize, size: usize) -> usize {
    number.wrapping_mul(7_919) % size
}

/// The query of a page of 100 from the middle of a list of this size, or of its first page where
/// no 100 follow the middle: every page that is measured is full.
fn page(size: usize, name: impl Fn(usize) -> String) -> String {
    let middle = size / 2;
    if size - middle <= 100 {
        return "n=100".to_owned();
    }
    format!("n=100&last={}", name(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_full() {
        let page = |size| page(size, |number| format!("v{number}"));
        assert_eq!(page(100), "n=100");
        assert_eq!(page(200), "n=100");
        assert_eq!(page(1000), "n=100&last=v500");
    }
}
