//! What is done to accounts is done to its end, and recorded.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::json;

use crate::harness::{Berth, wait_until};
use crate::{berth, json, text};

const ADD: [&str; 7] = [
    "token",
    "add",
    "ci",
    "--repository",
    "**",
    "--action",
    "pull",
];

fn lines_of(log: &Path, event: &str) -> usize {
    let log = fs::read_to_string(log).unwrap();
    log.lines().filter(|line| line.contains(event)).count()
}

#[test]
fn without_a_server_the_environment_and_flags_say_where_it_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let [by_variable, by_flag] =
        ["variable.jsonl", "flag.jsonl"].map(|name| folder.path().join(name));
    let added = berth(&ADD, &folder.path().join("one"))
        .env("BERTH_AUDIT_LOG", &by_variable)
        .env("BERTH_AUDIT_REQUIRED", "true")
        .output()
        .unwrap();
    assert!(added.status.success(), "{added:?}");
    assert_eq!(lines_of(&by_variable, "robot_token_added"), 1);
    let flag = ["--audit-log", by_flag.to_str().unwrap(), "--audit-required"];
    let added = berth(&[&ADD[..], &flag].concat(), &folder.path().join("two")).output();
    assert!(added.unwrap().status.success());
    assert_eq!(lines_of(&by_flag, "robot_token_added"), 1);
}

#[test]
fn without_a_server_nothing_is_done_that_must_be_recorded_and_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let refused = berth(&ADD, &data)
        .env("BERTH_AUDIT_REQUIRED", "true")
        .output()
        .unwrap();
    assert!(!refused.status.success(), "{refused:?}");
    assert!(text(&refused.stderr).contains("audit_required"));
    assert!(!data.join("metadata.sqlite3").exists());
}

#[test]
fn a_change_is_done_and_recorded_though_nobody_waits_for_it() {
    const CHANGES: usize = 30;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let server = Berth::start_with(&["--audit-log", log.to_str().unwrap()]);
    for number in 0..CHANGES {
        let user = json!({
            "name": format!("user-{number}"),
            "password_hash": "$argon2id$",
            "groups": [],
            "expires_at": null,
        });
        let task = json!({ "account": { "add_user": user } });
        let mut control = UnixStream::connect(server.data().join("control")).unwrap();
        writeln!(control, "{task}").unwrap();
    }
    wait_until("all are recorded", || {
        lines_of(&log, "user_added") == CHANGES
    });
    let users = json(&["user", "list"], &server.data());
    assert_eq!(users["users"].as_array().unwrap().len(), CHANGES);
}
