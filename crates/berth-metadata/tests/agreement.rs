//! Whatever is done to both, SQLite and the store in memory answer the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use berth_metadata::contract::Collected as Store;
use berth_metadata::{
    Blob, Bounds, Condition, MemoryMetadata, NewManifest, Quota, ReferrerLimits, Scope,
    SqliteMetadata,
};
use berth_spec::{Digest, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Change {
    LinkBlob {
        repository: u8,
        blob: u8,
        limits: Limits,
    },
    MountBlob {
        repository: u8,
        from: Option<u8>,
        blob: u8,
        limits: Limits,
    },
    UnlinkBlob {
        repository: u8,
        blob: u8,
    },
    PutManifest {
        repository: u8,
        manifest: Box<NewManifest>,
        limits: Limits,
    },
    DeleteManifest {
        repository: u8,
        manifest: u8,
        limits: Limits,
    },
    DeleteTag {
        repository: u8,
        tag: u8,
        limits: Limits,
    },
    /// Times are those of the store, so every link is old, or none is.
    PromiseBlob {
        repository: u8,
        blob: u8,
    },
    CondemnBlobs {
        blobs: Vec<Digest>,
        all_are_old: bool,
    },
    ForgetBlobs {
        blobs: Vec<Digest>,
        all_are_old: bool,
    },
    DeleteUnusedManifest {
        repository: u8,
        manifest: u8,
    },
    DeleteTagAsSeen {
        repository: u8,
        tag: u8,
    },
}

/// What a change is bound by: there may be none.
#[derive(Clone, Debug)]
struct Limits {
    immutable: Vec<Tag>,
    /// Of the repository, and of the namespace `a`: bytes and tags.
    repository: Option<(u64, u64)>,
    namespace: Option<(u64, u64)>,
}

impl Limits {
    fn bounds(&self, repository: &RepositoryName) -> Bounds {
        let namespace = Scope::Namespace("a".parse().unwrap());
        let in_namespace = self.namespace.filter(|_| namespace.contains(repository));
        let scopes = [
            (Scope::Repository(repository.clone()), self.repository),
            (namespace, in_namespace),
        ];
        let quota = |(scope, limits): (Scope, Option<(u64, u64)>)| {
            let (bytes, tags) = limits?;
            Some(Quota {
                scope,
                bytes: Some(bytes),
                tags: Some(tags),
            })
        };
        let immutable = self.immutable.clone();
        Bounds::new(
            move |tag| immutable.contains(tag),
            scopes.into_iter().filter_map(quota).collect(),
        )
    }
}

fn all_limits() -> impl Strategy<Value = Limits> {
    let quota = |bytes: u64, tags: u64| prop::option::weighted(0.3, (0..bytes, 0..tags));
    (some(TAGS, tag), quota(14, 4), quota(28, 8)).prop_map(|(immutable, repository, namespace)| {
        Limits {
            immutable,
            repository,
            namespace,
        }
    })
}

// Few of each, so that changes meet.
const REPOSITORIES: u8 = 3;
const BLOBS: u8 = 4;
const MANIFESTS: u8 = 5;
const TAGS: u8 = 4;

fn repository(number: u8) -> RepositoryName {
    ["a", "a/b", "a-b"][usize::from(number)].parse().unwrap()
}

fn tag(number: u8) -> Tag {
    ["v1", "V1", "v1.0", "_"][usize::from(number)]
        .parse()
        .unwrap()
}

fn blob(number: u8) -> Digest {
    Digest::sha256(&[b'b', number])
}

fn manifest(number: u8) -> Digest {
    Digest::sha256(&[b'm', number])
}

fn some<T: std::fmt::Debug>(numbers: u8, of: impl Fn(u8) -> T) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec((0..numbers).prop_map(of), 0..3)
}

fn manifests() -> impl Strategy<Value = Box<NewManifest>> {
    let references = (
        some(BLOBS, blob),
        some(BLOBS, blob),
        some(MANIFESTS, manifest),
    );
    let about = (
        prop::option::of((0..MANIFESTS).prop_map(manifest)),
        prop::option::of(prop::sample::select(vec![
            "a/b".to_owned(),
            "a/c".to_owned(),
        ])),
    );
    (0..MANIFESTS, references, about, some(TAGS, tag)).prop_map(
        |(
            number,
            (required_blobs, optional_blobs, required_manifests),
            (subject, artifact_type),
            tags,
        )| {
            Box::new(NewManifest {
                digest: manifest(number),
                media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
                artifact_type,
                subject,
                annotations: BTreeMap::from([("number".to_owned(), number.to_string())]),
                content: Bytes::from(vec![b'm', number]),
                required_blobs,
                optional_blobs,
                required_manifests,
                tags,
                condition: None,
            })
        },
    )
}

fn changes() -> impl Strategy<Value = Change> {
    let repositories = 0..REPOSITORIES;
    let some_repository = prop::option::of(0..REPOSITORIES);
    prop_oneof![
        3 => (repositories.clone(), 0..BLOBS, all_limits())
            .prop_map(|(repository, blob, limits)| Change::LinkBlob { repository, blob, limits }),
        2 => (repositories.clone(), some_repository, 0..BLOBS, all_limits()).prop_map(
            |(repository, from, blob, limits)| Change::MountBlob { repository, from, blob, limits }
        ),
        1 => (repositories.clone(), 0..BLOBS)
            .prop_map(|(repository, blob)| Change::UnlinkBlob { repository, blob }),
        5 => (repositories.clone(), manifests(), all_limits()).prop_map(
            |(repository, manifest, limits)| Change::PutManifest { repository, manifest, limits }
        ),
        1 => (repositories.clone(), 0..MANIFESTS, all_limits()).prop_map(
            |(repository, manifest, limits)| Change::DeleteManifest { repository, manifest, limits }
        ),
        1 => (repositories.clone(), 0..TAGS, all_limits())
            .prop_map(|(repository, tag, limits)| Change::DeleteTag { repository, tag, limits }),
        1 => (repositories.clone(), 0..BLOBS)
            .prop_map(|(repository, blob)| Change::PromiseBlob { repository, blob }),
        2 => (some(BLOBS, blob), any::<bool>())
            .prop_map(|(blobs, all_are_old)| Change::CondemnBlobs { blobs, all_are_old }),
        2 => (some(BLOBS, blob), any::<bool>())
            .prop_map(|(blobs, all_are_old)| Change::ForgetBlobs { blobs, all_are_old }),
        1 => (repositories.clone(), 0..MANIFESTS).prop_map(|(repository, manifest)| {
            Change::DeleteUnusedManifest { repository, manifest }
        }),
        1 => (repositories, 0..TAGS)
            .prop_map(|(repository, tag)| Change::DeleteTagAsSeen { repository, tag }),
    ]
}

/// After everything that happens here, or before.
fn cutoff(all_are_old: bool) -> SystemTime {
    match all_are_old {
        true => SystemTime::now() + Duration::from_secs(3600),
        false => SystemTime::UNIX_EPOCH,
    }
}

/// Makes a change of collection or retention, and tells the answer.
async fn collect(store: &dyn Store, change: &Change) -> String {
    match change {
        Change::PromiseBlob {
            repository: here,
            blob: number,
        } => {
            let (here, digest) = (repository(*here), blob(*number));
            let promise = store.promise_blob(&here, &digest, cutoff(true));
            format!("{:?}", promise.await)
        }
        Change::CondemnBlobs { blobs, all_are_old } => {
            let condemned = store.condemn_blobs(blobs, cutoff(*all_are_old)).await;
            format!("{condemned:?}")
        }
        Change::ForgetBlobs { blobs, all_are_old } => {
            let unused_since = cutoff(*all_are_old);
            let forgotten = store.forget_blobs(blobs, cutoff(true), unused_since).await;
            format!("{forgotten:?}")
        }
        Change::DeleteUnusedManifest {
            repository: here,
            manifest: number,
        } => {
            let (here, digest) = (repository(*here), manifest(*number));
            let contents = store.repository_contents(&here).await.unwrap();
            let manifests = contents.unwrap_or_default().manifests;
            match manifests.iter().find(|entry| entry.digest == digest) {
                Some(entry) => {
                    let used_at = entry.used_at;
                    let deleted = store.delete_manifest_if_unused(&here, &digest, used_at);
                    format!("{:?}", deleted.await)
                }
                None => String::new(),
            }
        }
        Change::DeleteTagAsSeen {
            repository: here,
            tag: number,
        } => {
            let (here, tag) = (repository(*here), tag(*number));
            let contents = store.repository_contents(&here).await.unwrap();
            let tags = contents.unwrap_or_default().tags;
            match tags.iter().find(|entry| entry.tag == tag) {
                Some(entry) => format!("{:?}", store.delete_tag_as_seen(&here, entry).await),
                None => String::new(),
            }
        }
        other => panic!("{other:?} is neither"),
    }
}

/// Makes a change, and tells the answer.
async fn apply(store: &dyn Store, change: &Change) -> String {
    match change {
        Change::LinkBlob {
            repository: here,
            blob: number,
            limits,
        } => {
            let blob = Blob {
                digest: blob(*number),
                size: u64::from(*number),
            };
            let here = repository(*here);
            let bounds = limits.bounds(&here);
            let linked = store.link_blob_within(&here, &blob, None, &bounds);
            format!("{:?}", linked.await)
        }
        Change::MountBlob {
            repository: here,
            from,
            blob: number,
            limits,
        } => {
            let (here, from, digest) = (repository(*here), from.map(repository), blob(*number));
            let bounds = limits.bounds(&here);
            let mounted = store.mount_blob_within(&here, from.as_ref(), &digest, &bounds);
            format!("{:?}", mounted.await)
        }
        Change::UnlinkBlob {
            repository: here,
            blob: number,
        } => {
            format!(
                "{:?}",
                store.unlink_blob(&repository(*here), &blob(*number)).await
            )
        }
        Change::PutManifest {
            repository: here,
            manifest,
            limits,
        } => {
            let here = repository(*here);
            let bounds = limits.bounds(&here);
            let put = store.put_manifest_within(&here, manifest, &bounds);
            format!("{:?}", put.await)
        }
        Change::DeleteManifest {
            repository: here,
            manifest: number,
            limits,
        } => {
            let (here, digest) = (repository(*here), manifest(*number));
            let bounds = limits.bounds(&here);
            let deleted = store.delete_manifest_within(&here, &digest, &bounds);
            format!("{:?}", deleted.await)
        }
        Change::DeleteTag {
            repository: here,
            tag: number,
            limits,
        } => {
            let (here, tag, always) = (repository(*here), tag(*number), Condition::default());
            let bounds = limits.bounds(&here);
            let deleted = store.delete_tag_within(&here, &tag, &always, &bounds);
            format!("{:?}", deleted.await)
        }
        change => collect(store, change).await,
    }
}

/// How much there is: kept by one store, and counted anew by the other.
async fn all_usage(store: &dyn Store) -> Vec<String> {
    let mut all = Vec::new();
    for here in (0..REPOSITORIES).map(repository) {
        for scope in [Scope::Repository(here.clone()), Scope::Namespace(here)] {
            all.push(format!("{scope}: {:?}", store.usage(&scope).await));
        }
    }
    all
}

/// All that can be read.
async fn everything(store: &dyn Store) -> Vec<String> {
    let mut all = vec![format!("{:?}", store.repositories(None, 10).await)];
    for all_are_old in [true, false] {
        let unused = store.unused_blobs(None, cutoff(all_are_old), 10).await;
        all.push(format!("{unused:?}"));
        let condemned = store.condemned_blobs(None, cutoff(all_are_old), 10).await;
        all.push(format!("{condemned:?}"));
    }
    for number in 0..BLOBS {
        all.push(format!("{:?}", store.blob_references(&blob(number)).await));
    }
    for here in (0..REPOSITORIES).map(repository) {
        all.push(format!("{:?}", store.tags(&here, None, 10).await));
        all.push(format!("{:?}", store.tags(&here, Some("a"), 1).await));
        for number in 0..BLOBS {
            all.push(format!("{:?}", store.blob(&here, &blob(number)).await));
        }
        all.push(contents(store, &here).await);
        for number in 0..MANIFESTS {
            let digest = manifest(number);
            let linked = store.manifest_blobs(&here, &digest).await.unwrap();
            let linked = linked.into_iter().map(|blob| (blob.digest, blob.size));
            all.push(format!("{:?}", linked.collect::<BTreeMap<_, _>>()));
            all.push(format!(
                "{:?}",
                store
                    .referrers(&here, &digest, None, None, limits(10))
                    .await
            ));
            let filtered = store
                .referrers(&here, &digest, Some("a/b"), None, limits(1))
                .await;
            all.push(format!("{filtered:?}"));
            all.push(format!(
                "{:?}",
                store.manifest(&here, &Reference::Digest(digest)).await
            ));
        }
        for number in 0..TAGS {
            all.push(format!(
                "{:?}",
                store.manifest(&here, &Reference::Tag(tag(number))).await
            ));
        }
    }
    all
}

/// What a repository has, without the times.
async fn contents(store: &dyn Store, here: &RepositoryName) -> String {
    let contents = store.repository_contents(here).await.unwrap();
    let without_times = contents.map(|mut contents| {
        for tag in &mut contents.tags {
            tag.updated_at = SystemTime::UNIX_EPOCH;
        }
        for manifest in &mut contents.manifests {
            manifest.used_at = SystemTime::UNIX_EPOCH;
        }
        contents
    });
    format!("{without_times:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_and_memory_agree(changes in prop::collection::vec(changes(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
        let memory = MemoryMetadata::default();
        runtime.block_on(async {
            for (change_number, change) in changes.iter().enumerate() {
                let answers = (apply(&sqlite, change).await, apply(&memory, change).await);
                prop_assert_eq!(answers.0, answers.1, "{:?}", change);
                if change_number % 4 == 0 {
                    prop_assert_eq!(all_usage(&sqlite).await, all_usage(&memory).await, "{:?}", change);
                }
            }
            prop_assert_eq!(all_usage(&sqlite).await, all_usage(&memory).await);
            prop_assert_eq!(everything(&sqlite).await, everything(&memory).await);
            Ok(())
        })?;
    }
}

fn limits(count: u32) -> ReferrerLimits {
    ReferrerLimits {
        count,
        bytes: usize::MAX,
    }
}
