//! Clients that others have made.

mod layout;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;

use crate::contents::Layers;
use crate::ledger::{Ledger, Manifest, Name, State};
use crate::pusher::{Counts, Outcome};
use layout::Layout;

/// How long a run may take. A replica that was stopped answers nothing.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Crane,
    Skopeo,
}

impl Program {
    /// Pushes images and pulls them, each again until it is done, until it is told to stop.
    pub(crate) fn run(
        self,
        seed: u64,
        layers: &Layers,
        address: &str,
        stop: &AtomicBool,
    ) -> Outcome {
        let mut user = User {
            program: self,
            folder: tempfile::tempdir().unwrap(),
            address,
            random: StdRng::seed_from_u64(seed.wrapping_add(self as u64 + 1000)),
            ledger: Ledger::default(),
            counts: Counts::default(),
            findings: Vec::new(),
            failures: BTreeMap::new(),
        };
        for number in 0.. {
            if stop.load(Ordering::Relaxed) || !user.findings.is_empty() {
                break;
            }
            user.push(number, layers, stop);
            user.pull();
        }
        if !user.findings.is_empty() {
            stop.store(true, Ordering::Relaxed);
        }
        Outcome {
            ledger: user.ledger,
            counts: user.counts,
            findings: user.findings,
            failures: user.failures,
            history: Vec::new(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Crane => "crane",
            Self::Skopeo => "skopeo",
        }
    }

    fn command(self) -> Command {
        let mut command = match self {
            Self::Crane => Command::new(crane()),
            Self::Skopeo => Command::new("skopeo"),
        };
        match self {
            Self::Crane => command.arg("--insecure"),
            Self::Skopeo => command.arg("--insecure-policy"),
        };
        command
    }

    fn push(self, layout: &str, remote: &str) -> Command {
        let mut command = self.command();
        match self {
            Self::Crane => command.args(["push", layout, remote]),
            Self::Skopeo => command.args([
                "copy",
                "--preserve-digests",
                "--dest-tls-verify=false",
                &format!("oci:{layout}:v1"),
                &format!("docker://{remote}"),
            ]),
        };
        command
    }

    fn pull(self, remote: &str, layout: &str) -> Command {
        let mut command = self.command();
        match self {
            Self::Crane => command.args(["pull", "--format=oci", remote, layout]),
            Self::Skopeo => command.args([
                "copy",
                "--preserve-digests",
                "--src-tls-verify=false",
                &format!("docker://{remote}"),
                &format!("oci:{layout}:v1"),
            ]),
        };
        command
    }
}

fn crane() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/crane");
    assert!(
        path.is_file(),
        "{} is missing: cargo xtask setup installs it",
        path.display()
    );
    path
}

/// Who runs a program again and again.
struct User<'a> {
    program: Program,
    folder: TempDir,
    address: &'a str,
    random: StdRng,
    ledger: Ledger,
    counts: Counts,
    findings: Vec<String>,
    failures: BTreeMap<String, usize>,
}

impl User<'_> {
    fn push(&mut self, number: u32, layers: &Layers, stop: &AtomicBool) {
        let layers = layers.some(&mut self.random);
        let place = self.folder.path().join("pushed");
        let (layout, manifest) = Layout::write(&place, self.program.name(), number, layers);
        let repository = format!("cluster/{}", self.program.name());
        let tag = Name::new(&repository, &format!("v{number}"));
        let name = tag.beside(&layout.digest());
        self.ledger.manifests.insert(name.clone(), manifest);
        let remote = self.remote(&tag);
        loop {
            match self.finish(self.program.push(&layout.path(), &remote)) {
                Ok(()) => {
                    self.ledger.pushed(&name, Some(&tag));
                    self.counts.pushed += 1;
                    return;
                }
                // A blob was collected since it was pushed, or a replica was killed.
                Err(said) => self.failed("push", &said),
            }
            self.ledger.may_be_pushed(&name, Some(&tag));
            self.ledger
                .tags
                .get_mut(&tag)
                .unwrap()
                .possible
                .insert(None);
            if stop.load(Ordering::Relaxed) {
                self.counts.given_up += 1;
                return;
            }
        }
    }

    fn pull(&mut self) {
        let is_there = |_: &Name, it: &Manifest| it.state == State::There;
        let Some(name) = self.ledger.some(&mut self.random, is_there) else {
            return;
        };
        let remote = format!("{}/{}@{}", self.address, name.repository, name.reference);
        let place = self.folder.path().join("pulled");
        let pulled = Layout::to_be_pulled(&place);
        match self.finish(self.program.pull(&remote, &pulled.path())) {
            Ok(()) => {
                self.counts.pulled += 1;
                let found = pulled.differs_from(&name, &self.ledger.manifests[&name]);
                self.findings.extend(found);
            }
            Err(said) if said.to_lowercase().contains("unknown") || said.contains("404") => {
                self.findings
                    .push(format!("{:?} cannot pull {name:?}: {said}", self.program));
            }
            Err(said) => self.failed("pull", &said),
        }
    }

    fn remote(&self, tag: &Name) -> String {
        format!("{}/{}:{}", self.address, tag.repository, tag.reference)
    }

    /// Runs a program to its end, or for as long as it may take.
    fn finish(&self, mut command: Command) -> Result<(), String> {
        let path = self.folder.path().join("errors");
        let errors = std::fs::File::create(&path).unwrap();
        command.stdout(Stdio::null()).stderr(errors);
        let mut process = command.spawn().unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                process.kill().unwrap();
                break process.wait().unwrap();
            }
            sleep(Duration::from_millis(20));
        };
        match status.success() {
            true => Ok(()),
            false => Err(std::fs::read_to_string(path).unwrap()),
        }
    }

    fn failed(&mut self, what: &str, said: &str) {
        let last = said.trim().rsplit(": ").next().unwrap_or_default();
        let failure = format!("{:?} {what}: {last}", self.program);
        *self.failures.entry(failure).or_default() += 1;
    }
}
