//! Immutable tags and quotas, each over the in-memory stores and over SQLite and a folder.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;
use std::sync::Arc;

use berth_blob::{BlobStore, FilesystemBlobs, Listed, MemoryBlobs};
use berth_metadata::{MemoryMetadata, MetadataStore, SqliteMetadata};
use berth_registry::{
    Authority, Condition, Content, Counted, ImmutableTags, ManifestContent, QuotaExceeded,
    QuotaRule, Registry, RegistryError, Scope, Settings, UploadError,
};
use berth_spec::{Algorithm, Digest, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

#[derive(Clone)]
struct World {
    registry: Registry,
    blobs: Arc<dyn BlobStore>,
    _folder: Option<Arc<TempDir>>,
}

fn worlds(settings: &Settings) -> [World; 3] {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    let files = FilesystemBlobs::open(folder.path()).unwrap();
    let world = |metadata: Arc<dyn MetadataStore>, blobs: Arc<dyn BlobStore>, folder| World {
        registry: Registry::new(metadata, Arc::clone(&blobs), settings.clone()),
        blobs,
        _folder: folder,
    };
    [
        world(
            Arc::new(MemoryMetadata::default()),
            Arc::new(MemoryBlobs::default()),
            None,
        ),
        world(Arc::new(sqlite), Arc::new(files), Some(Arc::new(folder))),
        world(
            Arc::new(MemoryMetadata::default()),
            Arc::new(MemoryBlobs::with_generations()),
            None,
        ),
    ]
}

fn immutable(table: &str) -> Settings {
    let table: ImmutableTags = toml::from_str(table).unwrap();
    Settings {
        tag_deletion: true,
        immutable_tags: vec![table],
        ..Settings::default()
    }
}

fn limited(tables: &[&str]) -> Settings {
    let tables = tables.iter().map(|table| toml::from_str(table).unwrap());
    Settings {
        quotas: tables.collect::<Vec<QuotaRule>>(),
        ..Settings::default()
    }
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

/// An index of nothing: it needs no blobs.
fn index(seed: &str) -> Bytes {
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_INDEX,
        "manifests": [],
        "annotations": {"seed": seed},
    });
    index.to_string().into()
}

/// A body that does not tell its length.
fn stream_of(pieces: &[&'static str]) -> Content {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from(*piece))).collect();
    Content {
        range: None,
        length: None,
        body: stream::iter(pieces).boxed(),
    }
}

impl World {
    async fn push(
        &self,
        repository: &RepositoryName,
        to: &str,
        tags: &[&str],
        content: Bytes,
        authority: Authority,
    ) -> Result<(), RegistryError> {
        let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        let content = ManifestContent {
            content_type: None,
            content,
        };
        let (to, always) = (reference(to), Condition::default());
        let registry = &self.registry;
        registry
            .push_manifest(repository, &to, &tags, content, &always, authority)
            .await?;
        Ok(())
    }

    async fn delete(
        &self,
        repository: &RepositoryName,
        to: &str,
        authority: Authority,
    ) -> Result<(), RegistryError> {
        let (to, always) = (reference(to), Condition::default());
        let deleted = self
            .registry
            .delete_manifest(repository, &to, &always, authority);
        deleted.await
    }

    async fn leads_to(&self, repository: &RepositoryName, tag: &str) -> Digest {
        let found = self.registry.manifest(repository, &reference(tag)).await;
        found.unwrap().digest
    }

    async fn push_blob(
        &self,
        repository: &RepositoryName,
        content: &'static str,
    ) -> Result<(), RegistryError> {
        let digest = Digest::sha256(content.as_bytes());
        let content = Content::from_bytes(content);
        self.registry.push_blob(repository, &digest, content).await
    }

    /// The blobs that have a file.
    async fn files(&self) -> HashSet<Digest> {
        let listed: Vec<Vec<Listed>> = self.blobs.list().try_collect().await.unwrap();
        let listed = listed.into_iter().flatten();
        listed.map(|listed| listed.name.digest).collect()
    }

    async fn has_bytes(&self, content: &str) -> bool {
        let digest = Digest::sha256(content.as_bytes());
        self.files().await.contains(&digest)
    }
}

fn assert_immutable(answer: Result<(), RegistryError>, tag: &str) {
    match answer {
        Err(RegistryError::TagImmutable(refused)) => assert_eq!(refused.as_str(), tag),
        other => panic!("{other:?}"),
    }
}

fn exceeded<T: std::fmt::Debug>(answer: Result<T, RegistryError>) -> QuotaExceeded {
    match answer {
        Err(RegistryError::QuotaExceeded(exceeded)) => exceeded,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_immutable_tag_stays_where_it_is_unless_an_admin_moves_it() {
    let settings = immutable("repositories = [\"team/*\"]\ntags = [\"v*\"]");
    for world in worlds(&settings) {
        let here = name("team/app");
        let (first, second) = (index("first"), index("second"));
        let by_digest = Digest::sha256(&first).to_string();
        let ordinary = Authority::Ordinary;
        let push = async |to: &str, tags: &[&str], content: &Bytes, authority| {
            world
                .push(&here, to, tags, content.clone(), authority)
                .await
        };
        push("v1", &[], &first, ordinary).await.unwrap();
        push("v1", &["latest"], &first, ordinary).await.unwrap();
        assert_immutable(push("v1", &[], &second, ordinary).await, "v1");
        // By the parameters as well, all or nothing.
        let digest = Digest::sha256(&second).to_string();
        let pushed = push(&digest, &["latest", "v1", "v2"], &second, ordinary);
        assert_immutable(pushed.await, "v1");
        assert_eq!(world.leads_to(&here, "latest").await.as_str(), by_digest);
        let unknown = world.registry.manifest(&here, &reference(&digest)).await;
        assert!(matches!(
            unknown,
            Err(RegistryError::ManifestUnknown { .. })
        ));

        assert_immutable(world.delete(&here, "v1", ordinary).await, "v1");
        assert_immutable(world.delete(&here, &by_digest, ordinary).await, "v1");
        assert_eq!(world.leads_to(&here, "v1").await.as_str(), by_digest);
        world.delete(&here, "latest", ordinary).await.unwrap();

        push("v1", &[], &second, Authority::Admin).await.unwrap();
        assert_eq!(world.leads_to(&here, "v1").await.as_str(), digest);
        // Nothing immutable leads there any more.
        world.delete(&here, &by_digest, ordinary).await.unwrap();
        world.delete(&here, "v1", Authority::Admin).await.unwrap();
        push("v1", &[], &first, ordinary).await.unwrap();
        world
            .delete(&here, &by_digest, Authority::Admin)
            .await
            .unwrap();
        let gone = world.delete(&here, "v1", ordinary).await;
        assert!(matches!(gone, Err(RegistryError::ManifestUnknown { .. })));
    }
}

#[tokio::test]
async fn other_tags_and_other_repositories_are_not_immutable() {
    let settings = immutable("repositories = [\"team/*\"]\ntags = [\"v*\"]");
    for world in worlds(&settings) {
        for (repository, tag) in [
            ("team/app", "latest"),
            ("team/app/deep", "v1"),
            ("other", "v1"),
        ] {
            let here = name(repository);
            for seed in ["first", "second"] {
                let pushed = world.push(&here, tag, &[], index(seed), Authority::Ordinary);
                pushed.await.unwrap();
            }
            assert_eq!(
                world.leads_to(&here, tag).await,
                Digest::sha256(&index("second"))
            );
            world.delete(&here, tag, Authority::Ordinary).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_pushes_of_one_immutable_tag_one_wins() {
    for world in worlds(&immutable("tags = [\"*\"]")) {
        let here = name("here");
        let mut pushes = JoinSet::new();
        for number in 0..100 {
            let (world, here) = (world.clone(), here.clone());
            pushes.spawn(async move {
                let content = index(&number.to_string());
                let digest = Digest::sha256(&content);
                // Half of them by the tag, and half by digest and parameter.
                let (to, tags) = match number % 2 {
                    0 => ("v1", &[][..]),
                    _ => (digest.as_str(), &["v1"][..]),
                };
                let pushed = world.push(&here, to, tags, content, Authority::Ordinary);
                match pushed.await {
                    Ok(()) => Some(digest),
                    Err(RegistryError::TagImmutable(_)) => None,
                    Err(error) => panic!("{error}"),
                }
            });
        }
        let won: Vec<Digest> = pushes.join_all().await.into_iter().flatten().collect();
        assert_eq!(won, [world.leads_to(&here, "v1").await]);
    }
}

#[tokio::test]
async fn a_blob_that_cannot_fit_is_refused_before_its_bytes_are_kept() {
    let settings = limited(&["repositories = [\"team/*\"]\nbytes = 20"]);
    for world in worlds(&settings) {
        let (here, there) = (name("team/app"), name("elsewhere"));
        world.push_blob(&here, "twelve bytes").await.unwrap();
        assert_eq!(
            exceeded(world.push_blob(&here, "nine more").await),
            QuotaExceeded {
                scope: Scope::Repository(here.clone()),
                counted: Counted::Bytes,
                allowed: 20,
                used: 12,
                added: 9,
            }
        );
        // Also if its length is not told.
        let digest = Digest::sha256(b"nine more");
        let content = stream_of(&["nine", " more", " and more"]);
        let pushed = world.registry.push_blob(&here, &digest, content).await;
        assert_eq!(exceeded(pushed).added, 9);
        assert!(!world.has_bytes("nine more").await);

        world.push_blob(&there, "nine more").await.unwrap();
        let mounted = world.registry.mount_blob(&here, Some(&there), &digest);
        assert_eq!(exceeded(mounted.await).used, 12);
        let unknown = world.registry.blob(&here, &digest).await;
        assert!(matches!(unknown, Err(RegistryError::BlobUnknown { .. })));
        // What is there already adds nothing.
        world.push_blob(&here, "twelve bytes").await.unwrap();
        world.push_blob(&here, "8 bytes.").await.unwrap();
        let digest = Digest::sha256(b"8 bytes.");
        let again = stream_of(&["8 ", "bytes."]);
        let again = world.registry.push_blob(&here, &digest, again).await;
        again.unwrap();
    }
}

#[tokio::test]
async fn a_digest_that_is_there_lets_no_more_bytes_in_than_it_has() {
    let settings = limited(&["repositories = [\"team/*\"]\nbytes = 20"]);
    for world in worlds(&settings) {
        let (here, registry) = (name("team/app"), &world.registry);
        world.push_blob(&here, "twelve bytes").await.unwrap();
        world.push_blob(&here, "8 bytes.").await.unwrap();
        let digest = Digest::sha256(b"twelve bytes");
        let told = registry.push_blob(&here, &digest, Content::from_bytes("thirteen byte"));
        assert_eq!(exceeded(told.await).added, 13);
        // Also if its length is not told, and if most of it came before.
        let untold = registry.push_blob(
            &here,
            &digest,
            stream_of(&["twelve ", "bytes", " and more"]),
        );
        assert_eq!(exceeded(untold.await).added, 21);
        let id = registry
            .begin_upload(&here, Algorithm::Sha256)
            .await
            .unwrap();
        let appended = registry.append_upload(&here, id, Content::from_bytes("twelve b"));
        assert_eq!(appended.await.unwrap(), 8);
        let finish = async |content| registry.finish_upload(&here, id, &digest, content).await;
        assert_eq!(exceeded(finish(stream_of(&["ytes", "!"])).await).added, 13);
        let kept = registry.upload_status(&here, id).await.unwrap();
        assert!(kept <= 12, "{kept}");
        let id = registry
            .begin_upload(&here, Algorithm::Sha256)
            .await
            .unwrap();
        let whole = stream_of(&["twelve ", "bytes"]);
        registry
            .finish_upload(&here, id, &digest, whole)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_session_that_is_refused_goes_on_when_there_is_room() {
    let settings = limited(&["namespace = \"team\"\nbytes = 20"]);
    for world in worlds(&settings) {
        let (here, beside) = (name("team/app"), name("team/other"));
        let registry = &world.registry;
        world.push_blob(&beside, "twelve bytes").await.unwrap();
        let begun = registry.begin_upload(&here, Algorithm::Sha256).await;
        let id = begun.unwrap();
        // Whether it is there already is known at the end only.
        let appended = registry.append_upload(&here, id, Content::from_bytes("nine "));
        assert_eq!(appended.await.unwrap(), 5);
        let digest = Digest::sha256(b"nine more");
        let finish = async |content| registry.finish_upload(&here, id, &digest, content).await;
        let refused = exceeded(finish(Content::from_bytes("more")).await);
        assert_eq!(refused.scope, Scope::Namespace(name("team")));
        assert_eq!((refused.used, refused.added), (12, 9));
        assert_eq!(registry.upload_status(&here, id).await.unwrap(), 5);
        assert!(!world.has_bytes("nine more").await);

        let always = Condition::default();
        let twelve = Digest::sha256(b"twelve bytes");
        registry
            .delete_blob(&beside, &twelve, &always)
            .await
            .unwrap();
        finish(Content::from_bytes("more")).await.unwrap();
        assert_eq!(registry.blob(&here, &digest).await.unwrap().size, 9);
    }
}

#[tokio::test]
async fn no_session_holds_more_than_a_quota_allows() {
    let settings = limited(&["namespace = \"team\"\nbytes = 20"]);
    for world in worlds(&settings) {
        let (here, registry) = (name("team/app"), &world.registry);
        let begun = registry.begin_upload(&here, Algorithm::Sha256).await;
        let id = begun.unwrap();
        let append = async |content| registry.append_upload(&here, id, content).await;
        assert_eq!(
            append(Content::from_bytes("twelve bytes")).await.unwrap(),
            12
        );
        assert_eq!(
            exceeded(append(Content::from_bytes("nine more")).await).added,
            21
        );
        assert_eq!(registry.upload_status(&here, id).await.unwrap(), 12);
        let refused = append(stream_of(&["eight by", "t", "es"])).await;
        assert_eq!(exceeded(refused).added, 21);
        let kept = registry.upload_status(&here, id).await.unwrap();
        assert!(kept <= 20, "{kept}");
        registry.cancel_upload(&here, id).await.unwrap();
        let unknown = append(Content::empty()).await;
        let unknown = unknown.unwrap_err();
        assert!(
            matches!(unknown, RegistryError::Upload(UploadError::Unknown(_))),
            "{unknown}"
        );
    }
}

#[tokio::test]
async fn tags_and_manifests_are_limited_and_pushing_them_again_is_not() {
    let size = index("a").len() as u64;
    let bytes = format!("namespace = \"team\"\nbytes = {}", 2 * size);
    let settings = limited(&["repositories = [\"**\"]\ntags = 2", &bytes]);
    for world in worlds(&settings) {
        let (here, beside) = (name("team"), name("team/app"));
        let push = async |repository, tags: &[&str], seed| {
            let digest = Digest::sha256(&index(seed)).to_string();
            let content = index(seed);
            let authority = Authority::Admin;
            world
                .push(repository, &digest, tags, content, authority)
                .await
        };
        push(&here, &["one"], "a").await.unwrap();
        let refused = exceeded(push(&here, &["two", "three"], "a").await);
        assert_eq!(
            (refused.counted, refused.used, refused.added),
            (Counted::Tags, 1, 2)
        );
        push(&here, &["one", "two"], "a").await.unwrap();
        push(&here, &["two", "one"], "a").await.unwrap();
        push(&beside, &["one"], "b").await.unwrap();
        let refused = exceeded(push(&beside, &["two"], "c").await);
        assert_eq!(
            (refused.counted, refused.used, refused.added),
            (Counted::Bytes, 2 * size, size)
        );
        let found = world.registry.tags(&beside, None, None).await.unwrap();
        assert_eq!(found.tags.len(), 1);
        push(&beside, &["two"], "b").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_at_the_same_time_exceed_no_quota() {
    let settings = limited(&["namespace = \"team\"\nbytes = 100"]);
    for world in worlds(&settings) {
        let mut pushes = JoinSet::new();
        for number in 0..60 {
            let world = world.clone();
            pushes.spawn(async move {
                let here = name(["team", "team/app"][number % 2]);
                let content = format!("ten by {number:03}");
                let digest = Digest::sha256(content.as_bytes());
                let content = Content::from_bytes(content);
                match world.registry.push_blob(&here, &digest, content).await {
                    Ok(()) => true,
                    Err(RegistryError::QuotaExceeded(_)) => false,
                    Err(error) => panic!("{error}"),
                }
            });
        }
        let let_in = pushes.join_all().await;
        assert_eq!(let_in.iter().filter(|is_in| **is_in).count(), 10);
        assert_eq!(world.files().await.len(), 10);
    }
}

/// Bytes that come when so many pushes wait for theirs: each has found by then that there is room.
fn together(content: &str, all: &Arc<Barrier>) -> Content {
    let (content, all) = (Bytes::copy_from_slice(content.as_bytes()), Arc::clone(all));
    let body = stream::once(async move {
        all.wait().await;
        Ok(content)
    });
    Content {
        range: None,
        length: Some(12),
        body: body.boxed(),
    }
}

#[tokio::test]
async fn pushes_that_are_refused_at_the_end_leave_no_files() {
    let settings = limited(&["namespace = \"team\"\nbytes = 30"]);
    for world in worlds(&settings) {
        let all = Arc::new(Barrier::new(20));
        let mut pushes = JoinSet::new();
        for number in 0..20 {
            let (world, all) = (world.clone(), Arc::clone(&all));
            pushes.spawn(async move {
                let (here, registry) = (name("team/app"), &world.registry);
                let content = format!("some text {number:02}");
                let digest = Digest::sha256(content.as_bytes());
                let content = together(&content, &all);
                // Half of them in one request, and half by a session.
                let pushed = match number % 2 {
                    0 => registry.push_blob(&here, &digest, content).await,
                    _ => {
                        let id = registry
                            .begin_upload(&here, Algorithm::Sha256)
                            .await
                            .unwrap();
                        let finished = registry.finish_upload(&here, id, &digest, content).await;
                        if finished.is_err() {
                            assert_eq!(registry.upload_status(&here, id).await.unwrap(), 0);
                            let staged = world.blobs.read_staged(id, 1).await;
                            assert!(staged.is_err(), "the session is not cut back");
                        }
                        finished
                    }
                };
                match pushed {
                    Ok(()) => Some(digest),
                    Err(RegistryError::QuotaExceeded(_)) => None,
                    Err(error) => panic!("{error}"),
                }
            });
        }
        let let_in: HashSet<Digest> = pushes.join_all().await.into_iter().flatten().collect();
        assert_eq!(let_in.len(), 2);
        assert_eq!(world.files().await, let_in);
    }
}

#[tokio::test]
async fn a_refused_blob_that_others_have_stays() {
    let settings = limited(&["repositories = [\"team/*\"]\nbytes = 12"]);
    for world in worlds(&settings) {
        let (here, there) = (name("team/app"), name("elsewhere"));
        world.push_blob(&there, "some text 00").await.unwrap();
        let all = Arc::new(Barrier::new(2));
        let digest = Digest::sha256(b"some text 00");
        let refused = world
            .registry
            .push_blob(&here, &digest, together("some text 00", &all));
        let filled = async {
            world.push_blob(&here, "a byte").await.unwrap();
            all.wait().await;
        };
        let (refused, ()) = tokio::join!(refused, filled);
        assert_eq!(exceeded(refused).used, 6);
        assert_eq!(world.blobs.staged().await.unwrap(), []);
        assert!(world.has_bytes("some text 00").await);
        assert_eq!(world.files().await.len(), 2);
    }
}
