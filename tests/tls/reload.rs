use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::tls::TlsInfo;

use crate::authority::{Authority, Pair};
use crate::harness::{Berth, Push, noise, wait_until};

/// A client that makes a new connection for each request.
fn fresh(authority: &Authority) -> Client {
    let client = authority
        .trusting()
        .pool_max_idle_per_host(0)
        .tls_info(true);
    client.build().unwrap()
}

/// The certificate that a new client sees.
fn shown(authority: &Authority, berth: &Berth) -> Vec<u8> {
    let url = format!("https://{}/v2/", berth.address);
    let answer = fresh(authority).get(url).send().unwrap();
    let info: &TlsInfo = answer.extensions().get().unwrap();
    info.peer_certificate().unwrap().to_vec()
}

#[test]
fn no_request_fails_while_certificates_are_replaced() {
    let authority = Authority::new();
    let berth = authority.start(&[]);
    let content = noise(1, 200_000);
    let digest = berth.push_blob("reload", &content);
    let url = format!("https://{}/v2/reload/blobs/{digest}", berth.address);
    let is_over = AtomicBool::new(false);
    let pull = |client: &Client| {
        let mut pulled = 0;
        while !is_over.load(Ordering::Relaxed) {
            let answer = client.get(&url).send().unwrap();
            assert!(answer.bytes().unwrap() == content);
            pulled += 1;
        }
        pulled
    };
    thread::scope(|scope| {
        let on_new_connections = scope.spawn(|| pull(&fresh(&authority)));
        let on_one_connection = scope.spawn(|| pull(&berth.client));
        for _ in 0..20 {
            let Pair {
                certificate, key, ..
            } = authority.server();
            // One after the other, and each not at once.
            fs::write(authority.path("tls.crt"), &certificate[..100]).unwrap();
            berth.signal("-HUP");
            fs::write(authority.path("tls.crt"), certificate).unwrap();
            berth.signal("-HUP");
            thread::sleep(Duration::from_millis(20));
            fs::write(authority.path("tls.key"), key).unwrap();
            berth.signal("-HUP");
            thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(on_new_connections.join().unwrap() > 0);
        assert!(on_one_connection.join().unwrap() > 0);
    });
    let last = authority.server();
    authority.write(&last);
    berth.signal("-HUP");
    wait_until("the last certificate is used", || {
        shown(&authority, &berth) == last.der
    });
}

#[test]
fn new_files_are_found_without_a_signal() {
    let authority = Authority::new();
    let berth = authority.start(&[]);
    let next = authority.server();
    assert!(shown(&authority, &berth) != next.der);
    authority.write(&next);
    wait_until("the next certificate is used", || {
        shown(&authority, &berth) == next.der
    });
}

#[test]
fn files_that_cannot_be_used_are_told_and_change_nothing() {
    let authority = Authority::new();
    let berth = authority.start(&[]);
    let before = shown(&authority, &berth);
    let next = authority.server();
    fs::write(authority.path("tls.crt"), &next.certificate).unwrap();
    berth.signal("-HUP");
    thread::sleep(Duration::from_millis(500));
    assert!(shown(&authority, &berth) == before);
    berth.terminate();
    let (status, log) = berth.wait();
    assert_eq!(status.code(), Some(0));
    assert!(
        log.contains("does not belong to the first certificate"),
        "{log}"
    );
}
