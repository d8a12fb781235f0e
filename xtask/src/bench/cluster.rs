//! Measures replicas of berth over one database and one bucket, beside as many processes of its peer over the same
//! bucket.

mod calls;
mod fleet;
mod gateway;
mod meter;
mod postgres;
mod report;
mod results;
mod rows;
mod scale;
mod sizes;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::options::Options;
use super::registries::{Program, berth_and_distribution};
use super::results::{Machine, Registry};
use crate::command::root;
use crate::tools;
use results::{Measured, Results, Run};
use rows::Round;
use scale::Scale;
use world::{Accounting, World};

/// Where the raw results are.
const RESULTS: &str = "docs/scale/results.json";

/// Where what is measured is written.
const DOCUMENT: &str = "docs/scale.md";

/// A part of what is measured about replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What 1, 2 and 3 servers do under load
    Load,
    /// What each operation asks of the database and of the bucket
    Calls,
    /// How large the database is for what it holds
    Sizes,
}

/// Measures all parts, or one of them, and writes the raw results and the document.
pub(super) fn run(options: &Options, part: Option<Part>) -> Result<()> {
    let raw = root().join(RESULTS);
    let mut results = Results::load(&raw)?;
    if !options.report {
        // One thread: the client must leave cores to the servers.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(measure(options, part, &mut results, &raw))?;
    }
    report::write(&results, &root().join(DOCUMENT))?;
    println!("\nwrote {DOCUMENT}");
    Ok(())
}

async fn measure(
    options: &Options,
    part: Option<Part>,
    results: &mut Results,
    raw: &Path,
) -> Result<()> {
    tools::install_for_cluster()?;
    let programs = berth_and_distribution()?;
    // Beneath the target folder, which is on a disk where /tmp may be memory.
    let parent = root().join("target/bench");
    fs::create_dir_all(&parent)?;
    let folder = tempfile::tempdir_in(&parent).context("cannot make a folder for the data")?;
    postgres::open_to_others(folder.path())?;
    let scale = Scale::of(options.quick);
    let run = Run {
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        is_quick: options.quick,
        machine: Machine::this(),
        versions: versions(&programs)?,
    };
    let is_wanted = |one| part.is_none_or(|part| part == one);
    if is_wanted(Part::Load) {
        let values = load(&programs, &scale, folder.path()).await?;
        let run = run.clone();
        results.load = Some(Measured { run, values });
        results.save(raw)?;
    }
    if is_wanted(Part::Calls) || is_wanted(Part::Sizes) {
        println!("\n== calls and sizes");
        let world = World::start(&programs, 1, Accounting::On, folder.path()).await?;
        if is_wanted(Part::Calls) {
            let values = calls::count(&world, &scale).await?;
            let run = run.clone();
            results.calls = Some(Measured { run, values });
            results.save(raw)?;
        }
        if is_wanted(Part::Sizes) {
            let values = sizes::measure(&world.postgres, &scale)?;
            results.sizes = Some(Measured { run, values });
            results.save(raw)?;
        }
    }
    Ok(())
}

/// What every number of servers does, in rounds that each begin with nothing.
async fn load(programs: &[Program], scale: &Scale, folder: &Path) -> Result<Vec<results::Series>> {
    let mut series = Vec::new();
    for number in 0..scale.rounds {
        println!("\n== load, round {}", number + 1);
        let world = World::start(programs, scale.most_servers(), Accounting::Off, folder).await?;
        let mut round = Round {
            number,
            world: &world,
            scale,
            series: &mut series,
        };
        round.measure().await?;
    }
    Ok(series)
}

fn versions(programs: &[Program]) -> Result<BTreeMap<String, String>> {
    let registries = programs
        .iter()
        .map(|program| (program.registry.name().to_owned(), program.version.clone()));
    let gateway = tools::version("versitygw").unwrap_or("unknown");
    let others = [
        ("PostgreSQL".to_owned(), postgres::version()?),
        ("versitygw".to_owned(), gateway.to_owned()),
    ];
    Ok(registries.chain(others).collect())
}

/// The registries that take part, berth first.
const REGISTRIES: [Registry; 2] = [Registry::Berth, Registry::Distribution];
