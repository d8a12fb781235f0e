//! The raw results: all that the report is made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::bench::results::{Machine, Registry};

/// The newest measurement of every part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) load: Option<Measured<Vec<Series>>>,
    pub(super) calls: Option<Measured<Vec<Calls>>>,
    pub(super) sizes: Option<Measured<Sizes>>,
}

/// Values, and how they were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured<T> {
    pub(super) run: Run,
    pub(super) values: T,
}

/// The circumstances of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// RFC 3339, in UTC.
    pub(super) date: String,
    pub(super) is_quick: bool,
    pub(super) machine: Machine,
    /// The versions of all programs that took part, by their names.
    pub(super) versions: BTreeMap<String, String>,
}

/// What the servers are loaded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Subject {
    /// Requests for manifests
    Manifests,
    /// Pushes of small images
    Images,
    /// Pulls of blobs
    Pulls,
    /// Pushes of blobs
    Pushes,
}

impl Subject {
    pub(super) const ALL: [Self; 4] = [Self::Manifests, Self::Images, Self::Pulls, Self::Pushes];
}

/// What so many servers of a registry did under one load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) subject: Subject,
    pub(super) case: String,
    pub(super) registry: Registry,
    pub(super) servers: usize,
    /// One for each round, in order.
    pub(super) samples: Vec<Sample>,
}

/// What some work took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    /// How much was done: requests, images, or bytes.
    pub(super) units: f64,
    pub(super) seconds: f64,
    /// CPU seconds of the servers together.
    pub(super) servers_cpu: f64,
    /// CPU seconds of PostgreSQL.
    pub(super) database_cpu: f64,
    /// CPU seconds of the S3 server.
    pub(super) bucket_cpu: f64,
    /// CPU seconds of the client.
    pub(super) client_cpu: f64,
    /// The most resident memory of the server that had most, in MiB.
    pub(super) peak_mebibytes: f64,
    /// The latency that 99 of 100 requests stay under, where it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) milliseconds_p99: Option<f64>,
}

/// What one operation asks of the database and of the bucket, on average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Calls {
    pub(super) operation: String,
    pub(super) registry: Registry,
    /// Statements that PostgreSQL was sent one after another, `BEGIN` and `COMMIT` too.
    pub(super) statements: f64,
    /// What was written to PostgreSQL's write-ahead log, in bytes.
    pub(super) log_bytes: f64,
    /// Requests to the bucket by their operation in S3.
    pub(super) requests: BTreeMap<String, f64>,
}

/// How large a filled database is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sizes {
    pub(super) repositories: usize,
    pub(super) manifests: usize,
    pub(super) tables: Vec<Table>,
}

/// How large a table is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) rows: f64,
    /// With what is too large for a row.
    pub(super) table_bytes: f64,
    pub(super) index_bytes: f64,
}

impl Results {
    /// Reads a file, which may not be there yet.
    pub(super) fn load(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand {shown}"))
    }

    pub(super) fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Adds the sample of one more round.
pub(super) fn add(
    all: &mut Vec<Series>,
    (subject, case): (Subject, &str),
    registry: Registry,
    servers: usize,
    sample: Sample,
) {
    let is_same = |one: &&mut Series| {
        (one.subject, one.case.as_str()) == (subject, case)
            && (one.registry, one.servers) == (registry, servers)
    };
    if let Some(known) = all.iter_mut().find(is_same) {
        known.samples.push(sample);
        return;
    }
    all.push(Series {
        subject,
        case: case.to_owned(),
        registry,
        servers,
        samples: vec![sample],
    });
}
