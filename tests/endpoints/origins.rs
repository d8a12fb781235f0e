//! `Location` and the address of the client, with and without proxies in between.

use serde_json::Value;

use crate::harness::{Berth, Push};

const UPLOADS: &str = "/v2/origin/blobs/uploads/";

/// The `Location` of a new upload that is asked for with these headers.
fn location(berth: &Berth, headers: &[(&str, &str)]) -> String {
    let mut request = berth.request(reqwest::Method::POST, UPLOADS);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().unwrap();
    assert_eq!(answer.status(), 202);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[test]
fn a_location_is_a_path_if_nobody_is_trusted() {
    let berth = Berth::start();
    for headers in [
        &[][..],
        &[("x-forwarded-proto", "https"), ("x-forwarded-host", "evil")],
        &[("forwarded", "for=1.1.1.1;proto=https;host=evil")],
        &[("host", "evil")],
    ] {
        let location = location(&berth, headers);
        assert!(location.starts_with(UPLOADS), "{location}");
    }
}

#[test]
fn a_location_is_what_a_trusted_proxy_was_asked_for() {
    let trusted = ["--trusted-proxies", "127.0.0.0/8"];
    let berth = Berth::start_with(&trusted);
    let by_standard = [&trusted[..], &["--forwarded-header", "forwarded"]].concat();
    let by_standard = Berth::start_with(&by_standard);
    let lists = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "public:444"),
    ];
    let forwarded = [("forwarded", "for=1.1.1.1;proto=https;host=\"public:444\"")];
    for (berth, believed, ignored) in [
        (&berth, &lists[..], &forwarded[..]),
        (&by_standard, &forwarded, &lists),
    ] {
        let told = location(berth, believed);
        let path = told.strip_prefix("https://public:444").unwrap();
        berth.get(path).is(204);
        let untold = location(berth, ignored);
        assert!(untold.starts_with(UPLOADS), "{untold}");
    }
    for headers in [
        &[][..],
        &[("x-forwarded-for", "1.1.1.1")],
        &[
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil/path"),
        ],
        &[
            ("x-forwarded-proto", "javascript"),
            ("x-forwarded-host", "public"),
        ],
    ] {
        let location = location(&berth, headers);
        assert!(location.starts_with(UPLOADS), "{location}");
    }
}

#[test]
fn a_public_url_is_in_every_location() {
    let berth = Berth::start_with(&["--public-url", "https://registry.example.com/"]);
    let session = location(&berth, &[("host", "evil")]);
    let path = session
        .strip_prefix("https://registry.example.com")
        .unwrap();
    // That of a refusal, too.
    let late = berth.patch_range(path, "5-9", "bytes").is(416);
    assert_eq!(late.header("location"), session);
    let answer = berth.patch(path, "bytes").is(202);
    assert_eq!(answer.header("location"), session);
}

#[test]
fn the_log_names_the_client() {
    let berth = Berth::start_with(&["--trusted-proxies", "127.0.0.1"]);
    for told in [
        "198.51.100.1",
        "2001:db8::1",
        "1.1.1.1, 198.51.100.1",
        "evil\" x=y",
    ] {
        berth
            .send_with("GET", "/v2/", ("x-forwarded-for", told))
            .is(200);
    }
    berth.push_blob("origin", b"content");
    berth.terminate();
    let (_, log) = berth.wait();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests = lines.filter(|line| line["message"] == "request");
    let clients: Vec<String> = requests
        .map(|line| line["client"].as_str().unwrap().to_owned())
        .collect();
    let expected = ["198.51.100.1", "2001:db8::1", "198.51.100.1", "127.0.0.1"];
    assert_eq!(clients[..4], expected);
}
