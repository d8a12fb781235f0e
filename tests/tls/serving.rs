use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reqwest::{Method, Version};

use crate::authority::Authority;
use crate::harness::{Answer, Berth, Connection, Image, Push, client, noise};

const MIB: usize = 1024 * 1024;

#[test]
fn images_come_and_go_over_both_versions_of_http() {
    let authority = Authority::new();
    let mut berth = authority.start(&[]);
    let both = [
        (authority.trusting(), Version::HTTP_2),
        (authority.trusting().http1_only(), Version::HTTP_11),
    ];
    for (number, (client, version)) in (0..).zip(both) {
        berth.client = client.timeout(None).build().unwrap();
        let answer = berth.request(Method::GET, "/v2/").send().unwrap();
        assert_eq!(answer.version(), version);
        let image = Image::new(number);
        berth.push("tls", "v1", &image);
        assert_eq!(
            berth.get("/v2/tls/manifests/v1").is(200).body,
            image.manifest
        );
        let content = noise(number, 24 * MIB + 7);
        let digest = berth.push_blob("tls", &content);
        let path = format!("/v2/tls/blobs/{digest}");
        assert!(berth.get(&path).is(200).body == content);
        let part = berth
            .send_with("GET", &path, ("range", "bytes=1000-9000000"))
            .is(206);
        assert!(part.body == content[1000..=9_000_000]);
    }
}

#[test]
fn many_pull_at_once() {
    let authority = Authority::new();
    let berth = authority.start(&[]);
    let content = noise(5, 3 * MIB);
    let digest = berth.push_blob("tls", &content);
    let path = format!("/v2/tls/blobs/{digest}");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(berth.get(&path).is(200).body == content));
        }
    });
}

#[test]
fn a_client_without_tls_is_told_to_use_it() {
    let authority = Authority::new();
    let berth = authority.start(&[]);
    let plain = client().build().unwrap();
    let url = format!("http://{}/v2/", berth.address);
    let answer = Answer::of(plain.get(&url).send().unwrap());
    let answer = answer.fails_with(400, "UNSUPPORTED");
    assert!(answer.message().contains("https://"), "{answer:?}");
    let pushed = plain.put(&url).body(noise(1, 100_000)).send().unwrap();
    Answer::of(pushed).fails_with(400, "UNSUPPORTED");
    berth.get("/v2/").is(200);
}

#[test]
fn whoever_says_nothing_or_nonsense_is_cut_off() {
    let authority = Authority::new();
    let berth = authority.start(&["--header-timeout", "300ms"]);
    for bytes in ["", "\u{16}\u{3}\u{1}", "nonsense without any sense"] {
        let mut connection = Connection::open(&berth);
        connection.try_write(bytes);
        connection.rest();
    }
    berth.get("/v2/").is(200);
}

/// A connection over TLS on which a test writes what it likes.
struct Session {
    tls: rustls::ClientConnection,
    stream: TcpStream,
}

impl Session {
    fn open(authority: &Authority, berth: &Berth) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        let pem = std::fs::read(authority.path("ca.crt")).unwrap();
        let root = <rustls::pki_types::CertificateDer as rustls::pki_types::pem::PemObject>::from_pem_slice(&pem);
        roots.add(root.unwrap()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "127.0.0.1".try_into().unwrap();
        let stream = TcpStream::connect(&berth.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self {
            tls: rustls::ClientConnection::new(Arc::new(config), name).unwrap(),
            stream,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        rustls::Stream::new(&mut self.tls, &mut self.stream)
            .write_all(bytes)
            .unwrap();
    }

    fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.stream);
        while !read.ends_with(end.as_bytes()) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            read.extend(byte);
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads to the end, which TLS wants to be told.
    fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.stream);
        stream.read_to_end(&mut rest).map(|_| rest)
    }
}

#[test]
fn a_connection_that_is_closed_after_an_answer_says_so() {
    let authority = Authority::new();
    let berth = authority.start(&[]);
    let mut session = Session::open(&authority, &berth);
    session.write(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n");
    let answer = String::from_utf8(session.rest().unwrap()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("{}"),
        "{answer}"
    );
}

#[test]
fn an_idle_connection_is_closed() {
    let authority = Authority::new();
    let berth = authority.start(&["--header-timeout", "300ms"]);
    let mut session = Session::open(&authority, &berth);
    session.write(b"GET /v2/ HTTP/1.1\r\nHost: registry\r\n\r\n");
    assert!(session.read_until("{}").starts_with("HTTP/1.1 200"));
    // No answer is cut short by that, so there need be no farewell.
    let rest = session.rest();
    let is_cut = |error: std::io::Error| error.kind() == std::io::ErrorKind::UnexpectedEof;
    assert!(rest.map_or_else(is_cut, |rest| rest.is_empty()));
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let authority = Authority::new();
    let berth = authority.start(&["--write-timeout", "300ms"]);
    let content = noise(9, 64 * MIB);
    let digest = berth.push_blob("tls", &content);
    let mut session = Session::open(&authority, &berth);
    let request = format!("GET /v2/tls/blobs/{digest} HTTP/1.1\r\nHost: registry\r\n\r\n");
    session.write(request.as_bytes());
    // The head comes; the rest is more than what is under way between the two.
    assert!(session.read_until("\r\n\r\n").contains("200"));
    thread::sleep(Duration::from_secs(3));
    let mut rest = Vec::new();
    let mut stream = rustls::Stream::new(&mut session.tls, &mut session.stream);
    assert!(stream.read_to_end(&mut rest).is_err());
    assert!(rest.len() < content.len());
}

#[test]
fn sigterm_lets_requests_end() {
    let authority = Authority::new();
    let berth = authority.start(&[]);
    let session = berth.begin("drain");
    let mut push = Session::open(&authority, &berth);
    let head = format!(
        "PATCH {session} HTTP/1.1\r\nHost: registry\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    );
    push.write(head.as_bytes());
    assert!(push.read_until("\r\n\r\n").starts_with("HTTP/1.1 100"));
    // One that is in the middle of its handshake holds up nothing.
    let _silent = Connection::open(&berth);
    berth.terminate();
    while TcpStream::connect(&berth.address).is_ok() {
        thread::sleep(Duration::from_millis(10));
    }
    push.write(b"bytes");
    assert!(push.read_until("\r\n\r\n").starts_with("HTTP/1.1 202"));
    assert_eq!(berth.wait().0.code(), Some(0));
}
