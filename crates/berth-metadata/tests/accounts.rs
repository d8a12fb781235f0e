//! Secrets in a SQLite file: who may read it, where they go, and what shows them.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use berth_metadata::{
    AccountStore, MemoryMetadata, RobotTokenRecord, SigningKeyRecord, SqliteMetadata, UserRecord,
};
use secrecy::ExposeSecret;

const NAME: &str = "metadata.sqlite3";

fn user() -> UserRecord {
    UserRecord {
        name: "alice".to_owned(),
        password_hash: "secret-1".into(),
        groups: ["ops".to_owned()].into(),
        created_at: SystemTime::now(),
        expires_at: None,
    }
}

fn token() -> RobotTokenRecord {
    RobotTokenRecord {
        id: "0123".to_owned(),
        name: "ci".to_owned(),
        secret_hash: "secret-2".into(),
        scope: "[]".to_owned(),
        created_at: SystemTime::now(),
        expires_at: None,
        revoked_at: None,
    }
}

fn key() -> SigningKeyRecord {
    SigningKeyRecord {
        id: "key".to_owned(),
        private_key: "secret-3".into(),
        created_at: SystemTime::now(),
    }
}

async fn fill(store: &dyn AccountStore) {
    assert!(store.add_user(&user()).await.unwrap());
    assert!(store.add_robot_token(&token()).await.unwrap());
    let (key, never) = (key(), SystemTime::UNIX_EPOCH);
    assert!(store.add_signing_key(&key, never).await.unwrap());
}

/// What group and others may do with a file that must be there.
fn others_may(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o077
}

fn all_files(folder: &Path) -> [std::path::PathBuf; 3] {
    [NAME, "metadata.sqlite3-wal", "metadata.sqlite3-shm"].map(|name| folder.join(name))
}

#[tokio::test]
async fn only_the_owner_may_read_new_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join(NAME)).unwrap();
    fill(&store).await;
    let copy = folder.path().join("copy.sqlite3");
    store.backup_to(&copy).await.unwrap();
    for file in all_files(folder.path()).iter().chain([&copy]) {
        assert_eq!(others_may(file), 0, "{}", file.display());
    }
}

#[tokio::test]
async fn files_that_others_could_read_are_closed_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let files = all_files(folder.path());
    let store = SqliteMetadata::open(&files[0]).unwrap();
    fill(&store).await;
    for file in &files {
        fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    }
    // As if the process had been killed: what SQLite keeps beside the file stays.
    let elsewhere = tempfile::tempdir().unwrap();
    let copies = all_files(elsewhere.path());
    for (file, copy) in files.iter().zip(&copies) {
        fs::copy(file, copy).unwrap();
    }
    let store = SqliteMetadata::open(&copies[0]).unwrap();
    assert!(store.user("alice").await.unwrap().is_some());
    for copy in &copies {
        assert_eq!(others_may(copy), 0, "{}", copy.display());
    }
    let mode = fs::metadata(&copies[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o700, 0o600, "what the owner may do has changed");
}

#[tokio::test]
async fn accounts_survive_a_restart_and_are_in_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join(NAME), folder.path().join("copy"));
    let store = SqliteMetadata::open(&path).unwrap();
    fill(&store).await;
    store.backup_to(&copy).await.unwrap();
    drop(store);
    for path in [path, copy] {
        let store = SqliteMetadata::open(&path).unwrap();
        let user = store.user("alice").await.unwrap().unwrap();
        assert_eq!(user.password_hash.expose_secret(), "secret-1");
        let token = store.robot_token_named("ci").await.unwrap().unwrap();
        assert_eq!(token.secret_hash.expose_secret(), "secret-2");
        let keys = store.signing_keys().await.unwrap();
        assert_eq!(keys[0].private_key.expose_secret(), "secret-3");
    }
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let memory = MemoryMetadata::default();
    fill(&memory).await;
    let shown = format!("{:?} {:?} {:?} {memory:?}", user(), token(), key());
    assert!(
        shown.contains("alice") && !shown.contains("secret-"),
        "{shown}"
    );
}

/// Many add the same at once, as replicas and impatient people do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_is_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join(NAME)).unwrap();
    let store = std::sync::Arc::new(store);
    let adding: Vec<_> = (0..20)
        .map(|number| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                let key = SigningKeyRecord {
                    id: number.to_string(),
                    ..key()
                };
                let token = RobotTokenRecord {
                    id: number.to_string(),
                    ..token()
                };
                [
                    store.add_user(&user()).await.unwrap(),
                    store.add_robot_token(&token).await.unwrap(),
                    store
                        .add_signing_key(&key, SystemTime::UNIX_EPOCH)
                        .await
                        .unwrap(),
                ]
            })
        })
        .collect();
    let mut first = [0; 3];
    for added in adding {
        let added = added.await.unwrap();
        for (count, was_added) in first.iter_mut().zip(added) {
            *count += usize::from(was_added);
        }
    }
    assert_eq!(first, [1, 1, 1]);
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
}
