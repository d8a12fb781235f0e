use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use berth_blob::FilesystemBlobs;
use berth_metadata::{
    AccountStore, RetentionStore, RobotTokenRecord, SigningKeyRecord, SqliteMetadata, UserRecord,
};
use berth_registry::{Authority, Condition, Registry, Settings};
use berth_spec::Reference;
use berth_transfer::{
    DistributionFolder, Extra, Finding, Migration, MigrationReport, Observer, Progress,
    RegistrySource, TransferError, Watcher,
};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::world::{Findings, bring, check, damage, digest, push_image, repository, tags, unpack};

/// A registry in a data folder.
struct End {
    metadata: Arc<SqliteMetadata>,
    blobs: Arc<FilesystemBlobs>,
    registry: Registry,
    folder: TempDir,
}

impl End {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metadata = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
        let metadata = Arc::new(metadata);
        let blobs = Arc::new(FilesystemBlobs::open(folder.path()).unwrap());
        let settings = Settings {
            tag_deletion: true,
            ..Settings::default()
        };
        Self {
            registry: Registry::new(metadata.clone(), blobs.clone(), settings),
            metadata,
            blobs,
            folder,
        }
    }

    /// With all that the fixture has, and accounts.
    async fn full() -> Self {
        let end = Self::new();
        let folder = unpack("distribution-3");
        let source = DistributionFolder::open(folder.path()).await.unwrap();
        bring(&source, &end.registry).await;
        end.metadata.add_user(&user("alice", "1")).await.unwrap();
        let mut old = token("old", "ci");
        old.revoked_at = Some(time(2));
        end.metadata.add_robot_token(&old).await.unwrap();
        end.metadata
            .add_robot_token(&token("new", "ci"))
            .await
            .unwrap();
        end.add_key("first", 1).await;
        end
    }

    async fn add_key(&self, id: &str, seconds: u64) {
        let key = SigningKeyRecord {
            id: id.to_owned(),
            private_key: SecretString::from(format!("the key {id}")),
            created_at: time(seconds),
        };
        assert!(
            self.metadata
                .add_signing_key(&key, time(1 << 30))
                .await
                .unwrap()
        );
    }

    async fn delete(&self, name: &str, reference: &str) {
        let (name, reference): (_, Reference) = (repository(name), reference.parse().unwrap());
        let always = Condition::default();
        let deleting =
            self.registry
                .delete_manifest(&name, &reference, &always, Authority::Ordinary);
        deleting.await.unwrap();
    }

    async fn manifests(&self, name: &str) -> Vec<String> {
        let contents = self.metadata.repository_contents(&repository(name)).await;
        let manifests = contents.unwrap().unwrap().manifests.into_iter();
        manifests.map(|entry| entry.digest.to_string()).collect()
    }

    fn file(&self, digest: &str) -> std::path::PathBuf {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        let blobs = self.folder.path().join("blobs").join(algorithm);
        blobs.join(&hex[..2]).join(hex)
    }
}

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn user(name: &str, hash: &str) -> UserRecord {
    UserRecord {
        name: name.to_owned(),
        password_hash: SecretString::from(hash),
        groups: ["staff".to_owned()].into(),
        created_at: time(1),
        expires_at: None,
    }
}

fn token(id: &str, name: &str) -> RobotTokenRecord {
    RobotTokenRecord {
        id: id.to_owned(),
        name: name.to_owned(),
        secret_hash: SecretString::from("hash"),
        scope: "scope".to_owned(),
        created_at: time(1),
        expires_at: Some(time(1 << 32)),
        revoked_at: None,
    }
}

async fn migrate(
    from: &End,
    to: &End,
    extra: Extra,
    watcher: &dyn Watcher,
) -> Result<MigrationReport, TransferError> {
    let source = RegistrySource::new(from.metadata.clone(), from.blobs.clone());
    let migration = Migration {
        source: &source,
        source_accounts: &*from.metadata,
        destination: &to.registry,
        destination_contents: to.metadata.clone(),
        destination_accounts: &*to.metadata,
        extra,
    };
    migration.run(watcher).await
}

async fn migrated(from: &End, to: &End, extra: Extra) -> (MigrationReport, Vec<String>) {
    let findings = Findings::default();
    let report = migrate(from, to, extra, &findings).await.unwrap();
    let findings = findings.0.into_inner().unwrap();
    (report, findings.iter().map(ToString::to_string).collect())
}

/// That two registries are the same, by all that can be asked of them.
async fn are_equal(one: &End, other: &End) {
    assert_eq!(tags(&one.registry).await, tags(&other.registry).await);
    let names = one.registry.repositories(None, None).await.unwrap();
    for name in names.repositories {
        let manifests = one.manifests(name.as_str()).await;
        assert_eq!(manifests, other.manifests(name.as_str()).await, "{name}");
        for manifest in manifests {
            check(&other.registry, &name, &digest(&manifest)).await;
        }
    }
    let users = |end: &End| {
        let metadata = end.metadata.clone();
        async move { format!("{:?}", metadata.users(None, 100).await.unwrap()) }
    };
    assert_eq!(users(one).await, users(other).await);
    let tokens = |end: &End| {
        let metadata = end.metadata.clone();
        async move { format!("{:?}", metadata.robot_tokens(None, 100).await.unwrap()) }
    };
    assert_eq!(tokens(one).await, tokens(other).await);
    let keys = |end: &End| {
        let metadata = end.metadata.clone();
        async move {
            let keys = metadata.signing_keys().await.unwrap().into_iter();
            let keys = keys.map(|key| (key.id, key.private_key.expose_secret().to_owned()));
            keys.collect::<Vec<_>>()
        }
    };
    assert_eq!(keys(one).await, keys(other).await);
}

#[tokio::test]
async fn a_registry_moves_with_its_accounts_and_a_second_run_copies_nothing() {
    let (from, to) = (End::full().await, End::new());
    let (first, findings) = migrated(&from, &to, Extra::Keep).await;
    assert_eq!(findings, [""; 0]);
    assert!(first.is_complete());
    assert_eq!(first.accounts.copied, 4);
    are_equal(&from, &to).await;
    let (second, _) = migrated(&from, &to, Extra::Keep).await;
    let transferred = second.transferred;
    let done = [
        transferred.manifests,
        transferred.tags,
        transferred.blobs,
        transferred.mounted,
        second.accounts.copied,
    ];
    assert_eq!(done, [0; 5], "{second:?}");
    assert!(second.is_complete());
}

#[tokio::test]
async fn what_changed_during_the_first_run_comes_with_the_last() {
    let (from, to) = (End::full().await, End::new());
    migrated(&from, &to, Extra::Keep).await;
    // A tag moved, one deleted, a manifest deleted with its tag, an image and a repository new.
    let moved = push_image(&from.registry, "team/app", "latest", "moved").await;
    from.delete("library/many", "amd64").await;
    let base = tags(&from.registry).await["library/base:v1"].clone();
    from.delete("library/base", base.as_str()).await;
    push_image(&from.registry, "team/new", "v1", "new").await;
    from.metadata.remove_user("alice").await.unwrap();
    from.metadata.add_user(&user("bob", "2")).await.unwrap();
    from.metadata
        .revoke_robot_token("new", time(3))
        .await
        .unwrap();
    from.metadata
        .add_robot_token(&token("a newer", "ci"))
        .await
        .unwrap();
    from.add_key("second", 5).await;
    from.metadata.forget_signing_keys(time(4)).await.unwrap();

    let (report, findings) = migrated(&from, &to, Extra::Keep).await;
    assert!(!report.is_complete());
    let all = findings.join("\n");
    for about in [
        "library/many:amd64 is at the destination alone",
        "library/base:v1 is at the destination alone",
        "the user alice is at the destination alone",
    ] {
        assert!(all.contains(about), "{about}: {all}");
    }
    assert_eq!(report.differences as usize, findings.len(), "{all}");
    assert_eq!(tags(&to.registry).await["team/app:latest"], moved);

    let (report, findings) = migrated(&from, &to, Extra::Delete).await;
    assert_eq!(findings, [""; 0]);
    assert!(report.is_complete());
    // Two tags, and a manifest whose tag is one of them.
    assert_eq!(
        (report.deleted, report.accounts.removed),
        (3, 2),
        "{report:?}"
    );
    are_equal(&from, &to).await;
}

#[tokio::test]
async fn what_was_pushed_to_the_destination_is_kept_unless_it_is_to_go() {
    let (from, to) = (End::full().await, End::new());
    migrated(&from, &to, Extra::Keep).await;
    let own = push_image(&to.registry, "team/app", "latest", "pushed here").await;
    let (report, findings) = migrated(&from, &to, Extra::Keep).await;
    assert_eq!(tags(&to.registry).await["team/app:latest"], own);
    // The tag, and the manifest.
    assert_eq!(report.differences, 2, "{findings:?}");
    migrated(&from, &to, Extra::Delete).await;
    are_equal(&from, &to).await;
}

#[tokio::test]
async fn a_destination_of_something_else_is_refused_before_anything_is_done() {
    let (from, to) = (End::full().await, End::new());
    push_image(&to.registry, "other/registry", "v1", "own").await;
    for extra in [Extra::Keep, Extra::Delete] {
        let error = migrate(&from, &to, extra, &Findings::default()).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, TransferError::ForeignDestination(_)),
            "{error}"
        );
    }
    assert_eq!(tags(&to.registry).await.len(), 1);
    assert!(to.metadata.users(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn damaged_and_missing_bytes_are_told_and_the_rest_moves() {
    let (from, to) = (End::full().await, End::new());
    let name = repository("team/app");
    let tags_before = tags(&from.registry).await;
    let stored = from.registry.manifest(&name, &"v2".parse().unwrap()).await;
    let manifest = berth_spec::Manifest::parse(None, &stored.unwrap().content).unwrap();
    let last = manifest.references().required_blobs.pop().unwrap();
    let file = from.file(last.as_str());
    // Published blobs are not written to: this is another file of that name.
    let whole = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, &whole).unwrap();
    damage(&file);
    let (report, findings) = migrated(&from, &to, Extra::Keep).await;
    let all = findings.join("\n");
    assert!(
        all.contains(&format!("the blob {last} is damaged")),
        "{all}"
    );
    assert!(
        all.contains("team/app:v2 is not at the destination"),
        "{all}"
    );
    assert!(!report.is_complete());
    let found = tags(&to.registry).await;
    assert_eq!(found.len() + 1, tags_before.len());
    write(&file, &whole);
    let (report, findings) = migrated(&from, &to, Extra::Keep).await;
    assert!(report.is_complete(), "{findings:?}");
    are_equal(&from, &to).await;
}

fn write(path: &Path, content: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Stops a migration after so much was told.
struct Stop {
    left: AtomicU64,
    stop: Notify,
}

impl Observer for Stop {
    fn tell(&self, _: &Progress) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.stop.notify_one();
        }
    }
}

impl Watcher for Stop {
    fn found(&self, finding: &Finding) {
        panic!("{finding}");
    }
}

#[tokio::test]
async fn a_migration_that_is_killed_goes_on() {
    let (from, to) = (End::full().await, End::new());
    for told in 1..24 {
        let stop = Stop {
            left: AtomicU64::new(told),
            stop: Notify::new(),
        };
        tokio::select! {
            biased;
            () = stop.stop.notified() => {}
            _ = migrate(&from, &to, Extra::Keep, &stop) => panic!("it came to its end after {told}"),
        }
        // Whatever is there is whole.
        let expected = tags(&from.registry).await;
        for (tag, digest) in tags(&to.registry).await {
            assert_eq!(expected.get(&tag), Some(&digest));
        }
    }
    let (report, findings) = migrated(&from, &to, Extra::Keep).await;
    assert!(report.is_complete(), "{findings:?}");
    assert!(report.transferred.kept > 0);
    are_equal(&from, &to).await;
}
