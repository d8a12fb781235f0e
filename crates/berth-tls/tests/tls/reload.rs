use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use berth_tls::TlsFiles;
use rustls_pki_types::CertificateDer;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::authority::{Authority, Folder};
use crate::client::Client;
use crate::server::Server;

const INTERVAL: Duration = Duration::from_millis(20);

fn watch(server: &Server) -> JoinHandle<()> {
    let acceptor = server.acceptor.clone();
    tokio::spawn(async move { acceptor.watch(INTERVAL).await })
}

/// The certificate that a new client sees.
async fn shown(client: &Client, server: &Server) -> CertificateDer<'static> {
    client.connect(server.address).await.unwrap().certificate()
}

async fn wait_for(client: &Client, server: &Server, wanted: &CertificateDer<'static>) {
    let wait = async {
        while shown(client, server).await != *wanted {
            sleep(INTERVAL).await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.unwrap();
}

#[tokio::test]
async fn new_files_are_taken_into_use_and_connections_stay() {
    let authority = Authority::new();
    let (first, second) = (authority.server(), authority.server());
    let folder = Folder::of(&first);
    let server = Server::start(folder.files()).await;
    let watch = watch(&server);
    let client = Client::trusting(&authority);
    let mut before = client.connect(server.address).await.unwrap();
    assert_eq!(before.certificate(), first.certificate);
    folder.write_pair(&second);
    wait_for(&client, &server, &second.certificate).await;
    assert!(before.works().await);
    watch.abort();
}

#[tokio::test]
async fn half_of_a_pair_changes_nothing_until_the_other_half_comes() {
    let authority = Authority::new();
    let (first, second) = (authority.server(), authority.server());
    let folder = Folder::of(&first);
    let server = Server::start(folder.files()).await;
    let watch = watch(&server);
    let client = Client::trusting(&authority);
    folder.write("tls.crt", &second.certificate_pem);
    sleep(INTERVAL * 10).await;
    assert_eq!(shown(&client, &server).await, first.certificate);
    folder.write("tls.key", &second.key.serialize_pem());
    wait_for(&client, &server, &second.certificate).await;
    watch.abort();
}

#[tokio::test]
async fn broken_and_missing_files_change_nothing() {
    let authority = Authority::new();
    let (first, second) = (authority.server(), authority.server());
    let folder = Folder::of(&first);
    let server = Server::start(folder.files()).await;
    let client = Client::trusting(&authority);
    let cut = &second.certificate_pem[..second.certificate_pem.len() / 2];
    for certificate in ["", "nonsense", cut] {
        folder.write("tls.crt", certificate);
        server.acceptor.reload().await;
        assert_eq!(shown(&client, &server).await, first.certificate);
    }
    folder.write_pair(&second);
    for missing in ["tls.crt", "tls.key"] {
        let (kept, aside) = (folder.path(missing), folder.path("aside"));
        fs::rename(&kept, &aside).unwrap();
        server.acceptor.reload().await;
        assert_eq!(shown(&client, &server).await, first.certificate);
        fs::rename(&aside, &kept).unwrap();
    }
    server.acceptor.reload().await;
    assert_eq!(shown(&client, &server).await, second.certificate);
}

#[tokio::test]
async fn links_to_another_folder_are_followed() {
    let authority = Authority::new();
    let (first, second) = (authority.server(), authority.server());
    let folder = Folder::new();
    for (name, pair) in [("1", &first), ("2", &second)] {
        fs::create_dir(folder.path(name)).unwrap();
        folder.write(&format!("{name}/tls.crt"), &pair.certificate_pem);
        folder.write(&format!("{name}/tls.key"), &pair.key.serialize_pem());
    }
    // As secrets are mounted in Kubernetes: a link to the folder of now, which is replaced.
    symlink("1", folder.path("now")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        symlink(format!("now/{file}"), folder.path(file)).unwrap();
    }
    let server = Server::start(folder.files()).await;
    let watch = watch(&server);
    let client = Client::trusting(&authority);
    assert_eq!(shown(&client, &server).await, first.certificate);
    symlink("2", folder.path("next")).unwrap();
    fs::rename(folder.path("next"), folder.path("now")).unwrap();
    wait_for(&client, &server, &second.certificate).await;
    watch.abort();
}

#[tokio::test]
async fn authorities_of_clients_are_loaded_again_too() {
    let (authority, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let folder = Folder::of(&authority.server());
    let files: TlsFiles = folder.files_for(&before);
    let server = Server::start(files).await;
    let watch = watch(&server);
    let client = Client::named(&authority, &after.client(Some("bob")));
    assert!(client.connect(server.address).await.is_err());
    folder.write("clients.crt", &(before.pem() + &after.pem()));
    let wait = async {
        while client.connect(server.address).await.is_err() {
            sleep(INTERVAL).await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.unwrap();
    assert_eq!(client.connect(server.address).await.unwrap().name, "bob");
    watch.abort();
}
