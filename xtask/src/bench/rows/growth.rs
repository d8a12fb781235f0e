//! What requests cost when there are many tags, and many repositories.

mod probe;
mod repositories;
mod tags;

use anyhow::Result;

use super::Bench;
use crate::bench::registries::Running;
use crate::bench::results::{Measurements, Registry};

pub(super) use tags::{Images, fill_to_the_end};

const CONNECTIONS: usize = 16;

/// How much there is where nothing grows.
const CONTROL: usize = 100;

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

/// A server that grows, and one of the same registry that does not.
struct Pair {
    growing: Running,
    control: Running,
}

impl Pair {
    async fn start_all(bench: &Bench) -> Result<Vec<Self>> {
        let (growing, controls) = (bench.start_all().await?, bench.start_all().await?);
        let pairs = growing.into_iter().zip(controls);
        let pairs = pairs.map(|(growing, control)| Self { growing, control });
        Ok(pairs.collect())
    }

    fn registry(&self) -> Registry {
        self.growing.registry
    }
}

/// The pairs that are grown to a size.
fn growing(pairs: &[Pair], size: usize) -> impl Iterator<Item = &Pair> {
    let is_grown = move |pair: &&Pair| size <= largest_size(pair.registry());
    pairs.iter().filter(is_grown)
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
