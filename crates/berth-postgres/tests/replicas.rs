//! Many change the same at the same time, through three replicas on one database.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use berth_metadata::InspectionStore;
use berth_metadata::contract::concurrency;
use berth_postgres::test_server::TestServer;
use berth_postgres::{PostgresMetadata, PostgresOptions};
use secrecy::{ExposeSecret, SecretString};

struct Replicas {
    url: SecretString,
    server: Arc<TestServer>,
}

impl Replicas {
    fn new() -> Self {
        let server = TestServer::shared();
        Self {
            url: server.database(),
            server,
        }
    }

    fn open_one(&self) -> PostgresMetadata {
        PostgresMetadata::open(&self.url, &PostgresOptions::default()).unwrap()
    }

    /// Three stores, each of a kind that the test asks for.
    fn open<S: ?Sized>(&self, as_kind: impl Fn(PostgresMetadata) -> Arc<S>) -> Vec<Arc<S>> {
        (0..3).map(|_| as_kind(self.open_one())).collect()
    }

    /// Finds nothing wrong with what is stored, and that nobody has waited in a circle: locks are asked for in one order. The
    /// sessions that took part must have ended: only then is it certain what they tell.
    async fn assert_sound(&self) {
        let damages = self.open_one().damages().await.unwrap();
        assert_eq!(damages, Vec::<String>::new());
        let corrections = self.open_one().recount().await.unwrap();
        assert_eq!(corrections, Vec::<String>::new());
        let (start, _) = self.url.expose_secret().split_once('?').unwrap();
        let name = start.rsplit('/').next().unwrap();
        let sessions = format!(
            "SELECT pid::text AS text FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        );
        while !self.server.texts(name, &sessions).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let deadlocks = format!(
            "SELECT deadlocks::text AS text FROM pg_stat_database WHERE datname = '{name}'"
        );
        assert_eq!(
            self.server.texts(name, &deadlocks),
            ["0"],
            "{}",
            self.server.log()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_push_of_an_immutable_tag_wins() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::one_push_of_an_immutable_tag_wins(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_pushes_exceed_a_quota_together() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::no_pushes_exceed_a_quota_together(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_pushed_is_collected() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::nothing_that_is_pushed_is_collected(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forsaken_is_recorded_nowhere() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::what_is_forsaken_is_recorded_nowhere(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_is_true() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::what_is_counted_is_true(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_of_a_tag_is_lost() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::no_change_of_a_tag_is_lost(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_change_of_an_upload_wins() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::one_change_of_an_upload_wins(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_adds_is_first() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::one_who_adds_is_first(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_has_an_upload_at_a_time() {
    let replicas = Replicas::new();
    let stores = replicas.open(|store| Arc::new(store) as _);
    concurrency::one_has_an_upload_at_a_time(&stores).await;
    drop(stores);
    replicas.assert_sound().await;
}
