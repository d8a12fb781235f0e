use std::time::{Duration, SystemTime};

use berth_tls::HandshakeError;
use rustls::version::{TLS12, TLS13};
use tokio::time::sleep;

use crate::authority::{Authority, Folder, Pair};
use crate::client::Client;
use crate::server::Server;

#[tokio::test]
async fn a_certificate_names_its_client_also_when_the_session_is_resumed() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let folder = Folder::of(&authority.server());
    let server = Server::start(folder.files_for(&clients)).await;
    let alice = clients.client(Some("alice"));
    for version in [&TLS12, &TLS13] {
        let anonymous = Client::with(&authority, None, &[version], &[]);
        let connected = anonymous.connect(server.address).await.unwrap();
        assert_eq!(connected.name, "nobody", "{version:?}");
        let client = Client::with(&authority, Some(&alice), &[version], &[]);
        for is_resumed in [false, true] {
            let connected = client.connect(server.address).await.unwrap();
            assert_eq!(connected.name, "alice", "{version:?}");
            assert_eq!(connected.is_resumed(), is_resumed, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_is_refused() {
    let (authority, clients) = (Authority::new(), Authority::named("clients"));
    let folder = Folder::of(&authority.server());
    let mut server = Server::start(folder.files_for(&clients)).await;
    let forged = Authority::named("clients").client(Some("alice"));
    let unknown = Authority::new().client(Some("alice"));
    let without_name = clients.client(None);
    let expired = clients.expired_client("alice");
    for (pair, told) in [
        (&unknown, "UnknownCA"),
        (&forged, "DecryptError"),
        (&expired, "CertificateExpired"),
        (&without_name, "CertificateUnknown"),
    ] {
        assert_refused(&mut server, &authority, pair, told).await;
    }
}

async fn assert_refused(server: &mut Server, authority: &Authority, pair: &Pair, told: &str) {
    let mut errors = Vec::new();
    for version in [&TLS12, &TLS13] {
        let client = Client::with(authority, Some(pair), &[version], &[]);
        let refused = client.connect(server.address).await.err().unwrap();
        assert!(refused.to_string().contains(told), "{version:?}: {refused}");
        errors.push(server.error().await);
    }
    for error in errors {
        assert!(matches!(error, HandshakeError::Refused(_)), "{error}");
    }
}

#[tokio::test]
async fn a_stolen_certificate_is_of_no_use_without_its_key() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let folder = Folder::of(&authority.server());
    let mut server = Server::start(folder.files_for(&clients)).await;
    let alice = clients.client(Some("alice"));
    let mallory = clients.client(Some("mallory"));
    let stolen = Pair {
        key: mallory.key,
        ..alice
    };
    let client = Client::with_any_key(&authority, &stolen);
    assert!(client.connect(server.address).await.is_err());
    assert!(matches!(server.error().await, HandshakeError::Refused(_)));
}

#[tokio::test]
async fn when_an_authority_is_trusted_no_more_its_clients_are_not() {
    let (authority, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let folder = Folder::of(&authority.server());
    let server = Server::start(folder.files_for(&before)).await;
    let pair = before.client(Some("alice"));
    for version in [&TLS12, &TLS13] {
        folder.files_for(&before);
        server.acceptor.reload().await;
        let client = Client::with(&authority, Some(&pair), &[version], &[]);
        let mut connected = client.connect(server.address).await.unwrap();
        folder.files_for(&after);
        server.acceptor.reload().await;
        // Not even by the session that it had.
        assert!(client.connect(server.address).await.is_err(), "{version:?}");
        assert!(connected.works().await);
    }
}

#[tokio::test]
async fn a_certificate_is_good_as_long_as_its_authorities_are_trusted() {
    let (authority, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let folder = Folder::of(&authority.server());
    let mut server = Server::start(folder.files_for(&before)).await;
    let pair = before.client(Some("alice"));
    let client = Client::with(&authority, Some(&pair), &[&TLS13], &[]);
    let _connected = client.connect(server.address).await.unwrap();
    let certificate = server.certificate().await;
    assert_eq!(certificate.common_name(), "alice");
    assert!(certificate.is_good());
    // A new certificate of the server is no reason to doubt those of clients.
    folder.write_pair(&authority.server());
    server.acceptor.reload().await;
    assert!(certificate.is_good());
    folder.files_for(&after);
    server.acceptor.reload().await;
    assert!(!certificate.is_good());
}

#[tokio::test]
async fn a_certificate_is_good_until_its_end() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let folder = Folder::of(&authority.server());
    let mut server = Server::start(folder.files_for(&clients)).await;
    let end = SystemTime::now() + Duration::from_secs(4);
    let pair = clients.client_until("alice", end);
    let client = Client::with(&authority, Some(&pair), &[&TLS13], &[]);
    let _connected = client.connect(server.address).await.unwrap();
    let certificate = server.certificate().await;
    assert!(certificate.is_good());
    // Certificates tell whole seconds.
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    sleep(left + Duration::from_secs(2)).await;
    assert!(!certificate.is_good());
}
