//! Very many clients that connect and do nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::acknowledged::Acknowledged;
use crate::harness::{Berth, Image, open_sockets, own_memory, wait_until};

const MANY: usize = 10_000;

/// What this process and the server need besides.
const OTHER_HANDLES: u64 = 1000;

/// How much memory of the server an idle connection may pin.
const MOST_EACH: u64 = 32 * 1024;

/// Lets this process have as many file handles as it may, and answers how many idle connections that
/// allows, here and in the server.
fn as_many_as_possible() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let allowed = limit
        .maximum
        .map_or(MANY as u64, |most| most.saturating_sub(OTHER_HANDLES));
    MANY.min(usize::try_from(allowed).unwrap())
}

/// Connects. Every second one asks once, as clients do that keep their connection for later.
fn connect(berth: &Berth, count: usize) -> Vec<TcpStream> {
    let connect = |number| {
        let mut stream = TcpStream::connect(&berth.address).unwrap();
        // Only so that a test that fails does not hang.
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        if number % 2 == 0 {
            let request = "GET /v2/ HTTP/1.1\r\nHost: registry\r\n\r\n";
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
        }
        stream
    };
    (0..count).map(connect).collect()
}

fn wait_for_sockets(berth: &Berth, is_reached: impl Fn(usize) -> bool) {
    wait_until("so many sockets are open", || {
        is_reached(open_sockets(berth.process_id()))
    });
}

/// Others see nothing of ten thousand idle connections (or as many as this machine allows one process),
/// though the server was started with the handles that are usual, and each pins little memory.
#[test]
fn ten_thousand_of_them_pin_little_memory_and_others_are_served() {
    let count = as_many_as_possible();
    // All come from one address, and to as many handles as there are.
    let options = [
        ["--header-timeout", "1h"],
        ["--connections", "20000"],
        ["--connections-per-address", "20000"],
    ];
    let berth = Berth::start_under(&["prlimit", "--nofile=1024:"], options.as_flattened());
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "before", &Image::new(1));
    let sockets = open_sockets(berth.process_id());
    let before = own_memory(berth.process_id());
    let idle = connect(&berth, count);
    wait_for_sockets(&berth, |open| open >= sockets + count);
    let pinned = own_memory(berth.process_id()).saturating_sub(before);
    let each = pinned / count as u64;
    assert!(
        each < MOST_EACH,
        "{count} connections pin {each} bytes each"
    );
    acknowledged.image(&berth, "kept", "meanwhile", &Image::new(2));
    acknowledged.is_all_there(&berth);
    drop(idle);
    wait_for_sockets(&berth, |open| open <= sockets);
    acknowledged.survives_a_kill(berth);
}

/// Idle clients see that their connection is closed when their time is up, all of them.
#[test]
fn all_of_them_are_closed_when_their_time_is_up() {
    let options = ["--header-timeout", "1s", "--connections-per-address", "500"];
    let berth = Berth::start_with(&options);
    let sockets = open_sockets(berth.process_id());
    let idle = connect(&berth, 500);
    for mut stream in idle {
        let ended = stream.read_to_end(&mut Vec::new());
        ended.expect("the connection was not closed");
    }
    wait_for_sockets(&berth, |open| open <= sockets);
    berth.get("/v2/").is(200);
}

/// One address that connects as often as it can leaves room: those beyond its share are closed at once, those
/// within are served on, and when they end it is let in again.
#[test]
fn one_address_takes_its_share_and_no_more() {
    let berth = Berth::start_with(&["--connections-per-address", "10"]);
    let mut idle = connect(&berth, 10);
    for _ in 0..20 {
        let mut more = TcpStream::connect(&berth.address).unwrap();
        more.set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        assert_eq!(more.read(&mut [0]).unwrap(), 0, "it was let in");
    }
    for stream in &mut idle {
        stream
            .write_all(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\n\r\n")
            .unwrap();
        assert!(stream.read(&mut [0; 64]).unwrap() > 0);
    }
    drop(idle);
    wait_until("the address is let in again", || {
        berth
            .client
            .get(format!("http://{}/v2/", berth.address))
            .send()
            .is_ok()
    });
}

/// When all connections are taken, others wait, whatever goes on; they are served when one ends.
#[test]
fn when_all_connections_are_taken_others_wait_for_one() {
    let berth = Berth::start_with(&["--connections", "10", "--header-timeout", "2s"]);
    let idle = connect(&berth, 10);
    berth.get("/v2/").is(200);
    drop(idle);
    berth.get("/v2/").is(200);
    berth.terminate();
    let (_, log) = berth.wait();
    assert!(log.contains("all connections are taken"), "{log}");
}
