//! HTTP itself: connections, versions, headers.

use crate::harness::{Berth, Connection, Image, OCI_MANIFEST, Push, client, digest, noise};

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let berth = Berth::start();
    let mut connection = Connection::open(&berth);
    for _ in 0..3 {
        connection.head("GET /v2/", &[]);
        assert_eq!(connection.answer(), (200, "{}".to_owned()));
        connection.head("GET /v2/nowhere/tags/list", &[]);
        assert_eq!(connection.answer().0, 404);
    }
}

#[test]
fn a_connection_serves_on_after_a_refused_body() {
    let berth = Berth::start();
    let mut connection = Connection::open(&berth);
    connection.head(
        "PATCH /v2/a/blobs/uploads/none",
        &[("Content-Length", "100000")],
    );
    connection.write(noise(1, 100_000));
    assert_eq!(connection.answer().0, 404);
    connection.head("GET /v2/", &[]);
    assert_eq!(connection.answer().0, 200);
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    let berth = Berth::start();
    let mut connection = Connection::open(&berth);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: registry\r\n\r\n");
    connection.write(get("/v2/") + &get("/v2/x/tags/list") + &get("/v2/_catalog") + &get("/v2/"));
    let statuses: Vec<u16> = (0..4).map(|_| connection.answer().0).collect();
    assert_eq!(statuses, [200, 404, 200, 200]);
}

#[test]
fn http_2_is_served_to_those_who_know() {
    let mut berth = Berth::start();
    berth.client = client().http2_prior_knowledge().build().unwrap();
    let image = Image::new(2);
    berth.push("h2", "v1", &image);
    let answer = berth
        .request(reqwest::Method::GET, "/v2/h2/manifests/v1")
        .send()
        .unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.bytes().unwrap(), image.manifest);
    let content = noise(3, 3_000_000);
    let digest = berth.push_blob("h2", &content);
    assert!(berth.get(&format!("/v2/h2/blobs/{digest}")).is(200).body == content);
    berth
        .get("/v2/h2/manifests/v2")
        .fails_with(404, "MANIFEST_UNKNOWN");
}

#[test]
fn a_client_that_expects_100_continue_is_told_before_it_sends() {
    let berth = Berth::start();
    let session = berth.begin("expect");
    let mut connection = Connection::open(&berth);
    let expect = [("Content-Length", "5"), ("Expect", "100-continue")];
    connection.head(&format!("PATCH {session}"), &expect);
    assert_eq!(connection.answer_head().0, 100);
    connection.write("hello");
    assert_eq!(connection.answer().0, 202);
    connection.head(
        &format!("PUT {session}?digest={}", digest(b"hello")),
        &[("Content-Length", "0")],
    );
    assert_eq!(connection.answer().0, 201);
}

#[test]
fn a_client_that_expects_100_continue_need_not_send_what_is_refused() {
    let berth = Berth::start();
    let expect = [("Content-Length", "1000000000"), ("Expect", "100-continue")];
    for (request, status) in [
        ("PATCH /v2/a/blobs/uploads/none".to_owned(), 404),
        ("PUT /v2/a/manifests/v1".to_owned(), 413),
        ("PUT /v2/A/manifests/v1".to_owned(), 400),
    ] {
        let mut connection = Connection::open(&berth);
        connection.head(&request, &expect);
        assert_eq!(connection.answer().0, status, "{request}");
    }
}

#[test]
fn every_answer_names_the_api_and_the_request() {
    let berth = Berth::start();
    let mut ids = Vec::new();
    for answer in [
        berth.get("/v2/"),
        berth.get("/nothing"),
        berth.head("/v2/a/manifests/v1"),
        berth.post("/v2/"),
    ] {
        assert_eq!(
            answer.header("docker-distribution-api-version"),
            "registry/2.0"
        );
        ids.push(answer.header("x-request-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let own = berth.send_with("GET", "/v2/", ("x-request-id", "from-a.proxy_1"));
    assert_eq!(own.header("x-request-id"), "from-a.proxy_1");
    for bad in ["", "two words", "{\"json\":1}", &"x".repeat(65)] {
        let other = berth.send_with("GET", "/v2/", ("x-request-id", bad));
        assert_eq!(other.header("x-request-id").len(), 36, "{bad}");
    }
}

#[test]
fn heads_beyond_the_limit_are_refused() {
    let berth = Berth::start_with(&["--header-size-limit", "16KiB"]);
    let mut connection = Connection::open(&berth);
    connection.head("GET /v2/", &[("X-Long", &"x".repeat(10_000))]);
    assert_eq!(connection.answer().0, 200);
    for headers in [1, 1000] {
        let mut connection = Connection::open(&berth);
        let long = "x".repeat(100_000 / headers);
        let many: Vec<_> = (0..headers).map(|_| ("X-Long", long.as_str())).collect();
        let mut head = "GET /v2/ HTTP/1.1\r\n".to_owned();
        for (name, value) in many {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        connection.try_write(head + "\r\n");
        let answer = connection.rest();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    berth.get("/v2/").is(200);
}

#[test]
fn what_is_no_http_is_refused_and_others_are_served() {
    let berth = Berth::start();
    for bytes in [
        "\r\n\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost registry\r\n\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
    ] {
        let mut connection = Connection::open(&berth);
        connection.try_write(bytes);
        connection.finish();
        let answer = connection.rest();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{bytes:?}: {answer}"
        );
    }
    berth.get("/v2/").is(200);
}

#[test]
fn a_manifest_whose_body_breaks_off_is_not_stored() {
    let berth = Berth::start();
    let image = Image::new(4);
    berth.push_blobs_of("cut", &image);
    let mut connection = Connection::open(&berth);
    let length = (image.manifest.len() + 1).to_string();
    let headers = [
        ("Content-Type", OCI_MANIFEST),
        ("Content-Length", length.as_str()),
    ];
    connection.head("PUT /v2/cut/manifests/v1", &headers);
    // Valid as far as it goes.
    connection.write(&image.manifest);
    connection.finish();
    connection.rest();
    berth
        .get("/v2/cut/manifests/v1")
        .fails_with(404, "MANIFEST_UNKNOWN");
}
