use std::time::Instant;

use anyhow::Result;

use crate::command::{command, run};
use crate::server::Build;
use crate::{clients, conformance, layers, sync_order, tools};

/// Everything that CI runs, in order of how soon it tells something.
pub(crate) fn run_all() -> Result<()> {
    step("tools", tools::install)?;
    step("layers", layers::check)?;
    step("format", || cargo(&["fmt", "--all", "--check"]))?;
    step("lints", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
    })?;
    step("documentation", || {
        let mut command = command("cargo", &["doc", "--quiet", "--workspace", "--no-deps"]);
        run(command.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("tests", || {
        cargo(&["test", "--workspace", "--all-features"])
    })?;
    // The release build alone would take as long as all before it.
    step("sync order", || sync_order::run(Build::OfTests))?;
    step("conformance", || conformance::run(Build::OfTests))?;
    step("clients", || clients::run(Build::OfTests))?;
    println!("\nAll passed.");
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run(&mut command("cargo", arguments))
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {name}");
    let started = Instant::now();
    work()?;
    println!("== {name}: passed in {} s", started.elapsed().as_secs());
    Ok(())
}
