use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use reqwest::Method;

use crate::harness::{Berth, Connection, Push, client, digest, noise};
use crate::{berth, run, text};

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let berth = Berth::start();
    let digest = berth.push_blob("kept", b"content");
    let data = berth.data();
    let output = run(
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data.to_str().unwrap(),
        ],
        &[],
    );
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("another process serves"), "{said}");
    assert!(
        said.contains(data.to_str().unwrap()) && said.contains("--data"),
        "{said}"
    );
    assert_eq!(
        berth.get(&format!("/v2/kept/blobs/{digest}")).is(200).body,
        b"content"
    );
    // The lock of a process that was killed is no lock.
    let berth = berth.kill_and_restart();
    berth.get(&format!("/v2/kept/blobs/{digest}")).is(200);
}

#[test]
fn a_port_in_use_and_a_folder_that_cannot_be_made_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let data = folder.path().join("data");
    let output = run(
        &[
            "serve",
            "--listen",
            &address,
            "--data",
            data.to_str().unwrap(),
        ],
        &[],
    );
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(
        said.contains(&address) && said.contains("--listen"),
        "{said}"
    );

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("data");
    let output = run(
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            below.to_str().unwrap(),
        ],
        &[],
    );
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains(below.to_str().unwrap()));
}

#[test]
fn an_address_that_others_reach_needs_authentication_or_permission() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let output = run(&["serve", "--listen", address, "--data", data], &[]);
        assert!(!output.status.success());
        let said = text(&output.stderr);
        for told in [address, "htpasswd", "accounts = true", "--insecure-listen"] {
            assert!(said.contains(told), "{said}");
        }
    }
    let mut command = berth_at("0.0.0.0:0", data);
    let mut process = command.arg("--insecure-listen").spawn().unwrap();
    let mut greeting = [0; 30];
    let output = process.stdout.as_mut().unwrap();
    output.read_exact(&mut greeting).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(text(&greeting), "berth listens on http://0.0.0.");
}

/// A process that will serve on this address.
fn berth_at(address: &str, data: &str) -> Command {
    let mut command = berth(&["serve", "--listen", address, "--data", data]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("metadata.sqlite3"),
        "no database ".repeat(1000),
    )
    .unwrap();
    let data = folder.path().to_str().unwrap();
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data", data], &[]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(
        said.contains("metadata.sqlite3") && said.contains("not a database"),
        "{said}"
    );
}

#[test]
fn sigterm_lets_requests_end_and_exits_0() {
    let berth = Berth::start();
    let content = noise(1, 1_000_000);
    let session = berth.begin("drain");
    let mut push = Connection::open(&berth);
    let finish = format!("PUT {session}?digest={}", digest(&content));
    push.head(
        &finish,
        &[("Content-Length", "1000000"), ("Expect", "100-continue")],
    );
    // The request is under way once the server asks for its body.
    assert_eq!(push.answer_head().0, 100);
    let mut idle = Connection::open(&berth);
    idle.head("GET /v2/", &[]);
    assert_eq!(idle.answer().0, 200);

    berth.terminate();
    assert!(idle.is_closed());
    push.write(&content);
    assert_eq!(push.answer().0, 201);
    assert!(push.is_closed());
    let berth = berth.wait_and_restart(0);
    let pulled = berth.get(&format!("/v2/drain/blobs/{}", digest(&content)));
    assert!(pulled.is(200).body == content);
}

#[test]
fn sigterm_lets_the_end_of_an_answer_over_http_2_be_taken() {
    let mut berth = Berth::start();
    let content = noise(1, 200_000);
    let digest = berth.push_blob("drain", &content);
    // Drops the connection that pushed.
    berth.client = client()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(65_535)
        .build()
        .unwrap();
    let path = format!("/v2/drain/blobs/{digest}");
    let mut answer = berth.request(Method::GET, &path).send().unwrap();
    assert_eq!(answer.status(), 200);
    berth.terminate();
    // Longer than a connection without a request may stay.
    thread::sleep(Duration::from_secs(4));
    let mut pulled = Vec::new();
    answer.read_to_end(&mut pulled).unwrap();
    assert!(pulled == content);
    assert_eq!(berth.wait().0.code(), Some(0));
}

#[test]
fn sigterm_does_not_wait_for_ever() {
    let berth = Berth::start_with(&["--drain-timeout", "300ms"]);
    let session = berth.begin("drain");
    let mut push = Connection::open(&berth);
    push.head(
        &format!("PATCH {session}"),
        &[("Content-Length", "10"), ("Expect", "100-continue")],
    );
    assert_eq!(push.answer_head().0, 100);
    berth.terminate();
    let asked = Instant::now();
    let (status, _) = berth.wait();
    assert_eq!(status.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(60));
}

#[test]
fn nobody_new_is_served_after_sigterm() {
    let berth = Berth::start();
    let session = berth.begin("drain");
    let mut push = Connection::open(&berth);
    push.head(
        &format!("PATCH {session}"),
        &[("Content-Length", "5"), ("Expect", "100-continue")],
    );
    assert_eq!(push.answer_head().0, 100);
    berth.terminate();
    while std::net::TcpStream::connect(&berth.address).is_ok() {
        thread::sleep(Duration::from_millis(10));
    }
    push.write("hello");
    assert_eq!(push.answer().0, 202);
    assert_eq!(berth.wait().0.code(), Some(0));
}

#[test]
fn a_connection_without_a_request_holds_up_no_stop() {
    let berth = Berth::start_with(&["--drain-timeout", "1h"]);
    let mut unfinished = Connection::open(&berth);
    unfinished.write("GET /v2/ HTTP/1.1\r\nHo");
    let _silent = Connection::open(&berth);
    berth.get("/v2/").is(200);
    berth.terminate();
    assert_eq!(berth.wait().0.code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let berth = Berth::start_with(&["--drain-timeout", "1h"]);
    let session = berth.begin("slow");
    let mut unfinished = Connection::open(&berth);
    unfinished.head(&format!("PATCH {session}"), &[("Content-Length", "1000")]);
    unfinished.write("some");
    berth.get("/v2/").is(200);
    berth.terminate();
    // The first one has come through when nobody is let in any more.
    while std::net::TcpStream::connect(&berth.address).is_ok() {
        thread::sleep(Duration::from_millis(50));
    }
    berth.terminate();
    let (status, log) = berth.wait();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("a second signal"), "{log}");
}
