//! A server that asks nobody who they are, and the accounts that change that.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::harness::Berth;
use crate::{add_token, add_user, berth, json, run, succeeds, text};

const NOTE: &str = "asks nobody who they are";

fn is_open(server: &Berth) -> bool {
    server.get("/v2/").status == 200
}

#[test]
fn whoever_adds_the_first_account_is_told_that_the_server_asks_nobody_yet() {
    let server = Berth::start();
    let data = server.data();
    let add_user = ["user", "add", "alice", "--password-stdin"];
    let said = succeeds(&add_user, &data, "correct horse\n");
    assert!(said.contains(NOTE) && said.contains("restarted"), "{said}");
    let add_token = ["token", "add", "ci", "--repository", "**", "--action"];
    let output = run(&[&add_token[..], &["pull"]].concat(), &data, "");
    assert!(text(&output.stderr).contains(NOTE), "{output:?}");
    let revoked = json(&["token", "revoke", "ci"], &data);
    assert!(
        revoked["notes"][0].as_str().unwrap().contains(NOTE),
        "{revoked}"
    );
    assert_eq!(json(&["user", "list"], &data).get("notes"), None);
    assert!(is_open(&server));

    let server = server.kill_and_restart();
    assert!(!is_open(&server));
    let said = succeeds(&["user", "remove", "alice"], &data, "");
    assert!(!said.contains(NOTE), "{said}");
}

#[test]
fn whoever_adds_an_account_that_does_not_count_is_told_so() {
    let server = Berth::start_with(&["--accounts", "false"]);
    let add_user = ["user", "add", "alice", "--password-stdin"];
    let said = succeeds(&add_user, &server.data(), "correct horse\n");
    assert!(said.contains("accounts = false"), "{said}");
}

#[test]
fn a_server_stays_closed_when_its_last_account_is_gone() {
    let server = Berth::start();
    add_user("alice", "correct horse", &server.data());
    succeeds(&["user", "remove", "alice"], &server.data(), "");
    let server = server.kill_and_restart();
    assert!(!is_open(&server));

    let server = Berth::start();
    add_token("ci", &server.data());
    succeeds(&["token", "revoke", "ci"], &server.data(), "");
    let server = server.kill_and_restart();
    assert!(!is_open(&server));
}

/// It is part of the metadata, so it is in a backup.
#[test]
fn what_keeps_a_server_closed_is_in_what_is_restored() {
    let server = Berth::start();
    add_user("alice", "correct horse", &server.data());
    succeeds(&["user", "remove", "alice"], &server.data(), "");
    let folder = tempfile::tempdir().unwrap();
    let [backup, restored] = ["backup", "restored"].map(|name| folder.path().join(name));
    let backup = backup.to_str().unwrap();
    succeeds(&["backup", backup], &server.data(), "");
    succeeds(&["restore", backup], &restored, "");
    let mut process = berth(&["serve", "--listen", "127.0.0.1:0"], &restored)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(process.stderr.take().unwrap());
    let listening = log
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains("\"listening\""));
    process.kill().unwrap();
    process.wait().unwrap();
    let listening = listening.unwrap();
    assert!(listening.contains("\"authentication\":true"), "{listening}");
}
