//! Large manifests and lists, which share 64 MiB of memory: who waits for it, who needs none, who gives
//! it back.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use reqwest::Method;
use reqwest::blocking::{Body, Client, Response};
use serde_json::json;

use crate::harness::{Berth, Connection, Image, OCI_MANIFEST, Push, client};

const MIB: usize = 1024 * 1024;

/// The largest manifest that is taken.
const LARGEST: usize = 4 * MIB;

/// How many of the largest manifests there is room for.
const ROOM: usize = 16;

/// An image whose manifest has so many bytes.
pub(crate) fn image_of(bytes: usize, seed: u64) -> Image {
    let mut image = Image::new(seed);
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    manifest["annotations"] = json!({ "note": "" });
    let note = bytes - manifest.to_string().len();
    manifest["annotations"] = json!({ "note": "x".repeat(note) });
    image.manifest = manifest.to_string().into_bytes();
    assert_eq!(image.manifest.len(), bytes);
    image
}

/// A client over HTTP/2 that can leave many answers on one connection.
fn patient_client() -> Client {
    client()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(65_535)
        .http2_initial_connection_window_size(64 * 1024 * 1024)
        .timeout(None)
        .build()
        .unwrap()
}

/// Asks for a manifest and takes nothing of it as long as the answers live.
fn leave(berth: &Berth, client: &Client, tag: &str, times: usize) -> Vec<Response> {
    let url = format!("http://{}/v2/room/manifests/{tag}", berth.address);
    (0..times)
        .map(|_| {
            let answer = client.get(&url).send().unwrap();
            assert_eq!(answer.status(), 200);
            answer
        })
        .collect()
}

/// Takes all the room as long as the answers live.
fn take_all_room(berth: &Berth) -> Vec<Response> {
    let image = image_of(LARGEST, 1);
    berth.push("room", "largest", &image);
    leave(berth, &patient_client(), "largest", ROOM)
}

#[test]
fn what_sends_no_manifest_needs_no_room() {
    let berth = Berth::start();
    let answers = take_all_room(&berth);
    let path = "/v2/room/manifests/largest";
    let digest = image_of(LARGEST, 1).digest();
    assert_eq!(
        berth.head(path).is(200).header("docker-content-digest"),
        digest
    );
    let tag = format!("\"{digest}\"");
    berth
        .send_with("GET", path, ("if-none-match", &tag))
        .is(304);
    let other = format!("\"{}\"", image_of(LARGEST, 2).digest());
    berth
        .send_with("GET", path, ("if-match", &other))
        .fails_with(412, "DENIED");
    berth.get(path).fails_with(429, "TOOMANYREQUESTS");
    drop(answers);
    berth.get(path).is(200);
}

#[test]
fn a_large_list_waits_for_room() {
    let berth = Berth::start();
    let image = Image::new(3);
    berth.push("list", "latest", &image);
    for part in 0..7 {
        let tags: Vec<_> = (0..400)
            .map(|tag| format!("tag={part}-{tag:0>120}"))
            .collect();
        let path = format!("/v2/list/manifests/{}?{}", image.digest(), tags.join("&"));
        berth
            .put_manifest(&path, OCI_MANIFEST, image.manifest.clone())
            .is(201);
    }
    let answers = take_all_room(&berth);
    let mut waiting = Connection::open(&berth);
    waiting.head("GET /v2/list/tags/list", &[]);
    thread::sleep(Duration::from_millis(500));
    drop(answers);
    let (status, body) = waiting.answer();
    assert_eq!(status, 200, "{body}");
    assert!(body.len() > 256 * 1024, "it is not large: {}", body.len());
}

#[test]
fn a_manifest_takes_room_for_what_it_has() {
    let berth = Berth::start();
    let small = image_of(MIB, 4);
    berth.push("room", "small", &small);
    berth.push("room", "largest", &image_of(LARGEST, 1));
    let client = patient_client();
    let _largest = leave(&berth, &client, "largest", ROOM - 1);
    let _small = leave(&berth, &client, "small", 1);
    // There are three MiB left.
    berth.push("room", "again", &small);
}

#[test]
fn waiting_for_room_is_not_stalling() {
    let berth = Berth::start_with(&["--body-timeout", "2s"]);
    let image = image_of(LARGEST, 5);
    berth.push_blobs_of("room", &image);
    let answers = take_all_room(&berth);
    thread::scope(|scope| {
        let path = "/v2/room/manifests/waits";
        let push = scope.spawn(|| berth.put_manifest(path, OCI_MANIFEST, image.manifest.clone()));
        thread::sleep(Duration::from_secs(4));
        drop(answers);
        push.join().unwrap().is(201);
    });
}

/// A body that never ends until it is told to.
struct Trickle(Arc<AtomicBool>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.load(Ordering::SeqCst) {
            return Ok(0);
        }
        thread::sleep(Duration::from_millis(50));
        buffer[0] = b'x';
        Ok(1)
    }
}

#[test]
fn what_is_not_taken_gives_its_room_back_whatever_else_goes_on() {
    let berth = Berth::start_with(&["--write-timeout", "1s"]);
    berth.push("room", "largest", &image_of(LARGEST, 1));
    let client = patient_client();
    let session = format!("http://{}{}", berth.address, berth.begin("room"));
    let ends = Arc::new(AtomicBool::new(false));
    let upload = client
        .request(Method::PATCH, session)
        .body(Body::new(Trickle(Arc::clone(&ends))));
    thread::scope(|scope| {
        scope.spawn(move || upload.send());
        let _answers = leave(&berth, &client, "largest", ROOM);
        let answer = berth.get("/v2/room/manifests/largest");
        ends.store(true, Ordering::SeqCst);
        answer.is(200);
    });
}
