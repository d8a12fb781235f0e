//! Clients that send their next requests before they have read an answer.

use crate::acknowledged::Acknowledged;
use crate::harness::{Berth, Connection, Image, Push, digest, noise, own_memory};

const MIB: usize = 1024 * 1024;

fn request(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: registry\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A client sees the answers to all that it sent at once, each whole and in the order of the requests, pushes
/// among them. What they acknowledge is stored.
#[test]
fn pushes_and_pulls_sent_at_once_are_answered_in_order() {
    // So few that they fit on the way, though nothing is read meanwhile.
    const ROUNDS: usize = 50;
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    let image = Image::new(1);
    acknowledged.image(&berth, "pipe", "v1", &image);
    let mut requests = String::new();
    for number in 0..ROUNDS {
        let content = format!("content {number}");
        let digest = digest(content.as_bytes());
        let upload = format!("/v2/pipe/blobs/uploads/?digest={digest}");
        requests += &request("POST", &upload, &content);
        requests += &request("GET", &format!("/v2/pipe/blobs/{digest}"), "");
        requests += &request("GET", &format!("/v2/pipe/manifests/missing-{number}"), "");
        requests += &request("GET", "/v2/pipe/manifests/v1", "");
    }
    let mut connection = Connection::open(&berth);
    connection.write(requests);
    for number in 0..ROUNDS {
        let content = format!("content {number}");
        assert_eq!(connection.answer().0, 201, "{number}");
        assert_eq!(connection.answer(), (200, content.clone()));
        let (status, body) = connection.answer();
        assert!(
            status == 404 && body.contains(&format!("missing-{number}")),
            "{body}"
        );
        let manifest = String::from_utf8(image.manifest.clone()).unwrap();
        assert_eq!(connection.answer(), (200, manifest));
        acknowledged.note_blob("pipe", content.as_bytes());
    }
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}

/// A client that asks for very much and reads nothing pins little memory; when it reads, it gets everything.
#[test]
fn answers_that_nobody_reads_yet_are_not_made_yet() {
    const TIMES: usize = 200;
    let berth = Berth::start();
    let content = noise(1, MIB);
    let digest = berth.push_blob("pipe", &content);
    let path = format!("/v2/pipe/blobs/{digest}");
    let before = own_memory(berth.process_id());
    let mut connections: Vec<_> = (0..20)
        .map(|_| {
            let mut connection = Connection::open(&berth);
            connection.write(request("GET", &path, "").repeat(TIMES));
            connection
        })
        .collect();
    assert!(berth.get(&path).is(200).body == content);
    let pinned = own_memory(berth.process_id()).saturating_sub(before) as usize;
    assert!(pinned < 64 * MIB, "{} MiB", pinned / MIB);
    let mut reader = connections.pop().unwrap();
    drop(connections);
    for _ in 0..TIMES {
        let (status, body) = reader.answer_bytes();
        assert_eq!(status, 200);
        assert!(body == content);
    }
}
