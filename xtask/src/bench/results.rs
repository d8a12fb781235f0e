//! The raw results: all that the report is made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One subject of measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Row {
    /// Pull of one large blob
    Pull,
    /// Push of one large blob, in three ways
    Push,
    /// Requests for manifests on many connections
    Storm,
    /// Push of many small images
    Images,
    /// Costs against the number of tags and of repositories
    Growth,
    /// Time to the first answer, and memory when idle
    Start,
    /// Deletion of images, and collection of their blobs
    Reclaim,
    /// Pull of an image with the shape of a real one
    Image,
}

impl Row {
    pub(super) const ALL: [Self; 8] = [
        Self::Pull,
        Self::Push,
        Self::Storm,
        Self::Images,
        Self::Growth,
        Self::Start,
        Self::Reclaim,
        Self::Image,
    ];

    /// What it is called, on the command line too.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Storm => "storm",
            Self::Images => "images",
            Self::Growth => "growth",
            Self::Start => "start",
            Self::Reclaim => "reclaim",
            Self::Image => "image",
        }
    }
}

/// A program that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Registry {
    Berth,
    Distribution,
    Zot,
}

impl Registry {
    pub(super) const ALL: [Self; 3] = [Self::Berth, Self::Distribution, Self::Zot];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Berth => "berth",
            Self::Distribution => "distribution",
            Self::Zot => "zot",
        }
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Metric {
    /// Megabytes (10^6) of content per second.
    MegabytesPerSecond,
    RequestsPerSecond,
    ImagesPerSecond,
    /// Blobs whose files are gone.
    BlobsPerSecond,
    /// The latency that half of the requests stay under.
    MillisecondsP50,
    /// The latency that 99 of 100 requests stay under.
    MillisecondsP99,
    Milliseconds,
    /// The same of what stays small, in the same moments.
    ControlMilliseconds,
    /// The longest latency of a request that was answered while other work was going on.
    MillisecondsSlowest,
    Seconds,
    /// CPU seconds of the server and of what works beside it.
    CpuSeconds,
    /// CPU seconds of the server for each GiB of content.
    CpuSecondsPerGibibyte,
    /// CPU microseconds of the server for each request.
    CpuMicrosecondsPerRequest,
    /// CPU milliseconds of the server for each image.
    CpuMillisecondsPerImage,
    /// The most resident memory of the server while it was measured, in MiB.
    PeakMebibytes,
    /// The resident memory of the server while nothing happens, in MiB.
    IdleMebibytes,
    /// How many of a hundred requests were answered while other work was going on.
    PercentAnswered,
    /// Files that should be gone.
    FilesLeft,
}

impl Metric {
    /// Whether it is an amount of work done in a second.
    pub(super) fn is_throughput(self) -> bool {
        matches!(
            self,
            Self::MegabytesPerSecond
                | Self::RequestsPerSecond
                | Self::ImagesPerSecond
                | Self::BlobsPerSecond
        )
    }

    /// Whether more of it is better.
    pub(super) fn is_better_when_higher(self) -> bool {
        self.is_throughput() || self == Self::PercentAnswered
    }
}

/// The case of [`Row::Pull`] that has a machine limit of its own.
pub(super) const ONE_CONNECTION: &str = "1 connection";

/// The values of one metric of one case, for one registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measurement {
    pub(super) case: String,
    /// How many tags or repositories there were, where the row is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<usize>,
    pub(super) metric: Metric,
    pub(super) registry: Registry,
    /// One value for each round, in order.
    pub(super) values: Vec<f64>,
}

/// What measuring a row gives, in the order in which it was first measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Measurements(pub(super) Vec<Measurement>);

impl Measurements {
    pub(super) fn add(&mut self, registry: Registry, case: &str, metric: Metric, value: f64) {
        self.add_at(registry, case, None, metric, value);
    }

    /// Adds the value of one more round.
    pub(super) fn add_at(
        &mut self,
        registry: Registry,
        case: &str,
        size: Option<usize>,
        metric: Metric,
        value: f64,
    ) {
        let is_same = |known: &&mut Measurement| {
            known.case == case
                && known.size == size
                && known.metric == metric
                && known.registry == registry
        };
        if let Some(known) = self.0.iter_mut().find(is_same) {
            known.values.push(value);
            return;
        }
        self.0.push(Measurement {
            case: case.to_owned(),
            size,
            metric,
            registry,
            values: vec![value],
        });
    }
}

/// What the machine is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_mebibytes: u64,
    pub(super) kernel: String,
}

/// What the machine can do without a registry, in MB/s, one value for each round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Limits {
    /// A file over loopback to one client, by `sendfile`.
    pub(super) loopback: Vec<f64>,
    /// The same to 16 clients at once.
    pub(super) loopback_many: Vec<f64>,
    /// SHA-256 on one core.
    pub(super) sha256: Vec<f64>,
    /// Sequential write of a file, with fsync.
    pub(super) disk: Vec<f64>,
}

/// The circumstances of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// RFC 3339, in UTC.
    pub(super) date: String,
    pub(super) is_quick: bool,
    pub(super) machine: Machine,
    /// The versions of the registries that took part.
    pub(super) versions: BTreeMap<Registry, String>,
    pub(super) limits: Limits,
}

/// The newest measurement of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RowResult {
    pub(super) run: Run,
    pub(super) measurements: Measurements,
}

/// The newest measurement of every row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) rows: BTreeMap<Row, RowResult>,
}

impl Results {
    /// Reads a file, which may not be there yet.
    pub(super) fn load(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    pub(super) fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_same_thing_gather_in_order() {
        let mut measurements = Measurements::default();
        for value in [1.0, 2.0] {
            measurements.add(Registry::Berth, "a", Metric::Seconds, value);
            measurements.add(Registry::Zot, "a", Metric::Seconds, value * 10.0);
            measurements.add_at(Registry::Berth, "a", Some(1), Metric::Seconds, value);
        }
        let values: Vec<_> = measurements.0.iter().map(|one| &one.values[..]).collect();
        assert_eq!(values, [&[1.0, 2.0][..], &[10.0, 20.0], &[1.0, 2.0]]);
    }

    #[test]
    fn results_come_back_from_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/results.json");
        assert_eq!(Results::load(&path).unwrap(), Results::default());
        let results = crate::bench::report::sample::results();
        results.save(&path).unwrap();
        assert_eq!(Results::load(&path).unwrap(), results);
    }
}
