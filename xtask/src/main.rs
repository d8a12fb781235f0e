//! The chores of this workspace: `cargo xtask help` lists them.
#![forbid(unsafe_code)]

mod bench;
mod clients;
mod command;
mod conformance;
mod fuzz;
mod htpasswd;
mod layers;
mod server;
mod sync_order;
mod tests;
mod tools;

use anyhow::Result;
use clap::{Parser, Subcommand};

use server::Build;

/// The chores of this workspace.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Runs everything that CI runs: tools, layers, format, lints, documentation, tests,
    /// sync-order, conformance, clients
    Test,
    /// Installs what the tests need: PostgreSQL, faketime, skopeo, strace, crane, oras, versitygw and the
    /// conformance suite
    Setup,
    /// Proves that dependencies only point down the layers
    Layers,
    /// Proves from the system calls of the release build that what it answers is durable
    SyncOrder,
    /// Runs the official OCI conformance suite against the release build
    Conformance,
    /// Runs skopeo, crane and oras against the release build
    Clients,
    /// Runs the fuzz targets of tests/fuzz with libFuzzer
    Fuzz(fuzz::Options),
    /// Measures the release build and its peers side by side, and writes docs/performance.md, or docs/scale.md
    Bench(bench::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().chore {
        Chore::Test => tests::run_all(),
        Chore::Setup => tools::install(),
        Chore::Layers => layers::check(),
        Chore::SyncOrder => sync_order::run(Build::Release),
        Chore::Conformance => conformance::run(Build::Release),
        Chore::Clients => clients::run(Build::Release),
        Chore::Fuzz(options) => fuzz::run_all(&options),
        Chore::Bench(options) => bench::run(&options),
    }
}
