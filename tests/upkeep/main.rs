//! The real binary looks after its data: garbage collection, verification, backup; beside a server,
//! by the server itself, and without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;

mod backup;
mod collection;
mod retention;
mod schedule;
mod stress;
mod transfer;
mod verification;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs a command over a data folder.
fn berth(arguments: &[&str], data: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth"))
        .env_clear()
        .args(arguments)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

/// What a command that must succeed prints as JSON.
fn report(arguments: &[&str], data: &Path) -> Value {
    let output = berth(&[arguments, &["--json"]].concat(), data);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // What it came upon is told before.
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// Where the bytes of a blob are.
fn file_of(data: &Path, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    data.join("blobs").join(algorithm).join(&hex[..2]).join(hex)
}

/// How many blobs there are in a data folder.
fn files(data: &Path) -> usize {
    let folders = fs::read_dir(data.join("blobs/sha256")).unwrap();
    let count = |folder: fs::DirEntry| fs::read_dir(folder.path()).unwrap().count();
    folders.map(|folder| count(folder.unwrap())).sum()
}

/// Replaces the file of a blob, which is read-only.
fn overwrite(path: PathBuf, content: impl AsRef<[u8]>) {
    fs::remove_file(&path).unwrap();
    fs::write(&path, content).unwrap();
}

/// Waits for what must come.
fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came");
        sleep(Duration::from_millis(20));
    }
}
