use std::time::{Duration, Instant};

use berth_tls::HandshakeError;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::authority::{Authority, Folder};
use crate::client::{BOTH, Client};
use crate::server::Server;

#[tokio::test]
async fn both_versions_are_spoken_and_sessions_are_resumed() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let server = Server::start(folder.files()).await;
    for version in [&TLS12, &TLS13] {
        let client = Client::with(&authority, None, &[version], &[]);
        let mut first = client.connect(server.address).await.unwrap();
        assert!(first.works().await, "{version:?}");
        assert_eq!(first.name, "nobody");
        assert!(!first.is_resumed(), "{version:?}");
        let mut second = client.connect(server.address).await.unwrap();
        assert!(second.is_resumed(), "{version:?}");
        assert!(second.works().await, "{version:?}");
    }
}

#[tokio::test]
async fn the_protocol_is_chosen_by_the_server() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let mut server = Server::start(folder.files()).await;
    for (offered, chosen) in [
        (&[][..], None),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["nonsense", "http/1.1"], Some("http/1.1")),
    ] {
        let client = Client::with(&authority, None, BOTH, offered);
        let connected = client.connect(server.address).await.unwrap();
        assert_eq!(connected.protocol(), chosen, "{offered:?}");
    }
    let client = Client::with(&authority, None, BOTH, &["nonsense"]);
    let refused = client.connect(server.address).await.err().unwrap();
    assert!(
        refused.to_string().contains("NoApplicationProtocol"),
        "{refused}"
    );
    assert!(matches!(server.error().await, HandshakeError::Refused(_)));
}

/// The first message of a client that knows at most this version.
fn client_hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // No session; one cipher, ECDHE with ECDSA and AES; no compression.
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let groups = [0, 10, 0, 4, 0, 2, 0, 23];
    let signatures = [0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, 16]);
    hello.extend([groups, signatures].concat());
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn older_versions_are_refused() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let mut server = Server::start(folder.files()).await;
    for version in [[3, 0], [3, 1], [3, 2]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&client_hello(version)).await.unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        // A fatal alert: protocol_version.
        assert_eq!(said[0], 21, "{said:?}");
        assert_eq!(said[5..], [2, 70], "{version:?}");
        assert!(matches!(server.error().await, HandshakeError::Refused(_)));
    }
    // The same of TLS 1.2 goes on.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&client_hello([3, 3])).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 22);
}

#[tokio::test]
async fn a_client_that_speaks_in_clear_can_be_answered_in_clear() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let server = Server::start(folder.files()).await;
    for request in [
        "GET /v2/ HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.write_all(&[b'x'; 100_000]).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "speak TLS", "{request:?}");
    }
}

#[tokio::test]
async fn nonsense_is_refused_and_the_next_client_is_served() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let mut server = Server::start(folder.files()).await;
    for bytes in [
        &b"nonsense that is no TLS at all"[..],
        &[22, 3, 1, 0, 3, 1, 2, 3],
        &[0; 100],
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert!(said.is_empty() || said[0] == 21, "{said:?}");
        server.error().await;
    }
    let client = Client::trusting(&authority);
    assert!(client.connect(server.address).await.unwrap().works().await);
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_ends_and_holds_up_nobody() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let deadline = Duration::from_millis(500);
    let mut server = Server::start_with(folder.files(), deadline).await;
    let started = Instant::now();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(&[22, 3, 1]).await.unwrap();
    let client = Client::trusting(&authority);
    assert!(client.connect(server.address).await.unwrap().works().await);
    for stream in [&mut silent, &mut slow] {
        assert!(matches!(server.error().await, HandshakeError::TimedOut));
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert!(said.is_empty(), "{said:?}");
    }
    assert!(started.elapsed() >= deadline);
}
