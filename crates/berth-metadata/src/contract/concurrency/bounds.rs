use std::fmt::Debug;
use std::sync::Arc;

use berth_spec::Digest;
use tokio::task::JoinSet;

use super::of;
use crate::contract::{by_tag, manifest, repository, tag};
use crate::{
    Blob, Bounds, MetadataError, MetadataStore, NewManifest, PutManifest, Quota, Scope, Usage,
};

/// Many push different manifests under one immutable tag.
///
/// # Panics
/// When not exactly one of them succeeds.
pub async fn one_push_of_an_immutable_tag_wins(openings: &[Arc<dyn MetadataStore>]) {
    let here = repository("here");
    let bounds = Bounds::new(|_| true, Vec::new());
    let mut pushes = JoinSet::new();
    for number in 0..200 {
        let (store, here, bounds) = (of(openings, number), here.clone(), bounds.clone());
        pushes.spawn(async move {
            // Each also has a tag of its own, which goes with the push.
            let image = NewManifest {
                tags: vec![tag(&format!("own-{number}")), tag("v1")],
                ..manifest(&format!("image {number}"))
            };
            match store.put_manifest_within(&here, &image, &bounds).await {
                Ok(PutManifest::Stored) => Some(image),
                Err(MetadataError::TagImmutable(_)) => None,
                other => panic!("{other:?}"),
            }
        });
    }
    let won: Vec<NewManifest> = pushes.join_all().await.into_iter().flatten().collect();
    let [winner] = &won[..] else {
        panic!("{} have won", won.len());
    };
    for store in openings {
        let found = store.manifest(&here, &by_tag("v1")).await.unwrap();
        assert_eq!(found.unwrap().digest, winner.digest);
        let tags = store.tags(&here, None, 1000).await.unwrap();
        assert_eq!(tags, Some(winner.tags.clone()));
    }
}

/// Many push blobs and tags into two repositories with one quota.
///
/// # Panics
/// When more than fits is let in, or less.
pub async fn no_pushes_exceed_a_quota_together(openings: &[Arc<dyn MetadataStore>]) {
    const LAYER: u64 = 100;
    let scope = Scope::Namespace(repository("team"));
    let quota = Quota {
        scope: scope.clone(),
        bytes: Some(20 * LAYER),
        tags: Some(7),
    };
    let bounds = Bounds::new(|_| false, vec![quota]);
    let mut pushes = JoinSet::new();
    for number in 0..150_usize {
        let (store, bounds) = (of(openings, number / 2), bounds.clone());
        let here = repository(["team", "team/app"][number % 2]);
        pushes.spawn(async move {
            let layer = Blob::new(Digest::sha256(&number.to_le_bytes()), LAYER);
            let linked = store.link_blob_within(&here, &layer, None, &bounds).await;
            // It takes no bytes.
            let tagged = NewManifest {
                tags: vec![tag(&format!("t{number}"))],
                ..manifest("")
            };
            let put = store.put_manifest_within(&here, &tagged, &bounds).await;
            (is_let_in(linked), is_let_in(put))
        });
    }
    let answers = pushes.join_all().await;
    let linked = answers.iter().filter(|(linked, _)| *linked).count();
    let tagged = answers.iter().filter(|(_, tagged)| *tagged).count();
    assert_eq!((linked, tagged), (20, 7));
    let full = Usage {
        bytes: 20 * LAYER,
        tags: 7,
    };
    for store in openings {
        assert_eq!(store.usage(&scope).await.unwrap(), full);
    }
}

fn is_let_in<T: Debug>(answer: Result<T, MetadataError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(MetadataError::QuotaExceeded(_)) => false,
        other => panic!("{other:?}"),
    }
}
