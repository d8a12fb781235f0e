use std::path::PathBuf;
use std::time::Duration;

use super::cluster::Part;
use super::results::Row;

/// How `cargo xtask bench` is called.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer rounds and smaller sizes: all rows in about two minutes
    #[arg(long)]
    pub(super) quick: bool,
    /// Measures this row only, and keeps the raw results of the others
    #[arg(long, value_name = "ROW")]
    pub(super) only: Option<Row>,
    /// Measures replicas of berth on PostgreSQL and a bucket instead, all or one part, and writes docs/scale.md: in
    /// about ten minutes, or two with --quick
    #[arg(long, value_name = "PART", num_args = 0..=1, require_equals = true, conflicts_with_all = ["only", "zot"])]
    #[allow(clippy::option_option)]
    pub(super) cluster: Option<Option<Part>>,
    /// Measures nothing: writes the document and its plots again from the raw results
    #[arg(long, conflicts_with_all = ["quick", "only", "zot"])]
    pub(super) report: bool,
    /// A zot program to measure too; docs/performance.md tells how it is built
    #[arg(long, value_name = "FILE", env = "BENCH_ZOT")]
    pub(super) zot: Option<PathBuf>,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// How often each case is measured: the report tells medians.
    pub(super) rounds: usize,
    /// The size of the blob that is pulled and pushed.
    pub(super) blob: u64,
    /// How long a pull storm blows in each round.
    pub(super) storm: Duration,
    /// How many small images are pushed in each round.
    pub(super) images: usize,
    /// The numbers of tags and of repositories at which costs are measured.
    pub(super) sizes: &'static [usize],
    /// How often each request of growth is measured beside its control.
    pub(super) turns: usize,
    /// How many requests of each kind each turn of growth makes.
    pub(super) requests: usize,
    /// How many images of ten blobs are deleted in each round, and their blobs collected.
    pub(super) deleted_images: usize,
    /// The size of the largest layer of the real image.
    pub(super) largest_layer: u64,
}

impl Scale {
    pub(super) fn of(options: &Options) -> Self {
        if options.quick {
            Self::quick()
        } else {
            Self::full()
        }
    }

    fn full() -> Self {
        Self {
            rounds: 5,
            blob: 1 << 30,
            storm: Duration::from_secs(5),
            images: 1_000,
            sizes: &[100, 10_000, 100_000],
            turns: 25,
            requests: 10,
            deleted_images: 1_000,
            largest_layer: 300 << 20,
        }
    }

    fn quick() -> Self {
        Self {
            rounds: 3,
            blob: 256 << 20,
            storm: Duration::from_millis(600),
            images: 100,
            sizes: &[100, 1_000],
            turns: 9,
            requests: 7,
            deleted_images: 30,
            largest_layer: 32 << 20,
        }
    }
}
