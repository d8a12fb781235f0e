//! TLS to a real server: who is believed to be it, and what goes over it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use berth_metadata::contract::concurrency;
use berth_metadata::{Blob, MetadataError, MetadataStore, NewManifest};
use berth_postgres::test_server::TestServer;
use berth_postgres::{PostgresMetadata, PostgresOptions};
use berth_spec::{Digest, RepositoryName};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

static SHARED: Mutex<Weak<Secured>> = Mutex::new(Weak::new());

/// A server with TLS, and the files of its authority and of another one.
struct Secured {
    server: TestServer,
    folder: TempDir,
}

impl Secured {
    /// One that is not stopped and not switched.
    fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A server whose certificate is for `localhost` alone.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trusted = authority(&folder.path().join("authority.pem"));
        authority(&folder.path().join("others.pem"));
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &trusted).unwrap();
        let server = TestServer::start_on_tcp();
        let certificate = server.give("server.crt", &certificate.pem());
        let key = server.give("server.key", &key.serialize_pem());
        for (name, path) in [("ssl_cert_file", certificate), ("ssl_key_file", key)] {
            let path = path.display();
            server.execute("postgres", &format!("ALTER SYSTEM SET {name} = '{path}'"));
        }
        let secured = Self { server, folder };
        secured.switch("on");
        secured
    }

    /// Turns TLS on or off.
    fn switch(&self, ssl: &str) {
        self.server
            .execute("postgres", &format!("ALTER SYSTEM SET ssl = {ssl}"));
        self.server.execute("postgres", "SELECT pg_reload_conf()");
        let shown = || {
            self.server
                .texts("postgres", "SELECT current_setting('ssl') AS text")
        };
        while shown() != [ssl] {
            sleep(Duration::from_millis(20));
        }
    }

    fn url(&self, host: &str, mode: &str, authority: Option<&str>) -> String {
        let url = self.server.url_over_tcp(host, "postgres");
        let authority = authority.map(|name| {
            let path = self.folder.path().join(name);
            format!("&sslrootcert={}", path.display())
        });
        format!("{url}?sslmode={mode}{}", authority.unwrap_or_default())
    }

    fn open(
        &self,
        host: &str,
        mode: &str,
        authority: Option<&str>,
    ) -> Result<PostgresMetadata, MetadataError> {
        let url = self.url(host, mode, authority).into();
        let options = PostgresOptions {
            reach_timeout: Duration::from_millis(500),
            ..PostgresOptions::default()
        };
        PostgresMetadata::open(&url, &options)
    }

    fn refusal(&self, host: &str, mode: &str, authority: Option<&str>) -> String {
        let told = match self.open(host, mode, authority) {
            Ok(_) => panic!("{mode} of {host} was opened"),
            Err(error) => error.to_string(),
        };
        assert!(!told.contains("s3cret"), "{told}");
        told
    }

    /// The versions of TLS that the sessions of stores use; empty for those without.
    fn versions(&self) -> Vec<String> {
        let query = "SELECT coalesce(version, '') AS text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE application_name = 'berth'";
        self.server.texts("postgres", query)
    }

    fn assert_all_use_tls(&self) {
        let versions = self.versions();
        assert!(!versions.is_empty());
        assert!(
            versions.iter().all(|version| version == "TLSv1.3"),
            "{versions:?}"
        );
    }
}

/// Of one name: it is the key that counts.
fn authority(path: &Path) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(path, authority.pem()).unwrap();
    authority
}

const AUTHORITY: Option<&str> = Some("authority.pem");
const OTHERS: Option<&str> = Some("others.pem");

fn here() -> RepositoryName {
    "here".parse().unwrap()
}

fn blob(content: &[u8]) -> Blob {
    Blob {
        digest: Digest::sha256(content),
        size: content.len() as u64,
        generation: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mode_believes_whom_it_says() {
    let secured = Secured::shared();
    let store = secured.open("localhost", "verify-full", AUTHORITY).unwrap();
    store.link_blob(&here(), &blob(b"a"), None).await.unwrap();
    secured.assert_all_use_tls();
    drop(store);

    let told = secured.refusal("localhost", "verify-full", OTHERS);
    assert!(told.contains("cannot be trusted"), "{told}");
    let told = secured.refusal("localhost", "verify-full", None);
    assert!(told.contains("UnknownIssuer"), "{told}");
    // It is there, but its certificate is for localhost.
    let told = secured.refusal("127.0.0.1", "verify-full", AUTHORITY);
    assert!(told.contains("not valid for name \"127.0.0.1\""), "{told}");

    secured.open("127.0.0.1", "verify-ca", AUTHORITY).unwrap();
    let told = secured.refusal("127.0.0.1", "verify-ca", OTHERS);
    assert!(told.contains("cannot be trusted"), "{told}");
    // As in libpq: who names authorities wants them looked at.
    let told = secured.refusal("127.0.0.1", "require", OTHERS);
    assert!(told.contains("cannot be trusted"), "{told}");
    secured.open("127.0.0.1", "require", None).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_on_in_the_clear() {
    let secured = Secured::start();
    secured.switch("off");
    for mode in ["require", "verify-ca", "verify-full"] {
        let told = secured.refusal("localhost", mode, AUTHORITY);
        assert!(told.contains("offers no TLS"), "{told}");
    }
    secured.open("localhost", "disable", None).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_missing_server_are_told_as_without_tls() {
    let secured = Secured::start();
    let url = secured.url("localhost", "verify-full", AUTHORITY);
    let wrong = url.replace("s3cret", "wr0ng").into();
    let told = PostgresMetadata::open(&wrong, &PostgresOptions::default());
    let told = told.map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("password authentication failed"), "{told}");
    secured.server.stop();
    let told = secured.refusal("localhost", "verify-full", AUTHORITY);
    assert!(told.contains("localhost (port"), "{told}");
    assert!(
        told.contains("cannot be reached: Connection refused"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_server_is_tried_when_one_cannot_be_trusted() {
    let secured = Secured::shared();
    let url = secured.url("localhost", "verify-full", AUTHORITY);
    let (start, end) = url.split_once("@localhost").unwrap();
    let (port, _) = end.trim_start_matches(':').split_once('/').unwrap();
    let url = format!("{start}@127.0.0.1:{port},localhost{end}").into();
    PostgresMetadata::open(&url, &PostgresOptions::default()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_work_as_without_tls_and_go_on_when_the_server_was_started_again() {
    let secured = Secured::start();
    let open = || secured.open("localhost", "verify-full", AUTHORITY).unwrap();
    let stores: Vec<Arc<dyn MetadataStore>> = vec![Arc::new(open()), Arc::new(open())];
    concurrency::no_change_of_a_tag_is_lost(&stores).await;
    secured.assert_all_use_tls();
    secured.server.stop();
    secured.server.start_again();
    for store in &stores {
        store
            .link_blob(&here(), &blob(b"again"), None)
            .await
            .unwrap();
    }
    drop(stores);
    // Whoever leaves is not waited for by the server.
    let begun = Instant::now();
    while !secured.versions().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "sessions stay");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_go_both_ways() {
    let secured = Secured::shared();
    let store = secured.open("localhost", "verify-full", AUTHORITY).unwrap();
    let content: Vec<u8> = (0..4_000_000u32).flat_map(u32::to_le_bytes).collect();
    let manifest = NewManifest {
        digest: Digest::sha256(&content),
        media_type: "application/vnd.oci.image.manifest.v1+json"
            .parse()
            .unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: content.clone().into(),
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: Vec::new(),
        condition: None,
    };
    store.put_manifest(&here(), &manifest).await.unwrap();
    let found = store
        .manifest(&here(), &manifest.digest.clone().into())
        .await;
    assert!(found.unwrap().unwrap().content[..] == content[..]);
}
