//! The real binary keeps users, tokens of robots and signing keys; beside a server, by the server itself, and without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;

mod folders;
mod keys;
mod open_server;
mod recorded;
mod refusals;
mod secrecy;
mod terminal;
mod tokens;
mod users;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harness::Berth;
use serde_json::Value;

/// berth with these arguments, over a data folder, and nothing in its environment.
fn berth(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.env_clear().args(arguments).arg("--data").arg(data);
    command
}

/// Runs it to its end, with this on its standard input.
fn run(arguments: &[&str], data: &Path, input: &str) -> Output {
    let mut process = berth(arguments, data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without having read all of it.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    process.wait_with_output().unwrap()
}

/// What it prints, if it succeeds, as it must.
fn succeeds(arguments: &[&str], data: &Path, input: &str) -> String {
    let output = run(arguments, data, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stdout)
}

/// What it says, if it fails, as it must.
fn fails(arguments: &[&str], data: &Path, input: &str) -> String {
    let output = run(arguments, data, input);
    assert!(!output.status.success(), "{arguments:?}: {output:?}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    text(&output.stderr)
}

/// What it prints as JSON.
fn json(arguments: &[&str], data: &Path) -> Value {
    let printed = succeeds(&[arguments, &["--json"]].concat(), data, "");
    serde_json::from_str(&printed).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Adds a user with this password.
fn add_user(name: &str, password: &str, data: &Path) {
    let line = format!("{password}\n");
    succeeds(&["user", "add", name, "--password-stdin"], data, &line);
}

/// Adds a token that may pull from anywhere, and answers it.
fn add_token(name: &str, data: &Path) -> String {
    let arguments = [
        "token",
        "add",
        name,
        "--repository",
        "**",
        "--action",
        "pull",
    ];
    succeeds(&arguments, data, "").trim_end().to_owned()
}

/// Tries something over the data of a server, and over a folder of which nobody knows yet.
fn beside_a_server_and_without(attempt: impl Fn(&Path)) {
    let server = Berth::start_with(&["--accounts", "true"]);
    attempt(&server.data());
    let folder = tempfile::tempdir().unwrap();
    attempt(&folder.path().join("data"));
}
