//! Rules applied to whole stores.
#![allow(clippy::unwrap_used, clippy::panic)]

mod store;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use berth_metadata::{
    Blob, CollectionStore, MemoryMetadata, MetadataStore, NewManifest, RepositoryContents,
    RetentionStore, SqliteMetadata,
};
use berth_progress::{Nobody, Observer, Progress};
use berth_retention::{
    Deleted, Deletion, Mode, Retention, RetentionReport, Rule, RuleError, UnneededBlobs,
};
use berth_spec::{Digest, RepositoryName};
use store::{Store, image, repository, sqlite, tagged};

const MINIMUM_AGE: Duration = Duration::from_secs(60);

/// What retention and the collection of blobs work on.
trait All: MetadataStore + RetentionStore + CollectionStore {}

impl All for MemoryMetadata {}
impl All for SqliteMetadata {}

fn retention(rules: &[&str]) -> Retention {
    let rules = rules.iter().map(|rule| toml::from_str(rule).unwrap());
    Retention::new(rules.collect(), MINIMUM_AGE).unwrap()
}

/// When all that a test has pushed is old.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

async fn run(
    metadata: &dyn Store,
    retention: &Retention,
    mode: Mode,
) -> (RetentionReport, Vec<Deletion>) {
    let told = Mutex::new(Vec::new());
    let tell = |deletion: &Deletion| told.lock().unwrap().push(deletion.clone());
    let report = retention.run(metadata, &Nobody, &tell, mode, later());
    let report = report.await.unwrap();
    (report, told.into_inner().unwrap())
}

async fn contents(metadata: &dyn Store, name: &str) -> RepositoryContents {
    let contents = metadata.repository_contents(&repository(name)).await;
    contents.unwrap().unwrap()
}

async fn tags(metadata: &dyn Store, name: &str) -> Vec<String> {
    let contents = contents(metadata, name).await;
    let tags = contents.tags.iter();
    tags.map(|entry| entry.tag.to_string()).collect()
}

fn sorted(deletions: &[Deletion]) -> BTreeSet<String> {
    let texts = deletions.iter().map(|deletion| format!("{deletion:?}"));
    texts.collect()
}

/// Two repositories that share a blob, with an index, a signature by subject and one by tag.
async fn fill(metadata: &(impl Store + ?Sized)) {
    let blob = |content: &str| Blob::new(Digest::sha256(content.as_bytes()), content.len() as u64);
    let with = |manifest: NewManifest, blobs: &[&str]| NewManifest {
        required_blobs: blobs.iter().map(|name| blob(name).digest).collect(),
        ..manifest
    };
    let child = with(image("child"), &["shared by two", "own"]);
    let index = NewManifest {
        required_manifests: vec![child.digest.clone()],
        ..tagged("index", &["nightly"])
    };
    let referrer = NewManifest {
        subject: Some(index.digest.clone()),
        ..image("referrer")
    };
    let follower = format!("sha256-{}.sig", index.digest.hex());
    let signature = with(tagged("signature", &[&follower]), &["signature"]);
    let kept = with(tagged("kept", &["v1"]), &["shared with kept"]);
    let nightly = with(
        tagged("other", &["nightly"]),
        &["shared with kept", "shared by two"],
    );
    for (name, manifests) in [
        ("team/app", vec![child, index, referrer, signature, kept]),
        ("team/other", vec![nightly]),
    ] {
        let repository = repository(name);
        for content in ["shared by two", "own", "signature", "shared with kept"] {
            let blob = blob(content);
            let linked = metadata.link_blob(&repository, &blob, None).await;
            linked.unwrap();
        }
        for manifest in manifests {
            store::put(metadata, &repository, &manifest).await;
        }
    }
}

async fn a_dry_run_tells_what_is_done_then(metadata: &dyn Store) {
    fill(metadata).await;
    let retention = retention(&["tags = [\"nightly\"]\nolder_than = \"30m\""]);
    let before = (
        contents(metadata, "team/app").await,
        contents(metadata, "team/other").await,
    );

    let (dry, would_go) = run(metadata, &retention, Mode::DryRun).await;
    let after = (
        contents(metadata, "team/app").await,
        contents(metadata, "team/other").await,
    );
    assert_eq!(before, after);
    assert_eq!((dry.tags, dry.manifests, dry.repositories), (3, 5, 2));
    let names = ["child", "index", "referrer", "signature", "other"];
    assert_eq!(
        dry.manifest_bytes,
        names.map(str::len).iter().sum::<usize>() as u64
    );
    let blobs = ["shared by two", "own", "signature"];
    let bytes = blobs.map(str::len).iter().sum::<usize>() as u64;
    assert_eq!(dry.blobs, Some(UnneededBlobs { count: 3, bytes }));

    let (applied, gone) = run(metadata, &retention, Mode::Apply).await;
    assert_eq!(sorted(&gone), sorted(&would_go));
    let expected = RetentionReport {
        mode: Mode::Apply,
        blobs: None,
        ..dry
    };
    assert_eq!(applied, expected);
    assert_eq!(tags(metadata, "team/app").await, ["v1"]);
    assert_eq!(contents(metadata, "team/app").await.manifests.len(), 1);
    assert_eq!(
        contents(metadata, "team/other").await,
        RepositoryContents::default()
    );

    let (again, nothing) = run(metadata, &retention, Mode::Apply).await;
    assert_eq!((again.tags, again.manifests, again.used_again), (0, 0, 0));
    assert_eq!(nothing, []);
}

#[tokio::test]
async fn a_dry_run_tells_what_sqlite_does_then() {
    a_dry_run_tells_what_is_done_then(&sqlite().0).await;
}

#[tokio::test]
async fn a_dry_run_tells_what_memory_does_then() {
    a_dry_run_tells_what_is_done_then(&MemoryMetadata::default()).await;
}

/// The blobs that a dry run tells are those that garbage collection finds after the real one.
#[tokio::test]
async fn blobs_that_are_told_become_unused() {
    let (sqlite, _folder) = sqlite();
    for metadata in [&sqlite as &dyn All, &MemoryMetadata::default()] {
        fill(metadata).await;
        let retention = retention(&["tags = [\"nightly\"]\nolder_than = \"30m\""]);
        let unused = async || {
            let page = metadata.unused_blobs(None, later(), 100).await.unwrap();
            page.blobs.iter().map(|blob| blob.size).sum::<u64>()
        };
        let before = unused().await;
        let run = async |mode| {
            let report = retention.run(metadata, &Nobody, &|_| {}, mode, later());
            report.await.unwrap()
        };
        let told = run(Mode::DryRun).await.blobs.unwrap();
        run(Mode::Apply).await;
        assert_eq!(unused().await - before, told.bytes);
    }
}

#[tokio::test]
async fn the_first_rule_that_matches_governs() {
    let metadata = MemoryMetadata::default();
    for name in ["keep/app", "team/app", "team/app/deep", "other"] {
        store::put(&metadata, &repository(name), &tagged("image", &["v1"])).await;
    }
    let retention = retention(&[
        "repositories = [\"keep/**\"]",
        "repositories = [\"team/*\"]\ntags = [\"none\"]\nkeep_newest = 1",
        "repositories = [\"keep/**\", \"team/**\"]\ntags = [\"*\"]\nolder_than = \"1s\"",
    ]);
    let (report, gone) = run(&metadata, &retention, Mode::Apply).await;
    assert_eq!(report.repositories, 3);
    let [tag, manifest] = &gone[..] else {
        panic!("not two: {gone:?}");
    };
    let digest = image("image").digest;
    let expected = |deleted| Deletion {
        repository: repository("team/app/deep"),
        rule: 3,
        deleted,
    };
    let deleted = Deleted::Tag {
        tag: "v1".parse().unwrap(),
        digest: digest.clone(),
    };
    assert_eq!(*tag, expected(deleted));
    assert_eq!(*manifest, expected(Deleted::Manifest { digest, size: 5 }));
    assert_eq!(
        retention
            .rule_of(&repository("other"))
            .map(|rule| rule.number()),
        None
    );
}

/// More than one page.
#[tokio::test]
async fn all_repositories_are_gone_through() {
    #[derive(Default)]
    struct Last(Mutex<Option<Progress>>);

    impl Observer for Last {
        fn tell(&self, progress: &Progress) {
            *self.0.lock().unwrap() = Some(progress.clone());
        }
    }

    let metadata = MemoryMetadata::default();
    for number in 0..1001 {
        let name: RepositoryName = format!("r{number}").parse().unwrap();
        store::put(&metadata, &name, &image("image")).await;
    }
    let retention = retention(&["untagged_after = \"30m\""]);
    let last = Last::default();
    let run = retention.run(&metadata, &last, &|_| {}, Mode::Apply, later());
    let report = run.await.unwrap();
    assert_eq!((report.repositories, report.manifests), (1001, 1001));
    assert_eq!(last.0.into_inner().unwrap().unwrap().done, 1001);
}

/// Turns every `from` in a file into `to`, as a disk can do it.
fn damage(path: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let windows = bytes.windows(from.len()).enumerate();
    let found = windows.filter(|(_, window)| *window == from);
    let places: Vec<usize> = found.map(|(place, _)| place).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + from.len()].copy_from_slice(to);
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_repository_does_not_stop_the_others() {
    let (metadata, folder) = sqlite();
    for (name, tag) in [("a", "v1"), ("b", "a-tag"), ("c", "v1")] {
        store::put(&metadata, &repository(name), &tagged("image", &[tag])).await;
    }
    drop(metadata);
    let path = folder.path().join("metadata.sqlite3");
    damage(&path, b"a-tag", b"a tag");
    let metadata = SqliteMetadata::open(&path).unwrap();
    let retention = retention(&["tags = [\"*\"]\nolder_than = \"30m\""]);
    for mode in [Mode::DryRun, Mode::Apply] {
        let (report, gone) = run(&metadata, &retention, mode).await;
        assert_eq!((report.repositories, report.failed), (3, 1));
        assert_eq!((report.tags, report.manifests), (2, 2));
        let names: BTreeSet<_> = gone.iter().map(|it| it.repository.as_str()).collect();
        assert_eq!(names, BTreeSet::from(["a", "c"]));
    }
}

#[test]
fn a_rule_after_one_for_all_is_refused() {
    let rules = vec![Rule::default(), Rule::default()];
    let error = Retention::new(rules, MINIMUM_AGE).unwrap_err();
    let (number, earlier) = (2, 1);
    assert_eq!(error, RuleError::Unreachable { number, earlier });
    let nothing = Rule {
        repositories: Vec::new(),
        ..Rule::default()
    };
    let numbered = Rule {
        repositories: vec!["a".to_owned()],
        ..Rule::default()
    };
    let error = Retention::new(vec![numbered, nothing], MINIMUM_AGE).unwrap_err();
    assert_eq!(error, RuleError::NoRepositories(2));
}

/// It can run on a task of a server.
#[tokio::test]
async fn a_run_can_be_spawned() {
    let task = tokio::spawn(async {
        let metadata = MemoryMetadata::default();
        let retention = retention(&["untagged_after = \"30m\""]);
        let run = retention.run(&metadata, &Nobody, &|_| {}, Mode::Apply, later());
        run.await.unwrap()
    });
    assert_eq!(task.await.unwrap().repositories, 0);
}

#[test]
fn the_rules_of_the_readme_make_sense() {
    #[derive(serde::Deserialize)]
    struct File {
        retention: Vec<Rule>,
    }

    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let file: File = toml::from_str(text).unwrap();
    let retention = Retention::new(file.retention, MINIMUM_AGE).unwrap();
    for (name, rule) in [("library/alpine", 1), ("team/app", 2), ("team/app/deep", 3)] {
        let governing = retention.rule_of(&repository(name));
        assert_eq!(governing.map(|rule| rule.number()), Some(rule));
    }
}
