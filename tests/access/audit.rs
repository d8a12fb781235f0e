//! The audit log says who pushed, mounted, deleted, logged in and was refused.

use std::fs;

use serde_json::Value;

use crate::harness::{Image, digest, wait_until};
use crate::world::{PASSWORD, World, basic, token_path};

/// What the lines say, one after the other: event, outcome, identity, status.
fn events(lines: &[Value]) -> Vec<String> {
    let text = |line: &Value, key: &str| match &line[key] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        value => value.to_string(),
    };
    lines
        .iter()
        .map(|line| {
            ["event", "outcome", "identity", "status"]
                .map(|key| text(line, key))
                .join(" ")
        })
        .collect()
}

#[test]
fn what_was_done_and_what_was_refused_is_in_the_audit_log() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("audit.jsonl");
    let arguments = [
        "--audit-log",
        path.to_str().unwrap(),
        "--tag-deletion",
        "true",
    ];
    let world = World::start_with("", &arguments);
    let image = Image::new(1);
    let blob = digest(&image.layer);
    world.push("team/app", "v1", &image);
    let ask = |user: &str, method: &str, path: &str| world.ask_as(user, method, path).status;
    let mount = format!("/v2/team/b/blobs/uploads/?mount={blob}&from=team/app");
    assert_eq!(ask("writer", "POST", &mount), 201);
    assert_eq!(
        ask("writer", "POST", &mount.replace("team/app", "vault/app")),
        202
    );
    assert_eq!(ask("deleter", "DELETE", "/v2/team/app/manifests/v1"), 202);
    let manifest = format!("/v2/team/app/manifests/{}", image.digest());
    assert_eq!(ask("deleter", "DELETE", &manifest), 202);
    assert_eq!(
        ask("deleter", "DELETE", &format!("/v2/team/b/blobs/{blob}")),
        202
    );
    // Changes nothing.
    assert_eq!(ask("deleter", "DELETE", &manifest), 404);
    assert_eq!(ask("reader", "GET", "/v2/"), 200);
    assert_eq!(ask("reader", "GET", &token_path(&[])), 200);
    assert_eq!(ask("reader", "PUT", "/v2/team/app/manifests/v1"), 403);
    assert_eq!(ask("stranger", "GET", "/v2/team/app/manifests/v1"), 404);
    world
        .ask("GET", "/v2/", Some(&basic("reader", "wrong")))
        .is(401);
    world
        .ask("GET", &token_path(&[]), Some(&basic("nobody", PASSWORD)))
        .is(401);
    world.command(
        &["user", "add", "alice", "--password-stdin"],
        "correct horse",
    );
    world.robot("ci", "**", "pull");
    world.command(&["token", "revoke", "ci"], "");
    world.command(&["user", "list"], "");
    // The way that every client begins is nothing to record.
    world.ask("GET", "/v2/", None).is(401);
    world.berth.terminate();
    let World {
        berth,
        folder: _folder,
    } = world;
    assert!(berth.wait().0.success());

    let log = fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        events(&lines),
        [
            "push_blob done root 201",
            "push_blob done root 201",
            "push_manifest done root 201",
            "mount_blob done writer 201",
            "delete_tag done deleter 202",
            "delete_manifest done deleter 202",
            "delete_blob done deleter 202",
            "login done reader 200",
            "login done reader 200",
            "refused refused reader 403",
            "refused refused stranger 404",
            "login_refused refused reader 401",
            "login_refused refused nobody 401",
            "user_added done - -",
            "robot_token_added done - -",
            "robot_token_revoked done - -",
        ]
    );
    assert_eq!(lines[2]["repository"], "team/app");
    assert_eq!(lines[2]["reference"], "v1");
    assert_eq!(lines[2]["digest"], image.digest());
    assert_eq!(lines[2]["client"], "127.0.0.1");
    assert!(!lines[2]["request_id"].as_str().unwrap().is_empty());
    assert_eq!(lines[3]["from"], "team/app");
    assert_eq!(lines[9]["action"], "push");
    assert_eq!(lines[10]["repository"], "team/app");
    assert_eq!(lines[13]["subject"], "alice");
    assert_eq!(lines[15]["subject"], "ci");
}

#[test]
fn without_a_log_that_must_be_there_nothing_is_changed_and_pulls_go_on() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("audit.jsonl");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let log = path.to_str().unwrap();
    let arguments = [
        "--audit-log",
        log,
        "--audit-required",
        "--tag-deletion",
        "true",
    ];
    let world = World::start_with("", &arguments);
    let root = basic("root", PASSWORD);
    let push = |content: &[u8]| {
        let url = format!("/v2/team/app/blobs/uploads/?digest={}", digest(content));
        world.send("POST", &url, Some(&root), &[], content.to_vec())
    };
    // The first one finds out.
    push(b"first").is(201);
    wait_until("a refusal", || push(b"more").status == 503);
    let refused = push(b"even more").fails_with(503, "UNKNOWN");
    assert!(refused.message().contains("audit log"));
    let blob = format!("/v2/team/app/blobs/{}", digest(b"first"));
    world.ask_as("deleter", "DELETE", &blob).is(503);
    let manifest = "/v2/team/app/manifests/v1";
    world.ask_as("deleter", "DELETE", manifest).is(503);
    world.ask_as("reader", "GET", &blob).is(200);
    // Whoever may not change anything is told that, and not how the log is.
    world.ask_as("reader", "DELETE", &blob).is(403);
}
