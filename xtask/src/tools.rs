//! The programs that the tests need and that are no crates.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::command::{command, root, run, works};

/// A program that Go's module proxy has, at a fixed version.
struct GoProgram {
    name: &'static str,
    package: &'static str,
    version: &'static str,
}

const GO_PROGRAMS: [GoProgram; 3] = [
    GoProgram {
        name: "crane",
        package: "github.com/google/go-containerregistry/cmd/crane",
        version: "v0.22.1",
    },
    GoProgram {
        name: "oras",
        package: "oras.land/oras/cmd/oras",
        version: "v1.3.6",
    },
    GoProgram {
        name: "conformance",
        package: "github.com/opencontainers/distribution-spec/conformance",
        version: "v0.0.0-20260831232431-97274622c111",
    },
];

/// What only `cargo xtask bench` needs: the registry that berth is measured against.
const PEERS: [GoProgram; 1] = [GoProgram {
    name: "registry",
    package: "github.com/distribution/distribution/v3/cmd/registry",
    version: "v3.1.2",
}];

/// Installs what the tests need and is missing.
pub(crate) fn install() -> Result<()> {
    install_all(&GO_PROGRAMS)
}

/// Installs what the benchmark needs and is missing.
pub(crate) fn install_for_bench() -> Result<()> {
    install_all(&PEERS)
}

fn install_all(programs: &[GoProgram]) -> Result<()> {
    install_skopeo()?;
    if !works("go", &["version"]) {
        bail!("Go is missing. Install it, for example with: apt-get install golang-go");
    }
    programs.iter().try_for_each(install_go_program)
}

/// Where a program made with Go is.
pub(crate) fn path(name: &str) -> PathBuf {
    folder().join(name)
}

fn folder() -> PathBuf {
    root().join("target/tools/bin")
}

fn install_go_program(program: &GoProgram) -> Result<()> {
    let GoProgram {
        name,
        package,
        version,
    } = program;
    let stamp = root().join(format!("target/tools/{name}.version"));
    let is_there = fs::read_to_string(&stamp).is_ok_and(|installed| installed == *version);
    if is_there && path(name).is_file() {
        return Ok(());
    }
    fs::create_dir_all(folder())?;
    run(command("go", &["install", &format!("{package}@{version}")]).env("GOBIN", folder()))?;
    fs::write(&stamp, version).with_context(|| format!("cannot write {}", stamp.display()))
}

fn install_skopeo() -> Result<()> {
    if works("skopeo", &["--version"]) {
        return Ok(());
    }
    let install = ["install", "-y", "--no-install-recommends", "skopeo"];
    let installed = apt_get(&install).or_else(|_| {
        apt_get(&["update"])?;
        apt_get(&install)
    });
    installed.context("skopeo is missing. Install it as root with: apt-get install skopeo")
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    if works("sh", &["-c", "test \"$(id -u)\" = 0"]) {
        return run(&mut command("apt-get", arguments));
    }
    let arguments = [&["-n", "apt-get"], arguments].concat();
    run(&mut command("sudo", &arguments))
}
