//! What is not kept in memory yet is read in one go.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;

use berth_metadata::{MetadataStore, NewManifest, PutManifest, SqliteMetadata};
use berth_spec::{Digest, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;

/// How often a future goes on until its end, the beginning included.
async fn turns<T>(future: impl Future<Output = T>) -> (usize, T) {
    let mut future = pin!(future);
    let mut turns = 0;
    let outcome = poll_fn(|context| {
        turns += 1;
        future.as_mut().poll(context)
    });
    let outcome = outcome.await;
    (turns, outcome)
}

#[tokio::test]
async fn a_tag_leads_to_its_manifest_in_one_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    let repository: RepositoryName = "library/alpine".parse().unwrap();
    let content = Bytes::from("content");
    let tags: Vec<Tag> = vec!["first".parse().unwrap(), "second".parse().unwrap()];
    let manifest = NewManifest {
        digest: Digest::sha256(&content),
        media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: content.clone(),
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: tags.clone(),
        condition: None,
    };
    let put = store.put_manifest(&repository, &manifest).await;
    assert_eq!(put.unwrap(), PutManifest::Stored);
    for tag in &tags {
        let reference = Reference::Tag(tag.clone());
        let (turns, found) = turns(store.manifest(&repository, &reference)).await;
        assert_eq!(found.unwrap().unwrap().content, content);
        // It begins, and goes on once, when the one read is done.
        assert!(turns <= 2, "there were {} reads", turns - 1);
    }
    for reference in [
        Reference::Tag(tags[0].clone()),
        Reference::Digest(manifest.digest),
    ] {
        let (turns, found) = turns(store.manifest(&repository, &reference)).await;
        assert_eq!(found.unwrap().unwrap().content, content);
        assert_eq!(turns, 1, "it was read again");
    }
    let unknown = Reference::Tag("third".parse().unwrap());
    assert!(
        store
            .manifest(&repository, &unknown)
            .await
            .unwrap()
            .is_none()
    );
}
