//! No file handle is left.

use std::time::Instant;

use crate::acknowledged::Acknowledged;
use crate::harness::{
    Answer, Berth, Connection, Image, Push, digest, noise, open_files, wait_until,
};

const HANDLES: usize = 64;
const FEW_HANDLES: [&str; 2] = ["prlimit", "--nofile=64:64"];

/// Else connections leave some of the handles to blobs.
const MANY_CONNECTIONS: [&str; 2] = ["--connections", "1000"];

/// Opens more connections than the server has handles, and waits until it has none left.
fn exhaust(berth: &Berth) -> Vec<Connection> {
    let connections = (0..2 * HANDLES).map(|_| Connection::open(berth)).collect();
    wait_until("no handle is left", || {
        open_files(berth.process_id()).len() >= HANDLES
    });
    connections
}

/// A client that is connected sees: manifests are served, and what needs another handle is answered with
/// 500 and the error `UNKNOWN`. One that comes new waits, and is served as soon as handles are free. Then
/// pushes work again in the same process, and everything acknowledged is there, also after a kill.
#[test]
fn what_needs_a_handle_fails_until_there_are_some_again() {
    let berth = Berth::start_under(&FEW_HANDLES, &MANY_CONNECTIONS);
    let mut acknowledged = Acknowledged::default();
    let (image, ready) = (Image::new(1), Image::new(2));
    acknowledged.image(&berth, "kept", "v1", &image);
    berth.push_blobs_of("kept", &ready);
    let content = noise(3, 1000);
    let session = berth.begin("kept");
    berth.patch(&session, &content[..600]).is(202);

    let connections = exhaust(&berth);
    let pulled = berth.get("/v2/kept/manifests/v1").is(200);
    assert_eq!(pulled.body, image.manifest);
    berth
        .get(&format!("/v2/kept/blobs/{}", digest(&image.layer)))
        .fails_with(500, "UNKNOWN");
    acknowledged
        .blob(&berth, "kept", &noise(4, 1000))
        .fails_with(500, "UNKNOWN");
    berth
        .patch(&session, &content[600..])
        .fails_with(500, "UNKNOWN");
    let manifest = acknowledged.manifest(&berth, "kept", "v2", &ready);
    taken_or_failed(manifest);

    drop(connections);
    // As a client that comes new.
    let mut connection = Connection::open(&berth);
    connection.head("GET /v2/", &[]);
    assert_eq!(connection.answer().0, 200);
    wait_until("handles are free again", || {
        open_files(berth.process_id()).len() < HANDLES - 16
    });
    assert_eq!(berth.get(&session).is(204).header("range"), "0-599");
    berth.patch(&session, &content[600..]).is(202);
    let finish = format!("{session}?digest={}", digest(&content));
    berth.put(&finish, []).is(201);
    acknowledged.note_blob("kept", &content);
    acknowledged.image(&berth, "kept", "v3", &Image::new(5));
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}

fn taken_or_failed(answer: Answer) {
    if answer.status != 201 {
        answer.fails_with(500, "UNKNOWN");
    }
}

/// A client sees: it waits, and is served when the idle ones were closed, though they never go away by
/// themselves. Meanwhile the server tries to accept now and then, and not all the time.
#[test]
fn clients_that_hold_all_handles_and_do_nothing_are_closed_and_others_served() {
    let options = [&MANY_CONNECTIONS[..], &["--header-timeout", "1s"]].concat();
    let berth = Berth::start_under(&FEW_HANDLES, &options);
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    let started = Instant::now();
    let connections = exhaust(&berth);
    let mut latecomer = Connection::open(&berth);
    latecomer.head("GET /v2/kept/manifests/v1", &[]);
    assert_eq!(latecomer.answer().0, 200);
    // Those that were let in after the first ones end as well.
    for mut connection in connections {
        assert!(connection.is_closed());
    }
    acknowledged.is_all_there(&berth);
    berth.terminate();
    let (status, log) = berth.wait();
    assert_eq!(status.code(), Some(0));
    let failures = log.matches("cannot accept connections").count();
    let most = started.elapsed().as_millis() / 100 + 1;
    assert!(failures > 0, "the server never ran out of handles");
    assert!(failures as u128 <= most, "{failures} of at most {most}");
}

/// Connections alone do not take all handles: whoever is connected pushes and pulls, however many wait.
#[test]
fn connections_leave_handles_to_those_who_push_and_pull() {
    let berth = Berth::start_under(&FEW_HANDLES, &["--header-timeout", "5s"]);
    // Its client is connected before the others come.
    berth.get("/v2/").is(200);
    let connections: Vec<_> = (0..2 * HANDLES).map(|_| Connection::open(&berth)).collect();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    acknowledged.is_all_there(&berth);
    drop(connections);
    berth.terminate();
    let (_, log) = berth.wait();
    assert!(!log.contains("cannot accept connections"), "{log}");
}
