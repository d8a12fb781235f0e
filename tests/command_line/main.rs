//! The command line of the real binary: options, signals, logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;

mod hang_up;
mod log;
mod options;
mod serving;

use std::ffi::OsStr;
use std::process::{Command, Output};

/// Runs berth to its end, with these variables in its environment.
fn run(arguments: &[impl AsRef<OsStr>], variables: &[(&str, &str)]) -> Output {
    berth(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// berth with these arguments, and nothing in its environment.
fn berth(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(arguments).env_clear();
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
