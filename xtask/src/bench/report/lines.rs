use std::collections::BTreeMap;

use crate::bench::results::{Measurements, Metric, Registry};
use crate::bench::statistics::median;

/// One metric of one case, for all registries.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) case: String,
    pub(super) size: Option<usize>,
    pub(super) metric: Metric,
    /// The medians of the rounds.
    pub(super) medians: BTreeMap<Registry, f64>,
}

impl Line {
    /// All lines of a row, in the order in which they were first measured.
    pub(super) fn all(measurements: &Measurements) -> Vec<Self> {
        let mut lines: Vec<Self> = Vec::new();
        for one in &measurements.0 {
            let Some(median) = median(&one.values) else {
                continue;
            };
            let is_same = |line: &&mut Self| {
                line.case == one.case && line.size == one.size && line.metric == one.metric
            };
            if let Some(line) = lines.iter_mut().find(is_same) {
                line.medians.insert(one.registry, median);
                continue;
            }
            lines.push(Self {
                case: one.case.clone(),
                size: one.size,
                metric: one.metric,
                medians: BTreeMap::from([(one.registry, median)]),
            });
        }
        lines
    }

    pub(super) fn of(&self, registry: Registry) -> Option<f64> {
        self.medians.get(&registry).copied()
    }

    /// The median of the peer that does better.
    pub(super) fn better_peer(&self) -> Option<f64> {
        let peers = [Registry::Distribution, Registry::Zot];
        let medians = peers.into_iter().filter_map(|peer| self.of(peer));
        if self.metric.is_better_when_higher() {
            medians.reduce(f64::max)
        } else {
            medians.reduce(f64::min)
        }
    }

    /// Berth's median through that of the better peer: above 1 is better for a throughput, and
    /// worse for a cost. Nothing can be told against a peer that has 0.
    pub(super) fn ratio(&self) -> Option<f64> {
        let peer = self.better_peer().filter(|peer| *peer > 0.0)?;
        Some(self.of(Registry::Berth)? / peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(metric: Metric, medians: [f64; 3]) -> Line {
        let mut measurements = Measurements::default();
        for (registry, median) in Registry::ALL.into_iter().zip(medians) {
            for value in [median * 9.0, median, median / 9.0] {
                measurements.add(registry, "case", metric, value);
            }
        }
        Line::all(&measurements).remove(0)
    }

    #[test]
    fn the_better_peer_has_more_throughput_or_less_cost() {
        let throughput = line(Metric::RequestsPerSecond, [300.0, 100.0, 200.0]);
        assert_eq!(throughput.better_peer(), Some(200.0));
        assert_eq!(throughput.ratio(), Some(1.5));
        let cost = line(Metric::MillisecondsP99, [50.0, 100.0, 200.0]);
        assert_eq!(cost.better_peer(), Some(100.0));
        assert_eq!(cost.ratio(), Some(0.5));
    }

    #[test]
    fn against_nothing_there_is_no_ratio() {
        let left = line(Metric::FilesLeft, [0.0, 0.0, 100.0]);
        assert_eq!(left.better_peer(), Some(0.0));
        assert_eq!(left.ratio(), None);
        let answered = line(Metric::PercentAnswered, [100.0, 0.0, 50.0]);
        assert_eq!(answered.ratio(), Some(2.0));
    }

    #[test]
    fn a_missing_registry_has_no_ratio() {
        let mut alone = line(Metric::Seconds, [1.0, 2.0, 3.0]);
        alone.medians.remove(&Registry::Distribution);
        assert_eq!(alone.better_peer(), Some(3.0));
        alone.medians.remove(&Registry::Zot);
        assert_eq!(alone.ratio(), None);
    }
}
