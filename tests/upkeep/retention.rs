use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::harness::{Berth, Image, Push};
use crate::{berth, files, report, until};

const RULE: &str = r#"
[[retention]]
repositories = ["team/*"]
tags = ["build-*"]
protect = ["build-1"]
keep_newest = 1
"#;

fn configuration(content: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("berth.toml");
    fs::write(&path, content).unwrap();
    (folder, path)
}

/// Four builds and a release, each an image of its own.
fn push_builds(server: &Berth, repository: &str) {
    for (seed, tag) in ["build-1", "build-2", "build-3", "build-4", "release"]
        .into_iter()
        .enumerate()
    {
        server.push(repository, tag, &Image::new(seed as u64));
    }
}

fn tags(server: &Berth, repository: &str) -> Vec<String> {
    let answer = server.get(&format!("/v2/{repository}/tags/list")).is(200);
    serde_json::from_value(answer.json()["tags"].clone()).unwrap()
}

#[test]
fn what_goes_by_rules_and_for_garbage_is_in_the_audit_log() {
    let log = tempfile::tempdir().unwrap();
    let log = log.path().join("audit.jsonl");
    let server = Berth::start_with(&["--audit-log", log.to_str().unwrap()]);
    push_builds(&server, "team/app");
    let (_folder, path) = configuration(RULE);
    let path = path.to_str().unwrap();
    let data = server.data();
    let read = || -> Vec<serde_json::Value> {
        let text = fs::read_to_string(&log).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &serde_json::Value| line.get("client").is_none())
            .collect()
    };
    berth(
        &["gc", "--dry-run", "--config", path, "--grace", "0s"],
        &data,
    );
    assert_eq!(read().len(), 0);
    report(&["gc", "--config", path, "--grace", "0s"], &data);
    until(|| read().iter().any(|line| line["event"] == "collected"));
    let lines = read();
    let tags: Vec<&str> = lines
        .iter()
        .filter(|line| line["event"] == "delete_tag")
        .map(|line| line["reference"].as_str().unwrap())
        .collect();
    assert_eq!(tags, ["build-2", "build-3"]);
    assert_eq!(lines[0]["repository"], "team/app");
    assert_eq!(lines[0]["subject"], "retention rule 1");
    assert!(lines[0]["digest"].is_string());
    let manifests = lines
        .iter()
        .filter(|line| line["event"] == "delete_manifest");
    assert_eq!(manifests.count(), 2);
    let counts = &lines.last().unwrap()["counts"];
    assert_eq!(
        (&counts["tags"], &counts["manifests"]),
        (&2.into(), &2.into())
    );
    // A run that takes nothing away is none to tell of.
    report(&["gc", "--grace", "1h"], &data);
    assert_eq!(read().len(), lines.len());
}

#[test]
fn a_dry_run_tells_what_would_go_by_rules_that_no_server_has() {
    let server = Berth::start();
    push_builds(&server, "team/app");
    push_builds(&server, "other/app");
    let (_folder, path) = configuration(RULE);
    let path = path.to_str().unwrap();
    let data = server.data();
    let output = berth(
        &["gc", "--dry-run", "--config", path, "--grace", "0s"],
        &data,
    );
    let text = String::from_utf8(output.stdout).unwrap();
    for told in [
        "team/app:build-2",
        "team/app:build-3",
        "2 tags and 2 manifests",
    ] {
        assert!(text.contains(told), "{text}");
    }
    assert!(!text.contains("other/app"), "{text}");
    assert_eq!(tags(&server, "team/app").len(), 5);
    // The server has no rules, so nothing goes without the file.
    report(&["gc"], &data);
    assert_eq!(tags(&server, "team/app").len(), 5);

    let done = report(&["gc", "--config", path, "--grace", "0s"], &data);
    assert_eq!(done["collected"]["done"]["retention"]["tags"], 2);
    assert_eq!(tags(&server, "team/app"), ["build-1", "build-4", "release"]);
    assert_eq!(tags(&server, "other/app").len(), 5);
    // The other repository has all the blobs still.
    assert_eq!(files(&data), 10);
}

#[test]
fn the_server_keeps_its_rules_by_itself() {
    let (_folder, path) = configuration("");
    let server = Berth::start_with(&["--config", path.to_str().unwrap()]);
    push_builds(&server, "team/app");
    // Not before: without a grace period, what was pushed a moment ago may go before its manifest comes.
    let collecting = "collection_interval = \"1s\"\ncollection_grace = \"0s\"\n";
    fs::write(&path, format!("{collecting}{RULE}")).unwrap();
    let server = server.kill_and_restart();
    let data = server.data();
    until(|| tags(&server, "team/app") == ["build-1", "build-4", "release"]);
    until(|| files(&data) == 6);
}

#[test]
fn a_rule_that_is_a_mistake_stops_the_start() {
    let (folder, path) = configuration("[[retention]]\ntags = [\"build-*\"]\n");
    let path = path.to_str().unwrap();
    let output = berth(&["serve", "--config", path], &folder.path().join("data"));
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("keep_newest"), "{error}");
}
