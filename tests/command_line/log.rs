use serde_json::Value;

use crate::harness::{Berth, Image, Push, noise};

/// Stops the server and answers its log lines, which are JSON when no terminal reads them.
fn lines(berth: Berth) -> Vec<Value> {
    berth.terminate();
    let (status, log) = berth.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    log.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

fn requests(lines: &[Value]) -> Vec<&Value> {
    lines
        .iter()
        .filter(|line| line["message"] == "request")
        .collect()
}

#[test]
fn there_is_one_line_for_each_request() {
    let berth = Berth::start();
    let content = noise(1, 500_000);
    let digest = berth.push_blob("log", &content);
    let path = format!("/v2/log/blobs/{digest}");
    berth.get(&path).is(200);
    berth.head(&path).is(200);
    let id = berth
        .get("/v2/none/manifests/v1")
        .is(404)
        .header("x-request-id")
        .to_owned();
    berth.get("/nothing").is(404);
    let lines = lines(berth);
    let requests = requests(&lines);
    let told: Vec<_> = requests
        .iter()
        .map(|line| {
            (
                line["method"].as_str().unwrap(),
                line["route"].as_str().unwrap(),
                line["status"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("POST", "start_upload", 202),
        ("PATCH", "append_upload", 202),
        ("PUT", "finish_upload", 201),
        ("GET", "get_blob", 200),
        ("HEAD", "get_blob", 200),
        ("GET", "get_manifest", 404),
        ("GET", "none", 404),
    ];
    assert_eq!(told, expected);
    assert_eq!(requests[3]["bytes"], 500_000);
    assert_eq!(requests[3]["path"], path);
    assert_eq!(requests[4]["bytes"], 0);
    assert_eq!(requests[5]["span"]["id"], id);
    for line in requests {
        assert!(line["milliseconds"].as_f64().unwrap() > 0.0, "{line}");
        assert_eq!(line["complete"], true, "{line}");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["client"], "127.0.0.1");
    }
}

#[test]
fn human_readable_lines_can_be_asked_for_and_quiet_too() {
    let berth = Berth::start_with(&["--log-format", "human"]);
    berth.push("log", "v1", &Image::new(1));
    berth.terminate();
    let (_, log) = berth.wait();
    assert!(
        log.contains("route=\"put_manifest\"") && log.contains("status=201"),
        "{log}"
    );
    assert!(!log.contains('\u{1b}'), "colours for no terminal: {log}");

    let berth = Berth::start_with(&["--log", "warn"]);
    berth.get("/v2/").is(200);
    assert_eq!(lines(berth), Vec::<Value>::new());
}

#[test]
fn what_a_request_says_cannot_forge_a_line() {
    let berth = Berth::start_with(&["--log-format", "human"]);
    berth
        .get("/v2/a%0a2026-11-24T00:00:00Z%20INFO%20forged/manifests/v1")
        .is(400);
    berth.get("/v2/a/tags/list?n=%0aforged").is(400);
    berth.terminate();
    let (_, log) = berth.wait();
    assert!(
        !log.lines()
            .any(|line| line.starts_with("2026-11-24T00:00:00Z INFO forged")
                || line.starts_with("forged")),
        "{log}"
    );
}
