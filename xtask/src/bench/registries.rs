//! The registries, as programs that can be started.

mod collection;
pub(super) mod configuration;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

pub(super) use collection::Collection;

use super::http::{Connection, Request};
use super::options::Options;
use super::process::Process;
use super::results::Registry;
use crate::command::{command, output};
use crate::server::Build;
use crate::tools;

/// How long a registry may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a starting registry is asked.
const START_INTERVAL: Duration = Duration::from_micros(500);

/// A registry that can be started.
pub(super) struct Program {
    pub(super) registry: Registry,
    pub(super) version: String,
    pub(super) path: PathBuf,
}

/// What a server is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To serve as it does when it is told nothing else.
    Serving,
    /// To collect garbage at once as well, if it does that by itself.
    Collecting,
}

/// Builds or installs the registries: berth first.
pub(super) fn programs(options: &Options) -> Result<Vec<Program>> {
    let mut programs = Vec::from(berth_and_distribution()?);
    match &options.zot {
        Some(zot) => programs.push(Program::new(Registry::Zot, fs::canonicalize(zot)?)?),
        None => println!("zot is left out: name its program with --zot FILE"),
    }
    Ok(programs)
}

/// Builds or installs those that are always measured.
pub(super) fn berth_and_distribution() -> Result<[Program; 2]> {
    let berth = Build::Release.program()?;
    tools::install_for_bench()?;
    Ok([
        Program::new(Registry::Berth, berth)?,
        Program::new(Registry::Distribution, tools::path("registry"))?,
    ])
}

impl Program {
    fn new(registry: Registry, path: PathBuf) -> Result<Self> {
        let said = output(&mut command(&path.to_string_lossy(), &["--version"]))?;
        let said = String::from_utf8_lossy(&said);
        let version = match registry {
            Registry::Berth => format!("{} ({})", last_word(&said), state_of_the_sources()),
            Registry::Distribution => last_word(&said),
            Registry::Zot => commit(&said).unwrap_or_else(|| "unknown commit".to_owned()),
        };
        Ok(Self {
            registry,
            version,
            path,
        })
    }

    /// Starts it with a fresh data folder inside this folder, and waits until it answers.
    pub(super) async fn start(&self, folder: &Path) -> Result<Running> {
        let data = tempfile::Builder::new()
            .prefix(self.registry.name())
            .tempdir_in(folder)?;
        self.start_with(data).await
    }

    /// Starts it with a data folder that is there, and waits until it answers.
    pub(super) async fn start_with(&self, data: TempDir) -> Result<Running> {
        self.start_for(Purpose::Serving, data).await
    }

    /// Starts it with a data folder that is there, to collect what is garbage there.
    pub(super) async fn start_collecting(&self, data: TempDir) -> Result<Running> {
        self.start_for(Purpose::Collecting, data).await
    }

    async fn start_for(&self, purpose: Purpose, data: TempDir) -> Result<Running> {
        let address = free_address()?;
        let mut command = self.command(data.path(), address, purpose)?;
        let started = Instant::now();
        let mut process = spawn(&mut command, data.path())?;
        wait_for_answer(&mut process, address)
            .await
            .with_context(|| format!("{} does not start", self.registry.name()))?;
        Ok(Running {
            registry: self.registry,
            start_time: started.elapsed(),
            process,
            address,
            data,
        })
    }

    /// The command that serves, with every option that does not say where left as it ships.
    fn command(&self, data: &Path, address: SocketAddr, purpose: Purpose) -> Result<Command> {
        let storage = storage(data);
        let file = configuration_file(data);
        let mut command = Command::new(&self.path);
        command.arg("serve");
        match self.registry {
            Registry::Berth => {
                command
                    .args(["--listen", &address.to_string(), "--data"])
                    .arg(storage);
            }
            Registry::Distribution => {
                let configuration = configuration::distribution(&storage, address);
                fs::write(&file, configuration.to_string())?;
                // Its container image sets this too.
                command.env("OTEL_TRACES_EXPORTER", "none");
                command.arg(file);
            }
            Registry::Zot => {
                let configuration = match purpose {
                    Purpose::Serving => configuration::zot(&storage, address),
                    Purpose::Collecting => configuration::collecting_zot(&storage, address),
                };
                fs::write(&file, configuration.to_string())?;
                command.arg(file);
            }
        }
        Ok(command)
    }
}

/// Starts a command in this folder. What it logs goes to a file there, as it would to a log collector's
/// pipe.
pub(super) fn spawn(command: &mut Command, data: &Path) -> Result<Process> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(data.join("log"))?;
    let child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok(Process::of(child))
}

/// What a registry stores is beneath this folder.
fn storage(data: &Path) -> PathBuf {
    data.join("storage")
}

/// The configuration of a registry that is not told all on its command line. zot reads JSON by this name.
fn configuration_file(data: &Path) -> PathBuf {
    data.join("config.json")
}

/// An address that nobody listens on.
pub(super) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until a registry that was started just now answers.
pub(super) async fn wait_for_answer(process: &mut Process, address: SocketAddr) -> Result<()> {
    let started = Instant::now();
    while !answers(address).await {
        ensure!(process.is_running(), "it ended");
        if started.elapsed() > START_TIMEOUT {
            bail!("there is no answer after {} s", START_TIMEOUT.as_secs());
        }
        tokio::time::sleep(START_INTERVAL).await;
    }
    Ok(())
}

async fn answers(address: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::open(address).await else {
        return false;
    };
    let answer = connection.send(&Request::get("/v2/")).await;
    answer.is_ok_and(|answer| answer.status == 200)
}

/// The commit that zot says it was built from, in the JSON that it logs.
fn commit(said: &str) -> Option<String> {
    let about: Value = serde_json::from_str(said.lines().next()?).ok()?;
    let commit = about["commit"].as_str().filter(|commit| !commit.is_empty());
    commit.map(|commit| format!("commit {commit}"))
}

/// The commit that is checked out, and whether it was changed.
fn state_of_the_sources() -> String {
    let git = |arguments: &[&str]| {
        let said = output(&mut command("git", arguments))?;
        anyhow::Ok(String::from_utf8_lossy(&said).trim().to_owned())
    };
    // A benchmark of several rows writes documents on the way, which change nothing.
    let changed = git(&["status", "--porcelain", "--", ":/", ":(exclude,top)docs"]);
    match (git(&["describe", "--always"]), changed) {
        (Ok(commit), Ok(changed)) if changed.is_empty() => commit,
        (Ok(commit), _) => format!("{commit}-dirty"),
        (Err(_), _) => "unknown commit".to_owned(),
    }
}

fn last_word(text: &str) -> String {
    let word = text.split_whitespace().last().unwrap_or("unknown");
    // `go install` does not know the commit, and says so.
    word.trim_end_matches("+unknown").to_owned()
}

/// A registry that runs until this is dropped; then its data goes too.
pub(super) struct Running {
    pub(super) registry: Registry,
    pub(super) address: SocketAddr,
    /// How long it took to the first answer.
    pub(super) start_time: Duration,
    // Fields are dropped in order: the process must end before its folder goes.
    pub(super) process: Process,
    data: TempDir,
}

impl Running {
    /// Its folder: what it stores, its log, and its configuration.
    pub(super) fn folder(&self) -> &Path {
        self.data.path()
    }

    /// Ends the process and keeps its data.
    pub(super) fn stop(self) -> TempDir {
        drop(self.process);
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_last_word() {
        assert_eq!(last_word("berth 0.1.0\n"), "0.1.0");
        assert_eq!(
            last_word("registry example.org/v3 v3.1.2+unknown\n"),
            "v3.1.2"
        );
    }

    #[test]
    fn zot_tells_its_commit_or_not() {
        let said = r#"{"message":"version","commit":"v2.1.9-0-gabc","caller":"root.go"}"#;
        assert_eq!(commit(said).as_deref(), Some("commit v2.1.9-0-gabc"));
        assert_eq!(commit(r#"{"message":"version","commit":""}"#), None);
        assert_eq!(commit("zot"), None);
    }
}
