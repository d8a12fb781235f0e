//! Clients that stall: they are cut off, and pin no memory.

use std::thread;
use std::time::Duration;

use std::io::Read;

use reqwest::Method;
use reqwest::blocking::Client;

use crate::harness::{
    Berth, Connection, Image, OCI_MANIFEST, Push, client, noise, open_sockets, peak_memory,
};
use crate::large_bodies::image_of;

const MIB: usize = 1024 * 1024;

#[test]
fn a_head_that_does_not_come_to_its_end_is_given_up() {
    let berth = Berth::start_with(&["--header-timeout", "300ms"]);
    for start in ["", "GET /v2/", "GET /v2/ HTTP/1.1\r\nHost: registry\r\n"] {
        let mut connection = Connection::open(&berth);
        connection.write(start);
        let rest = connection.rest();
        assert!(
            rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
            "{start:?}: {rest}"
        );
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let berth = Berth::start_with(&["--header-timeout", "300ms"]);
    let mut connection = Connection::open(&berth);
    connection.head("GET /v2/", &[]);
    assert_eq!(connection.answer().0, 200);
    assert!(connection.is_closed());
}

#[test]
fn a_chunk_that_stalls_ends_and_keeps_what_came() {
    let berth = Berth::start_with(&["--body-timeout", "300ms"]);
    let session = berth.begin("stall");
    let mut connection = Connection::open(&berth);
    connection.head(&format!("PATCH {session}"), &[("Content-Length", "1000")]);
    connection.write([1; 100]);
    let (status, body) = connection.answer();
    assert_eq!(status, 408, "{body}");
    assert!(
        body.contains("BLOB_UPLOAD_INVALID") && body.contains("100 bytes"),
        "{body}"
    );
    assert_eq!(berth.get(&session).is(204).header("range"), "0-99");
}

#[test]
fn a_manifest_that_stalls_is_refused() {
    let berth = Berth::start_with(&["--body-timeout", "300ms"]);
    let mut connection = Connection::open(&berth);
    let headers = [("Content-Type", OCI_MANIFEST), ("Content-Length", "1000")];
    connection.head("PUT /v2/stall/manifests/v1", &headers);
    connection.write("{");
    let (status, body) = connection.answer();
    assert_eq!(status, 408, "{body}");
    assert!(
        body.contains("MANIFEST_INVALID") && body.contains("0.3 seconds"),
        "{body}"
    );
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let berth = Berth::start_with(&["--write-timeout", "300ms"]);
    let content = noise(1, 48 * MIB);
    let digest = berth.push_blob("stall", &content);
    let mut connection = Connection::open(&berth);
    connection.head(&format!("GET /v2/stall/blobs/{digest}"), &[]);
    thread::sleep(Duration::from_millis(1500));
    let got = connection.rest_length();
    assert!(got < content.len(), "the answer came whole: {got} bytes");
    berth.get("/v2/").is(200);
}

#[test]
fn clients_that_take_nothing_pin_no_memory() {
    let berth = Berth::start();
    let content = noise(2, 16 * MIB);
    let digest = berth.push_blob("pin", &content);
    let connections: Vec<_> = (0..100)
        .map(|_| {
            let mut connection = Connection::open(&berth);
            connection.head(&format!("GET /v2/pin/blobs/{digest}"), &[]);
            connection
        })
        .collect();
    // Others are served as ever.
    assert!(berth.get(&format!("/v2/pin/blobs/{digest}")).is(200).body == content);
    let peak = peak_memory(berth.process_id());
    assert!(peak < 200 * MIB as u64, "{} MiB", peak / MIB as u64);
    drop(connections);
}

#[test]
fn clients_that_take_no_manifest_pin_no_memory() {
    let berth = Berth::start();
    berth.push("pin", "large", &image_of(4 * MIB, 1));
    berth.push("pin", "small", &Image::new(2));
    let connections: Vec<_> = (0..100)
        .map(|_| {
            let mut connection = Connection::open(&berth);
            connection.head("GET /v2/pin/manifests/large", &[]);
            connection
        })
        .collect();
    // Others are served as ever.
    berth.get("/v2/pin/manifests/small").is(200);
    let peak = peak_memory(berth.process_id());
    assert!(peak < 200 * MIB as u64, "{} MiB", peak / MIB as u64);
    drop(connections);
    berth.get("/v2/pin/manifests/large").is(200);
}

#[test]
fn a_manifest_that_trickles_is_refused() {
    let berth = Berth::start_with(&["--body-timeout", "300ms"]);
    let mut connection = Connection::open(&berth);
    let headers = [("Content-Type", OCI_MANIFEST), ("Content-Length", "1000")];
    connection.head("PUT /v2/trickle/manifests/v1", &headers);
    for _ in 0..10 {
        connection.try_write(" ");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(connection.answer().0, 408);
}

fn http_2_client() -> Client {
    client().http2_prior_knowledge().build().unwrap()
}

#[test]
fn over_http_2_a_client_that_takes_nothing_is_cut_off() {
    let mut berth = Berth::start_with(&["--write-timeout", "300ms"]);
    let digest = berth.push_blob("stall", &noise(1, 4 * MIB));
    berth.push("stall", "large", &image_of(4 * MIB, 1));
    berth.client = http_2_client();
    for path in [
        format!("/v2/stall/blobs/{digest}"),
        "/v2/stall/manifests/large".to_owned(),
    ] {
        let mut answer = berth.request(Method::GET, &path).send().unwrap();
        assert_eq!(answer.status(), 200);
        thread::sleep(Duration::from_millis(1500));
        let mut body = Vec::new();
        assert!(answer.read_to_end(&mut body).is_err(), "{path} came whole");
    }
    berth.get("/v2/").is(200);
}

#[test]
fn over_http_2_an_idle_connection_is_closed() {
    let mut berth = Berth::start_with(&["--header-timeout", "300ms"]);
    let before = open_sockets(berth.process_id());
    berth.client = http_2_client();
    berth.get("/v2/").is(200);
    // The client answers every ping meanwhile.
    while open_sockets(berth.process_id()) > before {
        thread::sleep(Duration::from_millis(50));
    }
    berth.get("/v2/").is(200);
}
