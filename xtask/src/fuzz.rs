//! Builds the fuzz targets with libFuzzer, and runs them.

mod report;
mod target;

use std::fs;
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::command::{command, output, root, run};
use report::Report;
use target::Target;

/// What coverage libFuzzer needs, from a compiler that has no `-Zsanitizer`.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing";

/// Where all of it goes.
const FOLDER: &str = "target/fuzz";

#[derive(Args)]
pub(crate) struct Options {
    /// Only these targets; all, if none is named
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Afterwards, adds to tests/fuzz/corpus the fewest inputs that cover all that was found
    #[arg(long)]
    keep: bool,
}

/// Fuzzes one target after the other, and tells what each found.
pub(crate) fn run_all(options: &Options) -> Result<()> {
    let targets = chosen(&options.targets)?;
    let host = host()?;
    build(&host)?;
    let mut reports = Vec::new();
    for name in targets {
        let target = Target::new(&name, &host)?;
        reports.push(target.fuzz(options.seconds)?);
        if options.keep {
            target.keep()?;
        }
    }
    tell(&reports)
}

/// The targets of this name, or all.
fn chosen(names: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join("tests/fuzz/corpus"))? {
        all.push(entry?.file_name().to_string_lossy().into_owned());
    }
    all.sort();
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!(
            "there is no target {unknown}; use some of: {}",
            all.join(", ")
        );
    }
    Ok(if names.is_empty() {
        all
    } else {
        names.to_vec()
    })
}

/// Named, so that the flags are not for build scripts too.
fn host() -> Result<String> {
    let host = output(&mut command("rustc", &["--print", "host-tuple"]))?;
    Ok(String::from_utf8(host)?.trim().to_owned())
}

fn build(host: &str) -> Result<()> {
    let mut build: Command = command("cargo", &["build", "--package", "berth-fuzz", "--bins"]);
    build.args(["--profile", "fuzz", "--target", host]);
    build.args(["--target-dir", FOLDER]);
    run(build.env("RUSTFLAGS", FLAGS))
}

fn tell(reports: &[Report]) -> Result<()> {
    println!("\n{}", report::HEAD);
    for report in reports {
        println!("{report}");
    }
    let found: usize = reports.iter().map(|report| report.findings).sum();
    if found > 0 {
        bail!("{found} findings are in {FOLDER}/findings; see tests/fuzz/README.md");
    }
    Ok(())
}
