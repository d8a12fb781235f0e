use crate::bench::results::{Metric, Registry, Row};

use super::lines::Line;

/// How much more a request may cost at the largest size than where nothing has grown.
pub(super) const FLAT: f64 = 1.2;

/// What berth must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// At least so many times what the better peer has.
    AtLeast(f64),
    /// At least what the better peer has, and this share of the machine's limit.
    OfPeerAndLimit(f64),
    /// At most so many times what the better peer needs.
    AtMost(f64),
    /// Less than this, whatever the peers need.
    Below(f64),
}

impl Target {
    pub(super) fn of(row: Row, metric: Metric) -> Option<Self> {
        match (row, metric) {
            (_, Metric::PeakMebibytes) => Some(Self::AtMost(1.0)),
            (Row::Pull, Metric::MegabytesPerSecond) => Some(Self::AtLeast(1.0)),
            (Row::Pull, Metric::CpuSecondsPerGibibyte) => Some(Self::AtMost(1.0)),
            (Row::Push, Metric::MegabytesPerSecond) => Some(Self::OfPeerAndLimit(0.8)),
            (Row::Storm, Metric::RequestsPerSecond) => Some(Self::AtLeast(10.0)),
            (Row::Storm, Metric::MillisecondsP99) => Some(Self::AtMost(0.1)),
            (Row::Images, Metric::ImagesPerSecond) => Some(Self::AtLeast(3.0)),
            (Row::Start, Metric::Milliseconds) => Some(Self::Below(100.0)),
            (Row::Start, Metric::IdleMebibytes) => Some(Self::Below(20.0)),
            _ => None,
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::AtLeast(ratio) => format!("≥ {ratio}×"),
            Self::OfPeerAndLimit(share) => format!("≥ 1×, ≥ {:.0} % of limit", share * 100.0),
            Self::AtMost(ratio) => format!("≤ {ratio}×"),
            Self::Below(value) => format!("< {value}"),
        }
    }

    /// Whether a line reaches it, if it has the values that tell.
    pub(super) fn is_reached(self, line: &Line, limit: Option<f64>) -> Option<bool> {
        let berth = line.of(Registry::Berth)?;
        let is_reached = match self {
            Self::AtLeast(least) => line.ratio()? >= least,
            Self::OfPeerAndLimit(share) => line.ratio()? >= 1.0 && berth >= share * limit?,
            Self::AtMost(most) => line.ratio()? <= most,
            Self::Below(value) => berth < value,
        };
        Some(is_reached)
    }
}

pub(super) fn yes_or_no(is_reached: bool) -> &'static str {
    if is_reached { "yes" } else { "**no**" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn line(berth: f64, peer: f64) -> Line {
        Line {
            case: String::new(),
            size: None,
            metric: Metric::MegabytesPerSecond,
            medians: BTreeMap::from([(Registry::Berth, berth), (Registry::Zot, peer)]),
        }
    }

    #[test]
    fn targets_know_their_direction() {
        let reached = |target: Target, berth| target.is_reached(&line(berth, 100.0), Some(200.0));
        assert_eq!(reached(Target::AtLeast(3.0), 300.0), Some(true));
        assert_eq!(reached(Target::AtLeast(3.0), 299.0), Some(false));
        assert_eq!(reached(Target::AtMost(0.1), 10.0), Some(true));
        assert_eq!(reached(Target::AtMost(0.1), 11.0), Some(false));
        assert_eq!(reached(Target::Below(20.0), 19.0), Some(true));
        assert_eq!(reached(Target::Below(20.0), 20.0), Some(false));
        assert_eq!(reached(Target::OfPeerAndLimit(0.8), 160.0), Some(true));
        assert_eq!(reached(Target::OfPeerAndLimit(0.8), 159.0), Some(false));
        assert_eq!(
            Target::OfPeerAndLimit(0.1).is_reached(&line(90.0, 100.0), Some(200.0)),
            Some(false)
        );
    }

    #[test]
    fn without_a_peer_only_absolute_targets_can_be_told() {
        let mut alone = line(1.0, 1.0);
        alone.medians.remove(&Registry::Zot);
        assert_eq!(Target::AtLeast(1.0).is_reached(&alone, None), None);
        assert_eq!(Target::Below(2.0).is_reached(&alone, None), Some(true));
    }
}
