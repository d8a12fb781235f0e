//! Crowds of clients that send next to nothing ("slowloris"). `tests/endpoints/slow_clients.rs` has each way
//! to be slow alone.

use std::thread;
use std::time::Duration;

use crate::acknowledged::Acknowledged;
use crate::harness::{
    Berth, Connection, Image, OCI_MANIFEST, Push, open_sockets, own_memory, wait_until,
};

const CROWD: usize = 300;
const MIB: u64 = 1024 * 1024;

/// Has every connection send one byte more, every now and then, while others push and pull.
fn trickle_while_others_are_served(
    berth: &Berth,
    connections: &mut [Connection],
    acknowledged: &mut Acknowledged,
) {
    for round in 0..10 {
        for connection in &mut *connections {
            connection.try_write("x");
        }
        let repository = format!("kept/{round}");
        acknowledged.image(berth, &repository, "v1", &Image::new(round));
        thread::sleep(Duration::from_millis(100));
    }
}

/// A client that sends its head byte by byte sees 408, or that its connection ends, when its time is up: a
/// byte gives it no more time. All others are served meanwhile.
#[test]
fn heads_that_trickle_end_and_others_are_served() {
    let berth = Berth::start_with(&["--header-timeout", "2s"]);
    let sockets = open_sockets(berth.process_id());
    let mut acknowledged = Acknowledged::default();
    let mut crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let mut connection = Connection::open(&berth);
            connection.write("GET /v2/ HTTP/1.1\r\nX-Slow: ");
            connection
        })
        .collect();
    trickle_while_others_are_served(&berth, &mut crowd, &mut acknowledged);
    // Those that never stop as well.
    wait_until("their connections are closed", || {
        crowd
            .iter_mut()
            .for_each(|connection| connection.try_write("x"));
        open_sockets(berth.process_id()) <= sockets + 8
    });
    for mut connection in crowd {
        let rest = connection.rest();
        assert!(
            rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
            "{rest}"
        );
    }
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}

/// Clients that send blobs and manifests byte by byte pin little memory, and all others are served. The
/// sessions hold what was sent when their clients go away.
#[test]
fn bodies_that_trickle_pin_little_memory_and_others_are_served() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    let before = own_memory(berth.process_id());
    let session = berth.begin("slow");
    let mut blob = Connection::open(&berth);
    blob.head(
        &format!("PATCH {session}"),
        &[("Content-Length", "1000000000")],
    );
    let mut crowd = vec![blob];
    for number in 1..CROWD {
        let mut connection = Connection::open(&berth);
        let request = match number % 2 {
            0 => format!("PATCH {}", berth.begin("slow")),
            _ => format!("PUT /v2/slow/manifests/v{number}"),
        };
        let length = if number % 2 == 0 {
            "1000000000"
        } else {
            "4000000"
        };
        let headers = [("Content-Type", OCI_MANIFEST), ("Content-Length", length)];
        connection.head(&request, &headers);
        crowd.push(connection);
    }
    trickle_while_others_are_served(&berth, &mut crowd, &mut acknowledged);
    let pinned = own_memory(berth.process_id()).saturating_sub(before);
    assert!(pinned < 64 * MIB, "{} MiB", pinned / MIB);
    drop(crowd);
    // The bytes arrived one by one, and the session tells of all of them.
    wait_until("the session has all bytes", || {
        berth.get(&session).is(204).header("range") == "0-9"
    });
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}
