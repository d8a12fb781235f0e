//! Whatever is done to both, a store and the one in memory answer the same.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use berth_spec::{BlobName, Digest, Generation, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::Collected as Store;
use crate::{Blob, Bounds, Condition, MemoryMetadata, NewManifest, Quota, ReferrerLimits, Scope};

/// Something that is done to a store.
#[derive(Clone, Debug)]
pub struct Change(Kind);

#[derive(Clone, Debug)]
enum Kind {
    LinkBlob {
        repository: u8,
        blob: u8,
        generation: Option<u8>,
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
    Forsake {
        names: Vec<BlobName>,
        all_are_old: bool,
    },
    AdoptBlob {
        blob: u8,
        lost: Option<u8>,
        found: Option<u8>,
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
const GENERATIONS: u8 = 3;

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

/// A generation is of one blob.
fn name(blob: u8, generation_number: Option<u8>) -> BlobName {
    let generation =
        |number| -> Generation { format!("{blob:016x}{number:016x}").parse().unwrap() };
    BlobName {
        digest: self::blob(blob),
        generation: generation_number.map(generation),
    }
}

fn generations() -> impl Strategy<Value = Option<u8>> {
    prop::option::of(0..GENERATIONS)
}

fn names() -> impl Strategy<Value = Vec<BlobName>> {
    let name = (0..BLOBS, generations()).prop_map(|(blob, generation)| name(blob, generation));
    prop::collection::vec(name, 0..4)
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

fn any_kind() -> impl Strategy<Value = Kind> {
    let repositories = 0..REPOSITORIES;
    let some_repository = prop::option::of(0..REPOSITORIES);
    prop_oneof![
        3 => (repositories.clone(), 0..BLOBS, generations(), all_limits()).prop_map(
            |(repository, blob, generation, limits)| Kind::LinkBlob { repository, blob, generation, limits }
        ),
        1 => (names(), any::<bool>())
            .prop_map(|(names, all_are_old)| Kind::Forsake { names, all_are_old }),
        1 => (0..BLOBS, generations(), generations())
            .prop_map(|(blob, lost, found)| Kind::AdoptBlob { blob, lost, found }),
        2 => (repositories.clone(), some_repository, 0..BLOBS, all_limits()).prop_map(
            |(repository, from, blob, limits)| Kind::MountBlob { repository, from, blob, limits }
        ),
        1 => (repositories.clone(), 0..BLOBS)
            .prop_map(|(repository, blob)| Kind::UnlinkBlob { repository, blob }),
        5 => (repositories.clone(), manifests(), all_limits()).prop_map(
            |(repository, manifest, limits)| Kind::PutManifest { repository, manifest, limits }
        ),
        1 => (repositories.clone(), 0..MANIFESTS, all_limits()).prop_map(
            |(repository, manifest, limits)| Kind::DeleteManifest { repository, manifest, limits }
        ),
        1 => (repositories.clone(), 0..TAGS, all_limits())
            .prop_map(|(repository, tag, limits)| Kind::DeleteTag { repository, tag, limits }),
        1 => (repositories.clone(), 0..BLOBS)
            .prop_map(|(repository, blob)| Kind::PromiseBlob { repository, blob }),
        2 => (some(BLOBS, blob), any::<bool>())
            .prop_map(|(blobs, all_are_old)| Kind::CondemnBlobs { blobs, all_are_old }),
        2 => (some(BLOBS, blob), any::<bool>())
            .prop_map(|(blobs, all_are_old)| Kind::ForgetBlobs { blobs, all_are_old }),
        1 => (repositories.clone(), 0..MANIFESTS).prop_map(|(repository, manifest)| {
            Kind::DeleteUnusedManifest { repository, manifest }
        }),
        1 => (repositories, 0..TAGS)
            .prop_map(|(repository, tag)| Kind::DeleteTagAsSeen { repository, tag }),
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
    match &change.0 {
        Kind::PromiseBlob {
            repository: here,
            blob: number,
        } => {
            let (here, digest) = (repository(*here), blob(*number));
            let promise = store.promise_blob(&here, &digest, cutoff(true));
            format!("{:?}", promise.await)
        }
        Kind::CondemnBlobs { blobs, all_are_old } => {
            let condemned = store.condemn_blobs(blobs, cutoff(*all_are_old)).await;
            format!("{condemned:?}")
        }
        Kind::ForgetBlobs { blobs, all_are_old } => {
            let unused_since = cutoff(*all_are_old);
            let forgotten = store.forget_blobs(blobs, cutoff(true), unused_since).await;
            format!("{forgotten:?}")
        }
        Kind::Forsake { names, all_are_old } => {
            let forsaken = store.forsake(names, cutoff(*all_are_old)).await;
            format!("{forsaken:?}")
        }
        Kind::AdoptBlob { blob, lost, found } => {
            let (lost, found) = (name(*blob, *lost), name(*blob, *found));
            format!("{:?}", store.adopt_blob(&lost, &found).await)
        }
        Kind::DeleteUnusedManifest {
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
        Kind::DeleteTagAsSeen {
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
    match &change.0 {
        Kind::LinkBlob {
            repository: here,
            blob: number,
            generation,
            limits,
        } => {
            let BlobName { digest, generation } = name(*number, *generation);
            let blob = Blob {
                digest,
                size: u64::from(*number),
                generation,
            };
            let here = repository(*here);
            let bounds = limits.bounds(&here);
            let linked = store.link_blob_within(&here, &blob, None, &bounds);
            format!("{:?}", linked.await)
        }
        Kind::MountBlob {
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
        Kind::UnlinkBlob {
            repository: here,
            blob: number,
        } => {
            format!(
                "{:?}",
                store.unlink_blob(&repository(*here), &blob(*number)).await
            )
        }
        Kind::PutManifest {
            repository: here,
            manifest,
            limits,
        } => {
            let here = repository(*here);
            let bounds = limits.bounds(&here);
            let put = store.put_manifest_within(&here, manifest, &bounds);
            format!("{:?}", put.await)
        }
        Kind::DeleteManifest {
            repository: here,
            manifest: number,
            limits,
        } => {
            let (here, digest) = (repository(*here), manifest(*number));
            let bounds = limits.bounds(&here);
            let deleted = store.delete_manifest_within(&here, &digest, &bounds);
            format!("{:?}", deleted.await)
        }
        Kind::DeleteTag {
            repository: here,
            tag: number,
            limits,
        } => {
            let (here, tag, always) = (repository(*here), tag(*number), Condition::default());
            let bounds = limits.bounds(&here);
            let deleted = store.delete_tag_within(&here, &tag, &always, &bounds);
            format!("{:?}", deleted.await)
        }
        _ => collect(store, change).await,
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
        let replaced = store.replaced_blobs(None, cutoff(all_are_old), 10).await;
        all.push(format!("{replaced:?}"));
    }
    for number in 0..BLOBS {
        all.push(format!("{:?}", store.blob_references(&blob(number)).await));
        let all_generations = (0..GENERATIONS).map(Some).chain([None]);
        for name in all_generations.map(|generation| name(number, generation)) {
            all.push(format!("{:?}", store.unrecorded(&[name]).await));
        }
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

/// What may be done to a store: a few changes, in any order.
pub fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(any_kind().prop_map(Change), 1..40)
}

/// Makes changes to a store and to the one in memory, and compares all that they answer. The store may have several openings,
/// as replicas have of one database: each change is made through another one. It must be empty.
///
/// # Errors
/// When the answers differ.
pub async fn agrees_with_memory(
    openings: &[&dyn Store],
    changes: &[Change],
) -> Result<(), TestCaseError> {
    let memory = MemoryMetadata::default();
    let numbered = changes.iter().zip(openings.iter().cycle()).enumerate();
    for (number, (change, store)) in numbered {
        let answers = (apply(*store, change).await, apply(&memory, change).await);
        prop_assert_eq!(answers.0, answers.1, "{:?}", change);
        if number % 4 == 0 {
            let usage = (all_usage(*store).await, all_usage(&memory).await);
            prop_assert_eq!(usage.0, usage.1, "{:?}", change);
        }
    }
    for store in openings {
        prop_assert_eq!(all_usage(*store).await, all_usage(&memory).await);
        prop_assert_eq!(everything(*store).await, everything(&memory).await);
    }
    Ok(())
}

fn limits(count: u32) -> ReferrerLimits {
    ReferrerLimits {
        count,
        bytes: usize::MAX,
    }
}
