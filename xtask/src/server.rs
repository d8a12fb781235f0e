use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use tempfile::TempDir;

use crate::command::{command, root, run};

/// The release build, serving a new data folder on a free port until this is dropped.
pub(crate) struct Server {
    process: Child,
    /// `host:port`.
    pub(crate) address: String,
    folder: TempDir,
}

impl Server {
    /// Builds berth if needed, and starts it with these options.
    pub(crate) fn start(options: &[&str]) -> Result<Self> {
        Self::start_under(&[], options)
    }

    /// As [`Server::start`], with these words before the command, which must start it in their own
    /// place.
    pub(crate) fn start_under(words: &[String], options: &[&str]) -> Result<Self> {
        let berth = build()?;
        let folder = tempfile::tempdir()?;
        let words = words.iter().map(OsString::from);
        let mut words = words.chain([berth.into_os_string()]);
        let program = words.next().context("no command")?;
        let mut process = Command::new(&program)
            .args(words)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--log",
                "warn",
                "--data",
            ])
            .arg(data_in(&folder))
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = process.stdout.take().context("berth has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let server = Self {
            process,
            address: address(&line)
                .with_context(|| format!("berth did not say where it listens, but {line:?}"))?,
            folder,
        };
        Ok(server)
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its data folder, which was not there before it started.
    pub(crate) fn data(&self) -> PathBuf {
        data_in(&self.folder)
    }
}

fn data_in(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

/// Builds berth if needed, and answers where its program is: not always in `target`, as whoever builds may
/// choose.
pub(crate) fn build() -> Result<PathBuf> {
    run(&mut command(
        "cargo",
        &["build", "--quiet", "--release", "-p", "berth"],
    ))?;
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()?;
    let target = metadata.target_directory.into_std_path_buf();
    Ok(target.join("release/berth"))
}

fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("://")?;
    rest.split_whitespace().next().map(str::to_owned)
}

impl Drop for Server {
    fn drop(&mut self) {
        // The data goes too: there is nothing to end well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
