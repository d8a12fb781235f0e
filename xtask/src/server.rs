use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::{command, root, run};

/// The release build, serving a new data folder on a free port until this is dropped.
pub(crate) struct Server {
    process: Child,
    /// `host:port`.
    pub(crate) address: String,
    _data: TempDir,
}

impl Server {
    /// Builds berth if needed, and starts it with these options.
    pub(crate) fn start(options: &[&str]) -> Result<Self> {
        let program = build()?;
        let data = tempfile::tempdir()?;
        let mut process = Command::new(program)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--log",
                "warn",
                "--data",
            ])
            .arg(data.path())
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start target/release/berth")?;
        let stdout = process.stdout.take().context("berth has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let server = Self {
            process,
            address: address(&line)
                .with_context(|| format!("berth did not say where it listens, but {line:?}"))?,
            _data: data,
        };
        Ok(server)
    }
}

/// Builds berth if needed, and answers where its program is.
pub(crate) fn build() -> Result<PathBuf> {
    run(&mut command(
        "cargo",
        &["build", "--quiet", "--release", "-p", "berth"],
    ))?;
    Ok(root().join("target/release/berth"))
}

fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("http://")?;
    rest.split_whitespace().next().map(str::to_owned)
}

impl Drop for Server {
    fn drop(&mut self) {
        // The data goes too: there is nothing to end well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
