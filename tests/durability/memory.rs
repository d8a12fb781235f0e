use std::thread;

use berth_spec::{Algorithm, Hasher};

use crate::harness::{Berth, Connection, Push, noise, peak_memory};

const MIB: usize = 1024 * 1024;
const UPLOADS: usize = 64;
const EACH: usize = 24 * MIB;

/// With 64 layers of 1 GiB it is the same: nothing grows with the length of a layer. That takes
/// a disk of that size, and minutes.
#[test]
fn many_large_layers_at_once_stay_under_200_mib() {
    let berth = Berth::start();
    let piece = noise(1, MIB);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for _ in 0..EACH / MIB {
        hasher.update(&piece);
    }
    let digest = hasher.finish().to_string();
    thread::scope(|scope| {
        for upload in 0..UPLOADS {
            let (berth, piece, digest) = (&berth, &piece, &digest);
            scope.spawn(move || push(berth, &format!("memory/{upload}"), piece, digest));
        }
    });
    let peak = peak_memory(berth.process_id());
    assert!(peak < 200 * MIB as u64, "{} MiB", peak / MIB as u64);
}

/// Pushes as many copies of a piece as make a layer.
fn push(berth: &Berth, repository: &str, piece: &[u8], digest: &str) {
    let session = berth.begin(repository);
    let mut connection = Connection::open(berth);
    let length = EACH.to_string();
    connection.head(
        &format!("PATCH {session}"),
        &[("Content-Length", length.as_str())],
    );
    for _ in 0..EACH / piece.len() {
        connection.write(piece);
    }
    assert_eq!(connection.answer().0, 202);
    berth.put(&format!("{session}?digest={digest}"), []).is(201);
    let head = berth
        .head(&format!("/v2/{repository}/blobs/{digest}"))
        .is(200);
    assert_eq!(head.header("content-length"), length);
}
