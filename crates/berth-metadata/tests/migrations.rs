//! A database of an older version is brought to this version's schema.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, SystemTime};

use berth_metadata::{
    Blob, MetadataStore, RetentionStore, Scope, SqliteMetadata, TagEntry, UploadRecord, Usage,
};
use berth_spec::{Algorithm, Digest, Reference, RepositoryName, SessionId};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

const INITIAL: &str = include_str!("../../../migrations/sqlite/2026-11-24-000000_initial/up.sql");
const QUOTAS: &str = include_str!("../../../migrations/sqlite/2026-11-25-100000_quotas/up.sql");
const APPLIED: &str = "
    CREATE TABLE __diesel_schema_migrations (
        version VARCHAR(50) PRIMARY KEY NOT NULL,
        run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20261124000000');
";

/// All times of the old database, in milliseconds.
const LONG_AGO: u64 = 1_000_000;

fn digest(content: &str) -> Digest {
    Digest::sha256(content.as_bytes())
}

/// An index with a tag, and its image with a layer; each table has a row.
fn rows(session: SessionId) -> String {
    let (index, image, layer) = (digest("index"), digest("image"), digest("layer"));
    format!(
        "INSERT INTO repositories VALUES (1, 'team/app', {LONG_AGO});
        INSERT INTO blobs VALUES (1, '{layer}', 5, 'live', {LONG_AGO}, NULL);
        INSERT INTO repository_blobs VALUES (1, 1, {LONG_AGO});
        INSERT INTO manifests VALUES
            (1, 1, '{index}', 'a/index', NULL, NULL, NULL, 5, {LONG_AGO}, CAST('index' AS BLOB)),
            (2, 1, '{image}', 'an/image', NULL, NULL, NULL, 5, {LONG_AGO}, CAST('image' AS BLOB));
        INSERT INTO manifest_blobs VALUES (2, '{layer}', 1);
        INSERT INTO manifest_manifests VALUES (1, '{image}');
        INSERT INTO tags VALUES (1, 'v1', 1, {LONG_AGO});
        INSERT INTO uploads VALUES
            ('{session}', 'team/app', 'sha256', 7, x'010203', 4, {LONG_AGO}, {LONG_AGO});"
    )
}

fn make_old(path: &Path, session: SessionId) {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    for statements in [INITIAL, APPLIED, &rows(session)] {
        connection.batch_execute(statements).unwrap();
    }
}

#[tokio::test]
async fn what_an_older_version_stored_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.sqlite3");
    let session = SessionId::random();
    make_old(&path, session);
    let before = SystemTime::now() - Duration::from_millis(1);
    let store = SqliteMetadata::open(&path).unwrap();

    let here: RepositoryName = "team/app".parse().unwrap();
    let repositories = store.repositories(None, 9).await.unwrap();
    assert_eq!(repositories, std::slice::from_ref(&here));
    let layer = Blob::new(digest("layer"), 5);
    let found = store.blob(&here, &layer.digest).await.unwrap();
    assert_eq!(found.as_ref(), Some(&layer));
    let linked = store.manifest_blobs(&here, &digest("image")).await;
    assert_eq!(linked.unwrap(), std::slice::from_ref(&layer));
    let references = store.blob_references(&layer.digest).await;
    assert_eq!(references.unwrap(), 1);
    let by_tag = Reference::Tag("v1".parse().unwrap());
    let found = store.manifest(&here, &by_tag).await.unwrap().unwrap();
    assert_eq!(
        (found.digest, &found.content[..]),
        (digest("index"), &b"index"[..])
    );

    let counted = Usage { bytes: 15, tags: 1 };
    let namespace = Scope::Namespace("team".parse().unwrap());
    for scope in [Scope::Repository(here.clone()), namespace] {
        assert_eq!(store.usage(&scope).await.unwrap(), counted, "{scope}");
    }

    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_millis(LONG_AGO);
    let upload = UploadRecord {
        id: session,
        repository: here.clone(),
        algorithm: Algorithm::Sha256,
        offset: 7,
        hash_state: vec![1, 2, 3],
        revision: 4,
        expires_at: long_ago,
        holder: None,
    };
    assert_eq!(store.upload(session).await.unwrap(), Some(upload));

    let contents = store.repository_contents(&here).await.unwrap().unwrap();
    let tag = TagEntry {
        tag: "v1".parse().unwrap(),
        digest: digest("index"),
        updated_at: long_ago,
    };
    assert_eq!(contents.tags, [tag]);
    let entry = |content: &str| {
        let digest = digest(content);
        let mut entries = contents.manifests.iter();
        entries.find(|entry| entry.digest == digest).unwrap()
    };
    let (index, image) = (entry("index"), entry("image"));
    assert_eq!(
        (index.used_at, &index.children),
        (long_ago, &vec![digest("image")])
    );
    // Only the first push was recorded: it may have been pushed again a moment ago.
    assert!(image.used_at >= before && image.used_at <= SystemTime::now());
}

#[derive(QueryableByName)]
struct PlanStep {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

/// A seek for each manifest would take hours where there are millions.
#[test]
fn the_manifests_are_counted_in_one_scan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.sqlite3");
    make_old(&path, SessionId::random());
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let before_triggers = QUOTAS.split("CREATE TRIGGER").next().unwrap();
    let lines = before_triggers.lines();
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with("--")).collect();
    let mut scans = 0;
    for statement in lines.join("\n").split_inclusive(';') {
        let plan = format!("EXPLAIN QUERY PLAN {statement}");
        if statement.contains("FROM manifests") {
            let steps: Vec<PlanStep> = diesel::sql_query(plan).load(&mut connection).unwrap();
            let steps = steps
                .iter()
                .filter(|step| step.detail.contains("manifests"));
            for step in steps {
                assert_eq!(step.detail, "SCAN manifests");
                scans += 1;
            }
        }
        connection.batch_execute(statement).unwrap();
    }
    assert_eq!(scans, 1);
}
