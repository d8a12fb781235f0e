//! The audit log says who pushed, mounted, deleted, logged in and was refused.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Image, OCI_MANIFEST, digest, wait_until};
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
    let options = "[[immutable_tags]]\nrepositories = [\"open/**\"]\ntags = [\"v*\"]\n";
    let world = World::start_with(options, &arguments);
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
    // What is hidden is told as what is not there is: here as an empty list.
    let referrers = format!("/v2/team/app/referrers/{blob}");
    assert_eq!(ask("stranger", "GET", &referrers), 200);
    let token = world.bearer("reader", &["repository:team/app:pull"]);
    world
        .ask("GET", "/v2/open/app/tags/list", Some(&token))
        .is(401);
    world.push("open/app", "v1", &image);
    assert_eq!(ask("stranger", "DELETE", "/v2/open/app/manifests/v1"), 403);
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
            "refused refused writer 202",
            "delete_tag done deleter 202",
            "delete_manifest done deleter 202",
            "delete_blob done deleter 202",
            "login done reader 200",
            "login done reader 200",
            "refused refused reader 403",
            "refused refused stranger 404",
            "refused refused stranger 200",
            "login done reader 200",
            "refused refused reader 401",
            "push_blob done root 201",
            "push_blob done root 201",
            "push_manifest done root 201",
            "refused refused stranger 403",
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
    assert_eq!(lines[4]["from"], "vault/app");
    assert_eq!(lines[4]["action"], "pull");
    assert_eq!(lines[10]["action"], "push");
    assert_eq!(lines[11]["repository"], "team/app");
    assert_eq!(lines[14]["repository"], "open/app");
    assert_eq!(lines[18]["reference"], "v1");
    assert_eq!(lines[21]["subject"], "alice");
    assert_eq!(lines[23]["subject"], "ci");
}

#[test]
fn a_change_is_recorded_as_it_came_out_though_the_client_is_gone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("audit.jsonl");
    let world = World::start_with("", &["--audit-log", path.to_str().unwrap()]);
    let image = Image::new(1);
    world.push("team/app", "first", &image);
    let authorization = basic("root", PASSWORD);
    for number in 0..60 {
        let mut stream = TcpStream::connect(&world.berth.address).unwrap();
        let mut request = format!(
            "PUT /v2/team/app/manifests/gone{number} HTTP/1.1\r\nHost: a\r\n\
             Authorization: {authorization}\r\nContent-Type: {OCI_MANIFEST}\r\n\
             Content-Length: {}\r\n\r\n",
            image.manifest.len()
        )
        .into_bytes();
        request.extend(&image.manifest);
        stream.write_all(&request).unwrap();
        // Some are gone before the change begins, and some while it goes on.
        sleep(Duration::from_micros(number * 50));
        drop(stream);
    }
    let lines = || -> Vec<Value> {
        let log = fs::read_to_string(&path).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| {
                let reference = line["reference"].as_str().unwrap_or_default();
                reference.starts_with("gone")
            })
            .collect()
    };
    let there = |number: u64| {
        let path = format!("/v2/team/app/manifests/gone{number}");
        world.ask_as("root", "HEAD", &path).status == 200
    };
    let count = || (0..60).filter(|number| there(*number)).count();
    wait_until("a line for each", || lines().len() == count());
    assert!(count() > 0);
    for line in lines() {
        assert_eq!(line["outcome"], "done", "{line}");
        assert_eq!(line["digest"], image.digest(), "{line}");
    }
}

#[test]
fn strangers_cannot_fill_the_log() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("audit.jsonl");
    let world = World::start_with("", &["--audit-log", path.to_str().unwrap()]);
    for number in 0..100 {
        let wrong = match number % 3 {
            0 => "Basic !".to_owned(),
            1 => "Bearer a.b.c".to_owned(),
            _ => basic("reader", &number.to_string()),
        };
        let status = world.ask("GET", "/v2/", Some(&wrong)).status;
        assert!([401, 429].contains(&status), "{status}");
    }
    world.push_blob("team/app", b"content");
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
    let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!(count("login_refused"), 60);
    assert_eq!(count("push_blob"), 1);
    assert_eq!(lines.last().unwrap()["event"], "refusals_left_out");
    assert_eq!(lines.last().unwrap()["count"], 40);
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
