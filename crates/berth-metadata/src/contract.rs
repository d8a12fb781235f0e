//! The contracts of [`MetadataStore`] and [`InspectionStore`](crate::InspectionStore), as tests that
//! every implementation runs.
#![allow(clippy::unwrap_used)]

mod blobs;
mod inspection;
mod lists;
mod manifests;
mod uploads;

use std::collections::BTreeMap;

use berth_spec::{Digest, MediaType, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;

use crate::{Blob, MetadataStore, NewManifest, PutManifest};
pub use inspection::{Inspected, inspection_store};

/// Runs the whole suite. The store must be empty.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn metadata_store(store: &dyn MetadataStore) {
    // First: it lists all repositories.
    lists::repositories_come_in_pages_in_byte_order(store).await;
    blobs::a_blob_is_seen_only_through_its_repositories(store).await;
    blobs::linking_again_is_no_error_but_another_size_is(store).await;
    blobs::linking_ends_the_upload(store).await;
    blobs::a_mount_needs_a_repository_that_has_it(store).await;
    blobs::unlinking_takes_one_repository_only(store).await;
    manifests::what_is_put_can_be_read_by_digest_and_tag(store).await;
    manifests::putting_again_sets_media_type_and_tags(store).await;
    manifests::what_is_missing_is_named_and_nothing_is_stored(store).await;
    manifests::optional_blobs_and_subjects_may_be_missing(store).await;
    manifests::deleting_takes_the_tags_along(store).await;
    manifests::a_tag_can_be_deleted_alone(store).await;
    manifests::what_is_not_as_expected_is_not_changed(store).await;
    manifests::repositories_share_no_manifests(store).await;
    lists::tags_come_in_pages_in_byte_order(store).await;
    lists::referrers_come_in_pages_by_digest(store).await;
    uploads::what_is_created_is_found_until_deleted(store).await;
    uploads::an_update_needs_the_revision_before_it(store).await;
    uploads::the_longest_expired_come_first(store).await;
}

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn by_tag(name: &str) -> Reference {
    Reference::Tag(tag(name))
}

fn media_type(text: &str) -> MediaType {
    text.parse().unwrap()
}

fn blob(content: &str) -> Blob {
    Blob {
        digest: Digest::sha256(content.as_bytes()),
        size: content.len() as u64,
    }
}

/// A manifest that needs nothing. The store does not read its content.
fn manifest(content: &str) -> NewManifest {
    NewManifest {
        digest: Digest::sha256(content.as_bytes()),
        media_type: media_type(media_types::OCI_IMAGE_MANIFEST),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: Bytes::copy_from_slice(content.as_bytes()),
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: Vec::new(),
        condition: None,
    }
}

async fn put(store: &dyn MetadataStore, repository: &RepositoryName, manifest: &NewManifest) {
    let put = store.put_manifest(repository, manifest).await.unwrap();
    assert_eq!(put, PutManifest::Stored);
}
