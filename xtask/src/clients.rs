//! Real clients against the real server: what they pushed must come out again, byte for byte.

mod crane;
mod exports;
mod layout;
mod login;
mod oras;
mod skopeo;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{command, output};
use crate::server::{Build, Server};
use crate::tools;
use layout::Layout;

/// Runs every check of every client, against one server.
pub(crate) fn run(build: Build) -> Result<()> {
    tools::install()?;
    let server = Server::start(build, &[])?;
    let folder = tempfile::tempdir()?;
    let bench = Bench {
        build,
        address: server.address.clone(),
        image: Layout::image(&folder.path().join("image"))?,
        index: Layout::index(&folder.path().join("index"))?,
        folder,
    };
    let mut report = Report::default();
    skopeo::checks(&bench, &mut report);
    crane::checks(&bench, &mut report);
    oras::checks(&bench, &mut report);
    exports::checks(&bench, &server, &mut report);
    login::checks(&bench, &mut report)?;
    println!("{} passed, {} failed", report.passed, report.failed.len());
    if !report.failed.is_empty() {
        bail!("clients failed: {}", report.failed.join("; "));
    }
    Ok(())
}

/// What the checks work with.
struct Bench {
    build: Build,
    /// `host:port` of the registry.
    address: String,
    folder: TempDir,
    /// One image, tagged `v1`.
    image: Layout,
    /// An index of several platforms, tagged `v1`.
    index: Layout,
}

impl Bench {
    /// `host:port/name`.
    fn remote(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// A path in the folder of this run.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A client that is on the path, or was made with Go, running in the folder of this run.
    fn client(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = command(program, arguments);
        command.current_dir(self.folder.path());
        command
    }
}

#[derive(Default)]
struct Report {
    passed: usize,
    failed: Vec<String>,
}

impl Report {
    fn check(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        match work() {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {name}");
            }
            Err(error) => {
                println!("FAILED  {name}: {error:#}");
                self.failed.push(name.to_owned());
            }
        }
    }
}

fn text(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8(output(command)?)?.trim().to_owned())
}

fn json(command: &mut Command) -> Result<Value> {
    Ok(serde_json::from_slice(&output(command)?)?)
}

/// The registry must refuse this, and say so in these words.
fn is_refused(command: &mut Command, reason: &str) -> Result<()> {
    let said = refusal(command)?;
    ensure!(
        said.contains(reason),
        "{command:?} did not say {reason:?}: {said}"
    );
    Ok(())
}

/// What a command says that must fail.
fn refusal(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(!output.status.success(), "{command:?} went well");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}
