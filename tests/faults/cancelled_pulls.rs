//! Clients that ask for a large blob and go away in the middle of it.

use std::io::Read;
use std::thread;

use reqwest::Method;

use crate::acknowledged::Acknowledged;
use crate::harness::{
    Berth, Connection, client, maps_of, noise, open_files, own_memory, wait_until,
};

const MIB: usize = 1024 * 1024;
const LENGTH: usize = 100 * MIB;

/// Clients that stay see nothing of those that go away, whose handles, maps and memory come back.
#[test]
fn what_they_had_open_comes_back() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    let content = noise(1, LENGTH);
    acknowledged.blob(&berth, "large", &content).is(201);
    let path = format!("/v2/large/blobs/{}", crate::harness::digest(&content));
    let process = berth.process_id();
    cancel(&berth, &path);
    wait_until_nothing_is_open(process);
    // The first round has made the threads, and the room that they keep.
    let (handles, before) = (open_files(process).len(), own_memory(process));
    for _ in 0..4 {
        cancel(&berth, &path);
    }
    wait_until_nothing_is_open(process);
    wait_until("handles come back", || open_files(process).len() <= handles);
    let kept = own_memory(process).saturating_sub(before) as usize;
    assert!(kept < 16 * MIB, "{} MiB", kept / MIB);
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}

/// Pulls that are given up at once, after the first byte, or in the middle, over both versions of HTTP.
fn cancel(berth: &Berth, path: &str) {
    thread::scope(|scope| {
        for read in [0, 1, MIB, LENGTH / 2].repeat(5) {
            scope.spawn(move || {
                let mut connection = Connection::open(berth);
                connection.head(&format!("GET {path}"), &[]);
                connection.skip(read);
            });
        }
        for read in [1, MIB, LENGTH / 2] {
            scope.spawn(move || {
                let client = client().http2_prior_knowledge().build().unwrap();
                let url = format!("http://{}{path}", berth.address);
                let mut answer = client.request(Method::GET, url).send().unwrap();
                answer.read_exact(&mut vec![0; read]).unwrap();
            });
        }
    });
}

fn wait_until_nothing_is_open(process: u32) {
    let is_blob = |file: &std::path::PathBuf| file.to_string_lossy().contains("/blobs/");
    wait_until("no blob is open", || {
        !open_files(process).iter().any(is_blob) && maps_of(process, "/blobs/") == 0
    });
}
