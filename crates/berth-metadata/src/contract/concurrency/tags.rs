use std::sync::Arc;

use berth_spec::{Digest, RepositoryName};
use tokio::task::{JoinSet, yield_now};

use super::of;
use crate::contract::{by_tag, manifest, repository, tag};
use crate::{Condition, DeleteTag, Expected, MetadataStore, NewManifest, PutManifest};

/// How many count together.
const WRITERS: usize = 12;

/// How far each of them counts.
const STEPS: u32 = 4;

/// Many count up what a tag leads to, each time on the condition that nobody else has meanwhile; and some delete it, on the same
/// condition, and put it back.
///
/// # Panics
/// When a step of somebody is lost.
pub async fn no_change_of_a_tag_is_lost(openings: &[Arc<dyn MetadataStore>]) {
    let mut counting = JoinSet::new();
    for number in 0..WRITERS {
        let store = of(openings, number);
        counting.spawn(async move {
            for step in 0..STEPS {
                let deletes_first = number.is_multiple_of(3) && step == 1;
                while !count_up(&*store, deletes_first).await {
                    yield_now().await;
                }
            }
        });
    }
    counting.join_all().await;
    for store in openings {
        assert_eq!(current(&**store).await.0, STEPS * WRITERS as u32);
    }
}

fn here() -> RepositoryName {
    repository("counted")
}

/// What the tag leads to: the number, the digest.
async fn current(store: &dyn MetadataStore) -> (u32, Option<Digest>) {
    match store.manifest(&here(), &by_tag("count")).await.unwrap() {
        Some(found) => {
            let number = std::str::from_utf8(&found.content).unwrap();
            (number.parse().unwrap(), Some(found.digest))
        }
        None => (0, None),
    }
}

/// Whether nobody came between.
async fn count_up(store: &dyn MetadataStore, deletes_first: bool) -> bool {
    let (number, digest) = current(store).await;
    let as_seen = |digest: Option<Digest>| match digest {
        Some(digest) => Condition {
            only_if: Some(Expected::OneOf(vec![digest])),
            unless: None,
        },
        None => Condition {
            only_if: None,
            unless: Some(Expected::Any),
        },
    };
    if deletes_first && digest.is_some() {
        return replace(store, number, &as_seen(digest)).await;
    }
    let next = numbered(number + 1, as_seen(digest));
    match store.put_manifest(&here(), &next).await.unwrap() {
        PutManifest::Stored => true,
        PutManifest::Refused => false,
        other @ PutManifest::Missing(_) => panic!("{other:?}"),
    }
}

/// Deletes the tag and makes it again: only who has deleted it may, since the others begin at nothing then. So what they count
/// up to meanwhile is added.
async fn replace(store: &dyn MetadataStore, number: u32, as_seen: &Condition) -> bool {
    let deleted = store.delete_tag(&here(), &tag("count"), as_seen).await;
    match deleted.unwrap() {
        DeleteTag::Deleted => {}
        DeleteTag::Refused | DeleteTag::Unknown => return false,
    }
    loop {
        let (others, digest) = current(store).await;
        let condition = Condition {
            only_if: digest
                .as_ref()
                .map(|digest| Expected::OneOf(vec![digest.clone()])),
            unless: digest.is_none().then_some(Expected::Any),
        };
        let sum = numbered(number + others + 1, condition);
        if store.put_manifest(&here(), &sum).await.unwrap() == PutManifest::Stored {
            return true;
        }
    }
}

fn numbered(number: u32, condition: Condition) -> NewManifest {
    NewManifest {
        tags: vec![tag("count")],
        condition: Some((by_tag("count"), condition)),
        ..manifest(&number.to_string())
    }
}
