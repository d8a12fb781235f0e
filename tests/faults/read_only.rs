//! A disk that can no longer be written, as after `mount -o remount,ro`, or when the kernel does that itself
//! because of errors.

use std::process::Command;

use reqwest::Method;

use crate::acknowledged::Acknowledged;
use crate::harness::{Answer, Berth, Image, OCI_MANIFEST, Push, digest, noise};

/// A write beyond the limit for files is to fail, and not to end the process.
const WITHOUT_THE_SIGNAL: [&str; 4] = ["sh", "-c", r#"trap "" XFSZ && exec "$@""#, "sh"];

/// The data folder on a disk that can be made read-only.
fn start() -> Berth {
    Berth::start_on_a_disk_under(32, &WITHOUT_THE_SIGNAL)
}

/// Nothing can be opened for writing, made or removed; and files that are open cannot be written either,
/// as on a disk that the kernel has made read-only.
fn break_disk(berth: &Berth) {
    berth.disk().make_read_only();
    limit_files(berth, "0:");
}

fn mend_disk(berth: &Berth) {
    limit_files(berth, "unlimited:");
    berth.disk().make_writable();
}

fn limit_files(berth: &Berth, limit: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &berth.process_id().to_string()])
        .arg(format!("--fsize={limit}"))
        .status();
    assert!(status.unwrap().success());
}

/// A client sees: every change is answered with 500 and the error `UNKNOWN`, every pull with what was pushed.
/// When the disk can be written again, the same process takes pushes again, and uploads go on where they
/// were. Everything acknowledged before, meanwhile and after is there after a kill.
#[test]
fn changes_fail_and_pulls_go_on_until_the_disk_can_be_written_again() {
    let berth = start();
    let mut acknowledged = Acknowledged::default();
    let image = Image::new(1);
    acknowledged.image(&berth, "kept", "v1", &image);
    let content = noise(2, 200_000);
    let session = berth.begin("kept");
    berth.patch(&session, &content[..120_000]).is(202);
    let ready = Image::new(3);
    berth.push_blobs_of("kept", &ready);

    break_disk(&berth);
    for change in every_change(&image, &ready, &session) {
        send(&berth, change).fails_with(500, "UNKNOWN");
        acknowledged.is_all_there(&berth);
    }
    assert_eq!(berth.get(&session).is(204).header("range"), "0-119999");
    let tags = berth.get("/v2/kept/tags/list").is(200).json();
    assert_eq!(tags["tags"], serde_json::json!(["v1"]));

    mend_disk(&berth);
    berth.patch(&session, &content[120_000..]).is(202);
    let finish = format!("{session}?digest={}", digest(&content));
    berth.put(&finish, []).is(201);
    acknowledged.note_blob("kept", &content);
    acknowledged.image(&berth, "kept", "after", &Image::new(4));
    acknowledged.is_all_there(&berth);
    let berth = acknowledged.survives_a_kill(berth);
    let tags = berth.get("/v2/kept/tags/list").is(200).json();
    assert_eq!(tags["tags"], serde_json::json!(["after", "v1"]));
}

/// A request that changes something.
type Change = (&'static str, String, Vec<u8>);

fn every_change(stored: &Image, ready: &Image, session: &str) -> [Change; 9] {
    let (layer, manifest) = (digest(&stored.layer), stored.digest());
    let content = noise(9, 100_000);
    let whole = digest(&content);
    let with = |method, path, body| (method, path, body);
    let without = |method, path| (method, path, Vec::new());
    let start = "/v2/kept/blobs/uploads/";
    [
        without("POST", start.to_owned()),
        with("POST", format!("{start}?digest={whole}"), content.clone()),
        with("PATCH", session.to_owned(), content),
        with("PUT", format!("{session}?digest={manifest}"), vec![1; 10]),
        without("DELETE", session.to_owned()),
        with(
            "PUT",
            "/v2/kept/manifests/v2".to_owned(),
            ready.manifest.clone(),
        ),
        without(
            "POST",
            format!("/v2/other/blobs/uploads/?mount={layer}&from=kept"),
        ),
        without("DELETE", format!("/v2/kept/manifests/{manifest}")),
        without("DELETE", format!("/v2/kept/blobs/{layer}")),
    ]
}

fn send(berth: &Berth, (method, path, body): Change) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = berth
        .request(method, &path)
        .header("content-type", OCI_MANIFEST);
    Answer::of(request.body(body).send().unwrap())
}

/// Whoever starts the server sees why it does not serve. When the disk can be written again, it does, and
/// has everything.
#[test]
fn a_server_does_not_start_on_a_disk_that_it_cannot_write_and_says_so() {
    let mut berth = start();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    berth.kill();
    berth.disk().make_read_only();
    let output = berth.command().output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("cannot write to the data folder") && said.contains("Read-only"),
        "{said}"
    );
    berth.disk().make_writable();
    acknowledged.is_all_there(&berth.restart());
}
