//! The rules of the registry, each over the in-memory stores and over SQLite and a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use berth_blob::{BlobStore, FilesystemBlobs, MemoryBlobs};
use berth_metadata::{MemoryMetadata, MetadataStore, SqliteMetadata};
use berth_registry::{
    Authority, Condition, Content, ManifestContent, MetadataSessionRecords, Registry,
    RegistryError, Settings,
};
use berth_spec::{Digest, Reference, RepositoryName, SessionId, Tag, media_types};
use berth_upload::contract;
use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;

struct World {
    registry: Registry,
    metadata: Arc<dyn MetadataStore>,
    blobs: Arc<dyn BlobStore>,
    _folder: Option<TempDir>,
}

fn worlds(settings: &Settings) -> [World; 2] {
    let memory: Arc<dyn MetadataStore> = Arc::new(MemoryMetadata::default());
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    let files = FilesystemBlobs::open(folder.path()).unwrap();
    [
        world(memory, Arc::new(MemoryBlobs::default()), settings, None),
        world(Arc::new(sqlite), Arc::new(files), settings, Some(folder)),
    ]
}

fn world(
    metadata: Arc<dyn MetadataStore>,
    blobs: Arc<dyn BlobStore>,
    settings: &Settings,
    folder: Option<TempDir>,
) -> World {
    World {
        registry: Registry::new(Arc::clone(&metadata), Arc::clone(&blobs), settings.clone()),
        metadata,
        blobs,
        _folder: folder,
    }
}

fn pushed(content_type: Option<&str>, content: Bytes) -> ManifestContent<'_> {
    ManifestContent {
        content_type,
        content,
    }
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(content), "size": content.len()})
}

fn image(config: &[u8], layers: &[&[u8]]) -> Value {
    let layer = |content: &&[u8]| descriptor("application/vnd.oci.image.layer.v1.tar", content);
    json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

fn digest_of(value: &Value) -> Digest {
    Digest::sha256(&bytes(value))
}

impl World {
    async fn push_blob(&self, repository: &RepositoryName, content: &'static [u8]) -> Digest {
        let digest = Digest::sha256(content);
        self.registry
            .push_blob(repository, &digest, Content::from_bytes(content))
            .await
            .unwrap();
        digest
    }

    async fn push(
        &self,
        repository: &RepositoryName,
        to: &str,
        manifest: &Value,
    ) -> Result<Digest, RegistryError> {
        let pushed = self
            .registry
            .push_manifest(
                repository,
                &reference(to),
                &[],
                pushed(None, bytes(manifest)),
                &Condition::default(),
                Authority::Ordinary,
            )
            .await?;
        Ok(pushed.digest)
    }

    async fn read_blob(&self, repository: &RepositoryName, digest: &Digest) -> Vec<u8> {
        let reader = self.registry.open_blob(repository, digest).await.unwrap();
        let size = reader.size();
        let pieces: Vec<Bytes> = reader.read(0..size).try_collect().await.unwrap();
        pieces.concat()
    }

    /// Puts other bytes where those of a blob are.
    async fn replace_blob(&self, digest: &Digest, content: &'static [u8]) {
        let session = SessionId::random();
        let mut writer = self.blobs.stage(session, 0).await.unwrap();
        let bytes = vec![Bytes::from_static(content)];
        writer.write(bytes).await.unwrap();
        let length = content.len() as u64;
        self.blobs.publish(session, length, digest).await.unwrap();
        self.blobs.discard(session).await.unwrap();
    }

    async fn expect_unknown(&self, repository: &RepositoryName, digest: &Digest) {
        let unknown = self.registry.blob(repository, digest).await;
        assert!(matches!(unknown, Err(RegistryError::BlobUnknown { .. })));
    }

    async fn tags(&self, repository: &RepositoryName) -> Vec<String> {
        let page = self.registry.tags(repository, None, None).await.unwrap();
        page.tags.into_iter().map(String::from).collect()
    }
}

#[tokio::test]
async fn session_records_keep_their_contract() {
    for world in worlds(&Settings::default()) {
        contract::session_records(&MetadataSessionRecords::new(world.metadata)).await;
    }
}

#[tokio::test]
async fn an_image_needs_its_blobs_in_the_same_repository() {
    for world in worlds(&Settings::default()) {
        let (here, there) = (name("here"), name("there"));
        let manifest = image(b"config", &[b"one", b"two", b"two"]);
        let config = world.push_blob(&there, b"config").await;
        world.push_blob(&here, b"one").await;
        let error = world.push(&here, "latest", &manifest).await.unwrap_err();
        let RegistryError::ReferencesUnknown { missing, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(missing, [config.clone(), Digest::sha256(b"two")]);
        let unknown = world
            .registry
            .manifest(&here, &reference("latest"))
            .await
            .unwrap_err();
        assert!(matches!(unknown, RegistryError::ManifestUnknown { .. }));
        assert_eq!(world.tags(&here).await, [""; 0]);

        world.push_blob(&here, b"two").await;
        world
            .registry
            .mount_blob(&here, Some(&there), &config)
            .await
            .unwrap()
            .unwrap();
        let digest = world.push(&here, "latest", &manifest).await.unwrap();
        let stored = world
            .registry
            .manifest(&here, &reference("latest"))
            .await
            .unwrap();
        assert_eq!((stored.digest, stored.content), (digest, bytes(&manifest)));
    }
}

#[tokio::test]
async fn a_refused_manifest_makes_no_repository() {
    for world in worlds(&Settings::default()) {
        let error = world
            .push(&name("new"), "latest", &image(b"config", &[]))
            .await;
        assert!(matches!(
            error,
            Err(RegistryError::ReferencesUnknown { .. })
        ));
        let tags = world.registry.tags(&name("new"), None, None).await;
        assert!(matches!(tags, Err(RegistryError::RepositoryUnknown(_))));
    }
}

#[tokio::test]
async fn an_index_needs_its_manifests_and_may_list_blobs() {
    for world in worlds(&Settings::default()) {
        let here = name("here");
        let child = image(b"config", &[]);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_INDEX,
            "manifests": [
                descriptor(media_types::OCI_IMAGE_MANIFEST, &bytes(&child)),
                descriptor("application/vnd.oci.image.layer.v1.tar", b"cached"),
            ],
        });
        world.push_blob(&here, b"config").await;
        let error = world.push(&here, "latest", &index).await.unwrap_err();
        let RegistryError::ReferencesUnknown { missing, .. } = error else {
            panic!("{error}");
        };
        let missing: BTreeSet<_> = missing.into_iter().collect();
        assert_eq!(
            missing,
            BTreeSet::from([digest_of(&child), Digest::sha256(b"cached")])
        );
        world.push_blob(&here, b"cached").await;
        world
            .push(&here, digest_of(&child).as_str(), &child)
            .await
            .unwrap();
        world.push(&here, "latest", &index).await.unwrap();
    }
}

#[tokio::test]
async fn subjects_and_non_distributable_layers_may_be_missing() {
    for world in worlds(&Settings::default()) {
        let here = name("here");
        world.push_blob(&here, b"config").await;
        let mut manifest = image(b"config", &[]);
        manifest["subject"] = descriptor(media_types::OCI_IMAGE_MANIFEST, b"not here");
        manifest["layers"] = json!([
            descriptor(
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                b"elsewhere"
            ),
            descriptor(
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                b"elsewhere too"
            ),
        ]);
        world.push(&here, "latest", &manifest).await.unwrap();
    }
}

#[tokio::test]
async fn size_digest_and_media_type_are_checked() {
    let settings = Settings {
        manifest_size_limit: 1000,
        ..Settings::default()
    };
    for world in worlds(&settings) {
        let here = name("here");
        let manifest = image(b"config", &[]);
        world.push_blob(&here, b"config").await;
        let push = async |to: &str, content_type: Option<&str>, content: Bytes| {
            world
                .registry
                .push_manifest(
                    &here,
                    &reference(to),
                    &[],
                    pushed(content_type, content),
                    &Condition::default(),
                    Authority::Ordinary,
                )
                .await
        };
        let other = Digest::sha256(b"other").to_string();
        let wrong = push(&other, None, bytes(&manifest)).await;
        assert!(matches!(
            wrong,
            Err(RegistryError::ManifestDigestMismatch { .. })
        ));
        let wrong = push("latest", Some("nonsense"), bytes(&manifest)).await;
        assert!(matches!(wrong, Err(RegistryError::ContentType(_))));
        let wrong = push(
            "latest",
            Some(media_types::OCI_IMAGE_INDEX),
            bytes(&manifest),
        )
        .await;
        assert!(matches!(wrong, Err(RegistryError::Manifest(_))));
        let padded = |length: usize| {
            let text = manifest.to_string();
            Bytes::from(format!("{text}{}", " ".repeat(length - text.len())))
        };
        let large = push("latest", None, padded(1001)).await;
        assert!(matches!(
            large,
            Err(RegistryError::ManifestTooLarge { limit: 1000 })
        ));
        assert_eq!(world.tags(&here).await, [""; 0]);
        push(
            "latest",
            Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
            padded(1000),
        )
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_push_by_digest_sets_tags_and_any_algorithm_will_do() {
    for world in worlds(&Settings::default()) {
        let here = name("here");
        world.push_blob(&here, b"config").await;
        let content = bytes(&image(b"config", &[]));
        let digest = Digest::of(berth_spec::Algorithm::Sha512, &content);
        let tags: Vec<Tag> = ["b", "a"].map(|tag| tag.parse().unwrap()).into();
        let to = Reference::Digest(digest.clone());
        world
            .registry
            .push_manifest(
                &here,
                &to,
                &tags,
                pushed(None, content),
                &Condition::default(),
                Authority::Ordinary,
            )
            .await
            .unwrap();
        assert_eq!(world.tags(&here).await, ["a", "b"]);
        let stored = world
            .registry
            .manifest(&here, &reference("b"))
            .await
            .unwrap();
        assert_eq!(stored.digest, digest);
    }
}

#[tokio::test]
async fn tags_can_be_deleted_only_if_the_settings_say_so() {
    for tag_deletion in [false, true] {
        let settings = Settings {
            tag_deletion,
            ..Settings::default()
        };
        for world in worlds(&settings) {
            let here = name("here");
            world.push_blob(&here, b"config").await;
            let manifest = image(b"config", &[]);
            let digest = world.push(&here, "latest", &manifest).await.unwrap();
            let deleted = world
                .registry
                .delete_manifest(
                    &here,
                    &reference("latest"),
                    &Condition::default(),
                    Authority::Ordinary,
                )
                .await;
            if tag_deletion {
                deleted.unwrap();
                let again = world
                    .registry
                    .delete_manifest(
                        &here,
                        &reference("latest"),
                        &Condition::default(),
                        Authority::Ordinary,
                    )
                    .await;
                assert!(matches!(again, Err(RegistryError::ManifestUnknown { .. })));
            } else {
                assert!(matches!(deleted, Err(RegistryError::TagDeletionOff)));
                assert_eq!(world.tags(&here).await, ["latest"]);
            }
            world
                .registry
                .manifest(&here, &digest.into())
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn deleting_a_manifest_takes_its_tags_along() {
    for world in worlds(&Settings::default()) {
        let here = name("here");
        world.push_blob(&here, b"config").await;
        let manifest = image(b"config", &[]);
        let digest = world.push(&here, "one", &manifest).await.unwrap();
        world.push(&here, "two", &manifest).await.unwrap();
        world
            .registry
            .delete_manifest(
                &here,
                &digest.clone().into(),
                &Condition::default(),
                Authority::Ordinary,
            )
            .await
            .unwrap();
        assert_eq!(world.tags(&here).await, [""; 0]);
        let again = world
            .registry
            .delete_manifest(
                &here,
                &digest.clone().into(),
                &Condition::default(),
                Authority::Ordinary,
            )
            .await;
        assert!(matches!(again, Err(RegistryError::ManifestUnknown { .. })));
        let elsewhere = world
            .registry
            .delete_manifest(
                &name("elsewhere"),
                &digest.into(),
                &Condition::default(),
                Authority::Ordinary,
            )
            .await;
        assert!(matches!(
            elsewhere,
            Err(RegistryError::RepositoryUnknown(_))
        ));
    }
}

#[tokio::test]
async fn a_blob_is_read_only_through_repositories_that_have_it() {
    for world in worlds(&Settings::default()) {
        let (here, there, nowhere) = (name("here"), name("there"), name("nowhere"));
        let digest = world.push_blob(&here, b"layer").await;
        world.push_blob(&there, b"other").await;
        let unknown = world.registry.blob(&there, &digest).await;
        assert!(matches!(unknown, Err(RegistryError::BlobUnknown { .. })));
        let unknown = world
            .registry
            .open_blob(&nowhere, &digest)
            .await
            .err()
            .unwrap();
        assert!(matches!(unknown, RegistryError::RepositoryUnknown(_)));
        assert_eq!(
            world
                .registry
                .mount_blob(&there, Some(&nowhere), &digest)
                .await
                .unwrap(),
            None
        );

        world
            .registry
            .mount_blob(&there, None, &digest)
            .await
            .unwrap()
            .unwrap();
        let delete = async || {
            let always = Condition::default();
            world.registry.delete_blob(&here, &digest, &always).await
        };
        delete().await.unwrap();
        let again = delete().await;
        assert!(matches!(again, Err(RegistryError::BlobUnknown { .. })));
        assert_eq!(world.read_blob(&there, &digest).await, b"layer");
        world.push_blob(&here, b"layer").await;
        assert_eq!(world.read_blob(&here, &digest).await, b"layer");
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    for world in worlds(&Settings::default()) {
        let here = name("here");
        world.push_blob(&here, b"config").await;
        world.push_blob(&name("there"), b"config").await;
        for tag in ["a", "B", "c"] {
            world
                .push(&here, tag, &image(b"config", &[]))
                .await
                .unwrap();
        }
        let page = |last, limit| world.registry.tags(&here, last, limit);
        let first = page(None, Some(2)).await.unwrap();
        assert_eq!((first.tags.len(), first.more), (2, true));
        assert_eq!(first.tags[0].as_str(), "B");
        let second = page(Some("a"), Some(2)).await.unwrap();
        assert_eq!((second.tags[0].as_str(), second.more), ("c", false));
        let none = page(None, Some(0)).await.unwrap();
        assert_eq!((none.tags.len(), none.more), (0, false));
        assert_eq!(page(Some("b"), Some(u32::MAX)).await.unwrap().tags.len(), 1);
        let repositories = world.registry.repositories(None, Some(1)).await.unwrap();
        assert_eq!(
            (repositories.repositories, repositories.more),
            (vec![here.clone()], true)
        );
    }
}

#[tokio::test]
async fn referrers_come_in_pages_of_less_than_four_mebibytes() {
    for world in worlds(&Settings::default()) {
        let here = name("here");
        world.push_blob(&here, b"config").await;
        let subject = Digest::sha256(b"subject");
        let long = "x".repeat(700_000);
        let mut pushed = BTreeSet::new();
        for number in 0..9 {
            let mut manifest = image(b"config", &[]);
            manifest["subject"] = descriptor(media_types::OCI_IMAGE_MANIFEST, b"subject");
            manifest["annotations"] = json!({"number": number.to_string(), "long": long});
            manifest["artifactType"] = if number == 0 { "a/b" } else { "c/d" }.into();
            let digest = digest_of(&manifest);
            world.push(&here, digest.as_str(), &manifest).await.unwrap();
            pushed.insert(digest);
        }
        let mut found = BTreeSet::new();
        let mut last = None;
        loop {
            let page = world
                .registry
                .referrers(&here, &subject, None, last.as_ref())
                .await
                .unwrap();
            assert!(page.descriptors.len() <= 5);
            assert!(
                page.descriptors[0]
                    .annotations
                    .as_ref()
                    .unwrap()
                    .contains_key("number")
            );
            last = page
                .descriptors
                .last()
                .map(|descriptor| descriptor.digest.clone());
            found.extend(
                page.descriptors
                    .into_iter()
                    .map(|descriptor| descriptor.digest),
            );
            if !page.more {
                break;
            }
        }
        assert_eq!(found, pushed);
        let typed = world
            .registry
            .referrers(&here, &subject, Some("a/b"), None)
            .await
            .unwrap();
        assert_eq!((typed.descriptors.len(), typed.more), (1, false));
        let none = world
            .registry
            .referrers(&name("nowhere"), &subject, None, None)
            .await
            .unwrap();
        assert_eq!(none.descriptors, []);
    }
}

#[tokio::test]
async fn a_blob_pushed_by_a_client_that_went_away_is_known_all_the_same() {
    for world in worlds(&Settings::default()) {
        let here = name("went/away");
        let digest = Digest::sha256(b"pushed in vain?");
        let content = Content::from_bytes("pushed in vain?");
        let mut push = Box::pin(world.registry.push_blob(&here, &digest, content));
        assert!((&mut push).now_or_never().is_none(), "it was too quick");
        drop(push);
        while world.registry.blob(&here, &digest).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.read_blob(&here, &digest).await, b"pushed in vain?");
    }
}

#[tokio::test]
async fn a_blob_whose_bytes_are_lost_is_unknown_until_it_is_pushed_again() {
    for world in worlds(&Settings::default()) {
        let (here, there) = (name("lost/here"), name("lost/there"));
        let digest = world.push_blob(&here, b"lost").await;
        // Cut short first, and then gone.
        world.replace_blob(&digest, b"lo").await;
        world.expect_unknown(&here, &digest).await;
        let mounted = world
            .registry
            .mount_blob(&there, Some(&here), &digest)
            .await;
        assert_eq!(mounted.unwrap(), None);
        assert!(!world.metadata.has_repository(&there).await.unwrap());
        assert_eq!(
            world.blobs.delete(&[digest.clone().into()]).await.unwrap(),
            1
        );
        world.expect_unknown(&here, &digest).await;
        let mounted = world
            .registry
            .mount_blob(&there, Some(&here), &digest)
            .await;
        assert_eq!(mounted.unwrap(), None);
        world.push_blob(&here, b"lost").await;
        assert_eq!(world.read_blob(&here, &digest).await, b"lost");
    }
}

#[tokio::test]
async fn content_that_is_named_many_times_is_needed_once() {
    for world in worlds(&Settings::default()) {
        let here = name("many/times");
        world.push_blob(&here, b"{}").await;
        let layers: Vec<&[u8]> = vec![b"missing"; 1000];
        let pushed = world.push(&here, "v1", &image(b"{}", &layers)).await;
        let Err(RegistryError::ReferencesUnknown { missing, .. }) = pushed else {
            panic!("{pushed:?}");
        };
        assert_eq!(missing, [Digest::sha256(b"missing")]);
        world.push_blob(&here, b"missing").await;
        world
            .push(&here, "v1", &image(b"{}", &layers))
            .await
            .unwrap();
    }
}
