use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use cargo_metadata::MetadataCommand;
use tempfile::TempDir;

use crate::command::{command, root, run};

/// Which program is tried out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Build {
    /// What users run. It takes minutes to build.
    Release,
    /// What `cargo test --workspace --all-features` has left: nothing is built.
    OfTests,
}

/// A berth that serves a new data folder on a free port until this is dropped.
pub(crate) struct Server {
    build: Build,
    process: Child,
    /// `host:port`.
    pub(crate) address: String,
    folder: TempDir,
}

impl Server {
    /// Builds berth if needed, and starts it with these options.
    pub(crate) fn start(build: Build, options: &[&str]) -> Result<Self> {
        Self::start_under(&[], build, options)
    }

    /// As [`Server::start`], with these words before the command, which must start it in their own
    /// place.
    pub(crate) fn start_under(words: &[String], build: Build, options: &[&str]) -> Result<Self> {
        let berth = build.program()?;
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
            build,
            process,
            address: address(&line)
                .with_context(|| format!("berth did not say where it listens, but {line:?}"))?,
            folder,
        };
        Ok(server)
    }

    /// The program that serves, for another command.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        self.build.program()
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

impl Build {
    /// Builds berth if needed, and answers where its program is: not always in `target`, as whoever builds may
    /// choose.
    ///
    /// # Errors
    /// When it cannot be built, or the tests have left none.
    pub(crate) fn program(self) -> Result<PathBuf> {
        let program = match self {
            Self::Release => build_release()?,
            Self::OfTests => target()?.join("debug/berth"),
        };
        ensure!(program.is_file(), "there is no program of berth yet");
        Ok(program)
    }
}

fn build_release() -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--release", "-p", "berth"];
    run(&mut command("cargo", &arguments))?;
    Ok(target()?.join("release/berth"))
}

fn target() -> Result<PathBuf> {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
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
