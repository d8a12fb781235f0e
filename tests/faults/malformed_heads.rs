//! Heads of requests that are huge or without end. `tests/endpoints/protocol.rs` has those that are no HTTP.

use reqwest::Method;

use crate::acknowledged::Acknowledged;
use crate::harness::{Berth, Connection, Image, client, peak_memory};

const MIB: u64 = 1024 * 1024;

/// A client sees 431, or that its connection ends, at the latest when it has sent a little more than the limit.
/// However many do that at once, the server holds no more of each, and serves others.
#[test]
fn heads_without_end_pin_little_memory_and_others_are_served() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    let before = peak_memory(berth.process_id());
    let line = "x".repeat(32 * 1024);
    let mut crowd: Vec<_> = (0..200)
        .map(|number| {
            let mut connection = Connection::open(&berth);
            let start = match number % 3 {
                0 => "GET /v2/",
                1 => "GET /v2/ HTTP/1.1\r\nX-Long: ",
                _ => "GET /v2/ HTTP/1.1\r\nX-Many: ",
            };
            connection.try_write(start);
            connection
        })
        .collect();
    for _ in 0..16 {
        for (number, connection) in crowd.iter_mut().enumerate() {
            connection.try_write(&line);
            if number % 3 == 2 {
                connection.try_write("\r\nX-Many: ");
            }
        }
    }
    acknowledged.image(&berth, "kept", "v2", &Image::new(2));
    let pinned = peak_memory(berth.process_id()) - before;
    assert!(pinned < 64 * MIB, "{} MiB", pinned / MIB);
    for mut connection in crowd {
        connection.finish();
        let rest = connection.rest();
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 4"), "{rest}");
    }
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}

/// Over HTTP/2 as well, where a head may have as many frames as a client likes.
#[test]
fn over_http_2_too() {
    let berth = Berth::start();
    let client = client().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/v2/", berth.address);
    for length in [100_000, 1_000_000] {
        let request = client.request(Method::GET, &url);
        let answer = request.header("x-long", "x".repeat(length)).send();
        if let Ok(answer) = answer {
            assert_eq!(answer.status(), 431, "{length}");
        }
    }
    assert_eq!(client.get(&url).send().unwrap().status(), 200);
}
