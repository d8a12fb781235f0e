//! The programs that the tests need and that are no crates.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::command::{command, output, root, run, works};

/// A program that Go's module proxy has, at a fixed version.
struct GoProgram {
    name: &'static str,
    package: &'static str,
    version: &'static str,
}

const GO_PROGRAMS: [GoProgram; 4] = [
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
    GoProgram {
        name: "versitygw",
        package: "github.com/versity/versitygw/cmd/versitygw",
        version: "v1.8.0",
    },
];

/// The oldest Go that builds them.
const OLDEST_GO: (u32, u32) = (1, 25);

/// What only `cargo xtask bench` needs: the registry that berth is measured against.
const PEERS: [GoProgram; 1] = [GoProgram {
    name: "registry",
    package: "github.com/distribution/distribution/v3/cmd/registry",
    version: "v3.1.2",
}];

/// Installs what the tests need and is missing.
pub(crate) fn install() -> Result<()> {
    install_postgres()?;
    install_all(&["faketime", "skopeo", "strace"], &GO_PROGRAMS)
}

/// Installs what the benchmark needs and is missing.
pub(crate) fn install_for_bench() -> Result<()> {
    install_all(&["skopeo"], &PEERS)
}

/// Installs what the benchmark of replicas needs and is missing, beside [`install_for_bench`].
pub(crate) fn install_for_cluster() -> Result<()> {
    install_postgres()?;
    let gateways = GO_PROGRAMS.iter();
    install_all(&[], gateways.filter(|program| program.name == "versitygw"))
}

/// The version of a program made with Go that is installed here.
pub(crate) fn version(name: &str) -> Option<&'static str> {
    let mut programs = GO_PROGRAMS.iter().chain(&PEERS);
    let program = programs.find(|program| program.name == name)?;
    Some(program.version)
}

/// Installs packages of Debian that have a program of their name, and programs made with Go.
fn install_all<'a>(
    packages: &[&str],
    programs: impl IntoIterator<Item = &'a GoProgram>,
) -> Result<()> {
    for package in packages {
        install_package(package)?;
    }
    check_go()?;
    programs.into_iter().try_for_each(install_go_program)
}

fn check_go() -> Result<()> {
    let (major, minor) = OLDEST_GO;
    let remedy = format!(
        "Go {major}.{minor} or newer is needed. Install it, with apt-get install golang-go where that is new enough"
    );
    let found = output(&mut command("go", &["version"]))
        .with_context(|| format!("Go is missing. {remedy}"))?;
    let found = String::from_utf8_lossy(&found);
    if !is_new_enough(&found) {
        bail!("this Go is too old: {:?}. {remedy}", found.trim());
    }
    Ok(())
}

/// Whether what `go version` prints tells of a Go that builds the programs.
fn is_new_enough(found: &str) -> bool {
    found
        .split_whitespace()
        .find_map(go_version)
        .is_some_and(|version| version >= OLDEST_GO)
}

/// The two numbers of a word such as `go1.24.3`, `go1.25rc1` or `go1.26-0a1b2c3`.
fn go_version(word: &str) -> Option<(u32, u32)> {
    let (major, rest) = word.strip_prefix("go")?.split_once('.')?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, digits.parse().ok()?))
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

/// Installs the server that the tests of metadata on PostgreSQL start, if there is none. Debian keeps its programs apart.
fn install_postgres() -> Result<()> {
    let debian = "ls /usr/lib/postgresql/*/bin/initdb";
    if works("initdb", &["--version"]) || works("sh", &["-c", debian]) {
        return Ok(());
    }
    install_missing("postgresql")
}

/// Installs a package of Debian if the program of its name is missing.
pub(crate) fn install_package(name: &str) -> Result<()> {
    match works(name, &["--version"]) {
        true => Ok(()),
        false => install_missing(name),
    }
}

fn install_missing(name: &str) -> Result<()> {
    let install = ["install", "-y", "--no-install-recommends", name];
    let installed = apt_get(&install).or_else(|_| {
        apt_get(&["update"])?;
        apt_get(&install)
    });
    installed.with_context(|| {
        format!("{name} is missing. Install it as root with: apt-get install {name}")
    })
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    if works("sh", &["-c", "test \"$(id -u)\" = 0"]) {
        return run(&mut command("apt-get", arguments));
    }
    let arguments = [&["-n", "apt-get"], arguments].concat();
    run(&mut command("sudo", &arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_that_is_too_old_is_known_by_its_version() {
        for found in [
            "go version go1.25 linux/amd64",
            "go version go1.25.3 linux/arm64",
            "go version go1.25rc1 linux/amd64",
            "go version go2.0 linux/amd64",
            "go version devel go1.26-0a1b2c3 Tue Aug 12 10:00:00 2025 +0000 linux/amd64",
        ] {
            assert!(is_new_enough(found), "{found}");
        }
        for found in [
            "go version go1.19.8 linux/amd64",
            "go version go1.9 linux/amd64",
            "go version go1.24.13 linux/amd64",
            "go version unknown linux/amd64",
            "",
        ] {
            assert!(!is_new_enough(found), "{found}");
        }
    }
}
