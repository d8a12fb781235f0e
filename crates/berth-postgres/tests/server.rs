//! What becomes of the store when its server, its schema or its URL is not as usual.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use berth_metadata::{
    AccountStore, Blob, CollectionStore, InspectionStore, MetadataError, MetadataStore, Scope,
    TakeUpload, UploadLeases, UploadRecord,
};
use berth_postgres::test_server::TestServer;
use berth_postgres::{DatabaseUrl, PostgresMetadata, PostgresOptions};
use berth_spec::{Algorithm, Digest, RepositoryName, SessionId};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio::time::timeout;

fn open(url: &SecretString) -> Result<PostgresMetadata, MetadataError> {
    PostgresMetadata::open(url, &PostgresOptions::default())
}

fn open_with_few_connections(url: &SecretString) -> PostgresMetadata {
    let options = PostgresOptions {
        connections: NonZeroU32::new(4).unwrap(),
        ..PostgresOptions::default()
    };
    PostgresMetadata::open(url, &options).unwrap()
}

fn here() -> RepositoryName {
    "here".parse().unwrap()
}

fn blob(number: usize) -> Blob {
    Blob::new(Digest::sha256(&number.to_le_bytes()), 8)
}

/// The name of the database of a URL.
fn name_of(url: &SecretString) -> String {
    let (start, _) = url.expose_secret().split_once('?').unwrap();
    start.rsplit('/').next().unwrap().to_owned()
}

fn refusal(opened: Result<PostgresMetadata, MetadataError>) -> String {
    match opened {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_when_the_server_was_started_again() {
    let server = TestServer::start();
    let url = server.database();
    let store = open(&url).unwrap();
    let store = Arc::new(store);
    // At the same time, on several connections: each will be found to be lost.
    let mut links = JoinSet::new();
    for number in 0..40 {
        let store = Arc::clone(&store);
        links.spawn(async move { store.link_blob(&here(), &blob(number), None).await });
    }
    links.join_all().await.into_iter().for_each(Result::unwrap);
    server.stop();
    server.start_again();
    for number in 0..40 {
        let found = store.blob(&here(), &blob(number).digest).await;
        assert_eq!(found.unwrap(), Some(blob(number)));
    }
    store.link_blob(&here(), &blob(40), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_stop_in_the_middle() {
    let server = Arc::new(TestServer::start());
    let url = server.database();
    let store = Arc::new(open(&url).unwrap());
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut answered = Vec::new();
            let begun = Instant::now();
            let mut number = writer;
            while begun.elapsed() < Duration::from_secs(4) {
                let linked = store.link_blob(&here(), &blob(number), None).await;
                if linked.is_ok() {
                    answered.push(number);
                }
                number += 6;
            }
            answered
        });
    }
    let restarted = Arc::clone(&server);
    let restart = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_secs(1));
        restarted.stop();
        std::thread::sleep(Duration::from_millis(500));
        restarted.start_again();
    });
    let answered: Vec<usize> = writers.join_all().await.into_iter().flatten().collect();
    restart.await.unwrap();
    assert!(!answered.is_empty());
    for number in answered {
        let found = store.blob(&here(), &blob(number).digest).await;
        assert_eq!(
            found.unwrap(),
            Some(blob(number)),
            "number {number} is lost"
        );
    }
}

#[tokio::test]
async fn without_a_server_the_error_tells_where_it_was_looked_for_and_no_password() {
    let server = TestServer::start();
    let url = server.database();
    server.stop();
    let options = PostgresOptions {
        reach_timeout: Duration::from_millis(500),
        ..PostgresOptions::default()
    };
    let begun = Instant::now();
    let told = refusal(PostgresMetadata::open(&url, &options));
    assert!(begun.elapsed() >= options.reach_timeout);
    let name = name_of(&url);
    assert!(
        told.contains(&format!("postgresql://berth@/{name} cannot be used")),
        "{told}"
    );
    assert!(told.contains("connection to server"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}

#[tokio::test]
async fn a_database_has_metadata_when_it_was_opened() {
    let server = TestServer::shared();
    let url = server.database();
    let exists = || {
        let url = DatabaseUrl::parse(&url).unwrap();
        PostgresMetadata::exists(&url, &PostgresOptions::default()).unwrap()
    };
    assert!(!exists() && !exists());
    let store = open(&url).unwrap();
    assert!(exists());
    // All replicas know the registry by the same name, and no other has it.
    let name = store.registry_id().await.unwrap();
    assert_eq!(open(&url).unwrap().registry_id().await.unwrap(), name);
    let other = open(&server.database()).unwrap();
    assert_ne!(other.registry_id().await.unwrap(), name);
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let server = TestServer::shared();
    let url = server.database();
    let wrong = url.expose_secret().replace("s3cret", "wr0ng");
    let told = refusal(open(&wrong.into()));
    assert!(told.contains("password authentication failed"), "{told}");
    assert!(!told.contains("wr0ng"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_migrate_once() {
    let server = TestServer::shared();
    let url = server.database();
    let starting: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::task::spawn_blocking(move || open(&url).unwrap())
        })
        .collect();
    for (number, started) in starting.into_iter().enumerate() {
        let store = started.await.unwrap();
        store.link_blob(&here(), &blob(number), None).await.unwrap();
    }
    let store = open(&url).unwrap();
    let usage = store.usage(&Scope::Repository(here())).await.unwrap();
    assert_eq!(usage.bytes, 6 * 8);
}

/// A later version may add columns and tables while replicas of this version are running; it is started no more then.
#[tokio::test]
async fn a_replica_goes_on_while_a_newer_version_adds_to_the_schema() {
    let server = TestServer::shared();
    let url = server.database();
    let store = open(&url).unwrap();
    store.link_blob(&here(), &blob(0), None).await.unwrap();
    let before = store.blob(&here(), &blob(0).digest).await.unwrap();
    server.execute(
        &name_of(&url),
        "ALTER TABLE blobs ADD COLUMN place TEXT NOT NULL DEFAULT 'here';
         ALTER TABLE repositories ADD COLUMN owner TEXT;
         ALTER TABLE uploads ADD COLUMN lease BIGINT;
         CREATE TABLE leases (id BIGINT PRIMARY KEY);
         INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959');",
    );
    assert_eq!(store.blob(&here(), &blob(0).digest).await.unwrap(), before);
    store.link_blob(&here(), &blob(1), None).await.unwrap();
    let told = refusal(open(&url));
    assert!(
        told.contains(
            "a newer version of berth has changed the metadata (migration 29991231235959)"
        ),
        "{told}"
    );
}

#[tokio::test]
async fn a_statement_that_takes_too_long_for_a_lock_ends_with_an_error() {
    let server = TestServer::shared();
    let url = server.database();
    let options = PostgresOptions {
        lock_timeout: Duration::from_millis(100),
        ..PostgresOptions::default()
    };
    let store = PostgresMetadata::open(&url, &options).unwrap();
    store.link_blob(&here(), &blob(0), None).await.unwrap();
    let held = server.hold(&name_of(&url), "SELECT 1 FROM repositories FOR UPDATE");
    let linked = store.link_blob(&here(), &blob(1), None).await;
    let told = linked.unwrap_err().to_string();
    assert!(told.contains("lock timeout"), "{told}");
    // Nobody waits to read.
    let found = store.blob(&here(), &blob(0).digest).await;
    assert_eq!(found.unwrap(), Some(blob(0)));
    drop(held);
    store.link_blob(&here(), &blob(1), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_do_not_wait_for_writers_that_wait_for_each_other() {
    let server = TestServer::shared();
    let url = server.database();
    let store = Arc::new(open_with_few_connections(&url));
    store.link_blob(&here(), &blob(0), None).await.unwrap();
    let held = server.hold(&name_of(&url), "SELECT 1 FROM repositories FOR UPDATE");
    let mut links = JoinSet::new();
    for number in 1..9 {
        let store = Arc::clone(&store);
        links.spawn(async move { store.link_blob(&here(), &blob(number), None).await });
    }
    let waiting = "SELECT pid::text AS text FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while server.texts(&name_of(&url), waiting).len() < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let digest = blob(0).digest;
    let found = timeout(Duration::from_secs(5), store.blob(&here(), &digest)).await;
    assert_eq!(found.unwrap().unwrap(), Some(blob(0)));
    drop(held);
    links.join_all().await.into_iter().for_each(Result::unwrap);
}

#[tokio::test]
async fn a_standby_is_not_used() {
    let server = TestServer::start();
    let url = server.database();
    drop(open(&url).unwrap());
    server.stop();
    server.make_standby();
    server.start_again();
    let options = PostgresOptions {
        reach_timeout: Duration::ZERO,
        ..PostgresOptions::default()
    };
    let told = refusal(PostgresMetadata::open(&url, &options));
    assert!(told.contains("server is in hot standby mode"), "{told}");
}

#[tokio::test]
async fn a_server_that_does_not_wait_for_its_disk_is_told_to() {
    let server = TestServer::shared();
    let url = server.database();
    let name = name_of(&url);
    server.execute(
        "postgres",
        &format!("ALTER DATABASE {name} SET synchronous_commit = off"),
    );
    let store = open(&url).unwrap();
    // What a session of the store does is seen by a trigger in it.
    server.execute(
        &name,
        "CREATE TABLE seen (setting TEXT);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END';
         CREATE TRIGGER see AFTER INSERT ON blobs FOR EACH ROW EXECUTE FUNCTION see();",
    );
    store.link_blob(&here(), &blob(0), None).await.unwrap();
    let seen: Vec<String> = server.texts(&name, "SELECT setting AS text FROM seen");
    assert_eq!(seen, ["on"]);
}

#[tokio::test]
async fn a_server_that_stops_waiting_for_its_disk_does_so_for_others() {
    let server = TestServer::start();
    let url = server.database();
    let name = name_of(&url);
    let store = open(&url).unwrap();
    server.execute(
        &name,
        "CREATE TABLE seen (setting TEXT);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END';
         CREATE TRIGGER see AFTER INSERT ON blobs FOR EACH ROW EXECUTE FUNCTION see();",
    );
    store.link_blob(&here(), &blob(0), None).await.unwrap();
    server.execute("postgres", "ALTER SYSTEM SET synchronous_commit = off");
    server.execute("postgres", "SELECT pg_reload_conf()");
    let setting = "SELECT current_setting('synchronous_commit') AS text";
    while server.texts("postgres", setting) != ["off"] {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.link_blob(&here(), &blob(1), None).await.unwrap();
    let seen: Vec<String> = server.texts(&name, "SELECT setting AS text FROM seen");
    assert_eq!(seen, ["on", "on"]);
}

#[tokio::test]
async fn another_encoding_than_utf_8_is_refused() {
    let server = TestServer::shared();
    server.execute(
        "postgres",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'",
    );
    let told = refusal(open(&server.url("latin").into()));
    assert!(told.contains("it is encoded in LATIN1"), "{told}");
}

/// PostgreSQL takes no NUL in a text, and whoever asks may send one.
#[tokio::test]
async fn a_nul_in_a_name_finds_nothing() {
    let server = TestServer::shared();
    let store = open(&server.database()).unwrap();
    store.link_blob(&here(), &blob(0), None).await.unwrap();
    assert!(store.user("a\0b").await.unwrap().is_none());
    assert!(store.robot_token("a\0b").await.unwrap().is_none());
    assert!(store.robot_token_named("\0").await.unwrap().is_none());
    assert!(!store.remove_user("a\0b").await.unwrap());
    let after = async |last| store.repositories(Some(last), 10).await.unwrap();
    assert_eq!(after("her\0e").await, [here()]);
    assert_eq!(after("here\0").await, []);
    assert!(store.users(Some("\0"), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn counts_that_are_wrong_are_corrected() {
    let server = TestServer::shared();
    let url = server.database();
    let store = open(&url).unwrap();
    store.link_blob(&here(), &blob(0), None).await.unwrap();
    let scopes = [Scope::Repository(here()), Scope::Namespace(here())];
    for scope in &scopes {
        assert_eq!(store.usage(scope).await.unwrap().bytes, 8);
    }
    server.execute(&name_of(&url), "UPDATE repositories SET stored_bytes = 3");
    server.execute(&name_of(&url), "UPDATE namespaces SET tag_count = 5");
    let corrections = store.recount().await.unwrap();
    assert_eq!(corrections.len(), 2, "{corrections:?}");
    for scope in &scopes {
        let usage = store.usage(scope).await.unwrap();
        assert_eq!((usage.bytes, usage.tags), (8, 0));
    }
    assert_eq!(store.recount().await.unwrap(), Vec::<String>::new());
}

async fn take(store: &PostgresMetadata, id: SessionId, holder: &str) -> UploadRecord {
    let taken = store
        .take_upload(id, holder, Duration::from_secs(600))
        .await;
    match taken.unwrap() {
        TakeUpload::Taken(record) => record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_gets_no_revision_again_that_was_lost() {
    let server = TestServer::shared();
    let url = server.database();
    let store = open(&url).unwrap();
    let begun = UploadRecord {
        id: SessionId::random(),
        repository: here(),
        algorithm: Algorithm::Sha256,
        offset: 0,
        hash_state: vec![1],
        revision: 0,
        expires_at: SystemTime::now(),
        holder: None,
    };
    store.create_upload(&begun).await.unwrap();
    let mut lost = take(&store, begun.id, "one").await;
    for offset in 1..4 {
        lost.offset = offset;
        lost.revision += 1;
        assert!(store.update_upload(&lost).await.unwrap());
        lost = take(&store, begun.id, "one").await;
    }
    // As on a standby that knows of none of it.
    server.execute(
        &name_of(&url),
        "UPDATE uploads SET revision = 0, leased_revision = NULL, holder = NULL, held_until = NULL",
    );
    tokio::time::sleep(Duration::from_millis(10)).await;
    let taken = take(&store, begun.id, "other").await;
    assert!(taken.revision > lost.revision);
    lost.revision += 1;
    assert!(!store.update_upload(&lost).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_to_forget_takes_one_connection_of_a_replica() {
    let server = TestServer::shared();
    let url = server.database();
    let store = Arc::new(open_with_few_connections(&url));
    // As another replica does that forgets blobs.
    let forgetting = "SELECT pg_advisory_xact_lock(112628846781812)";
    let held = server.hold(&name_of(&url), forgetting);
    let mut waiting = JoinSet::new();
    for number in 0..8 {
        let store = Arc::clone(&store);
        let digest = blob(number).digest;
        waiting.spawn(async move {
            let now = SystemTime::now();
            store.forget_blobs(&[digest], now, now).await
        });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let links = async {
        for number in 0..8 {
            store.link_blob(&here(), &blob(number), None).await.unwrap();
        }
    };
    timeout(Duration::from_secs(5), links).await.unwrap();
    drop(held);
    for forgotten in waiting.join_all().await {
        assert_eq!(forgotten.unwrap(), []);
    }
}
