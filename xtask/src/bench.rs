//! Measures berth and its peers side by side, and writes what came out.

mod cluster;
mod content;
mod http;
mod image;
mod limits;
mod load;
mod machine;
mod options;
mod process;
mod push;
mod registries;
mod report;
mod results;
mod rows;
mod statistics;

use std::fs;
use std::time::SystemTime;

use anyhow::{Context, Result};

pub(crate) use options::Options;

use crate::command::root;
use options::Scale;
use results::{Machine, Results, Row, RowResult, Run};
use rows::Bench;

/// Where the raw results and the plots are.
const FOLDER: &str = "docs/performance";

/// Measures as the options say, and writes the raw results and the document.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(part) = options.cluster {
        return cluster::run(options, part);
    }
    let raw = root().join(FOLDER).join("results.json");
    let mut results = Results::load(&raw)?;
    if !options.report {
        // One thread: the client must leave a core to the registry.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(measure(options, &mut results, &raw))?;
    }
    report::write(&results, &root().join("docs/performance.md"))?;
    println!("\nwrote docs/performance.md");
    Ok(())
}

async fn measure(options: &Options, results: &mut Results, raw: &std::path::Path) -> Result<()> {
    let programs = registries::programs(options)?;
    // Beneath the target folder, which is on a disk where /tmp may be memory.
    let parent = root().join("target/bench");
    fs::create_dir_all(&parent)?;
    let folder = tempfile::tempdir_in(&parent).context("cannot make a folder for the data")?;
    let scale = Scale::of(options);
    println!("measuring the limits of the machine");
    let run = Run {
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        is_quick: options.quick,
        machine: Machine::this(),
        versions: programs
            .iter()
            .map(|program| (program.registry, program.version.clone()))
            .collect(),
        limits: limits::measure(folder.path(), &scale).await?,
    };
    let mut bench = Bench::new(scale, programs, folder.path().to_owned());
    for row in Row::ALL {
        if options.only.is_some_and(|only| only != row) {
            continue;
        }
        let measurements = bench.measure(row).await?;
        let run = run.clone();
        results.rows.insert(row, RowResult { run, measurements });
        // After each row, so that a run that is broken off has not been for nothing.
        results.save(raw)?;
    }
    Ok(())
}
