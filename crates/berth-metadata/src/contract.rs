//! The contracts of [`MetadataStore`], [`InspectionStore`](crate::InspectionStore) and
//! [`AccountStore`](crate::AccountStore), as tests that every implementation runs.
#![allow(clippy::unwrap_used, clippy::panic)]

mod accounts;
pub mod agreement;
mod blobs;
mod bounds;
mod collection;
pub mod concurrency;
mod generations;
mod inspection;
mod lists;
mod manifests;
mod retention;
mod turns;
mod upload_leases;
mod uploads;

use std::collections::BTreeMap;

use berth_spec::{Digest, Generation, MediaType, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;

use crate::{Blob, CollectionStore, MetadataStore, NewManifest, PutManifest, RetentionStore};
pub use accounts::account_store;
pub use inspection::{Inspected, inspection_store};
pub use turns::turn_store;
pub use upload_leases::upload_leases;

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
    generations::a_blob_has_the_generation_it_was_linked_with(store).await;
    generations::the_bytes_that_were_linked_last_are_meant(store).await;
    manifests::what_is_put_can_be_read_by_digest_and_tag(store).await;
    manifests::putting_again_sets_media_type_and_tags(store).await;
    manifests::what_is_missing_is_named_and_nothing_is_stored(store).await;
    manifests::optional_blobs_and_subjects_may_be_missing(store).await;
    manifests::deleting_takes_the_tags_along(store).await;
    manifests::a_tag_can_be_deleted_alone(store).await;
    manifests::what_is_not_as_expected_is_not_changed(store).await;
    manifests::repositories_share_no_manifests(store).await;
    bounds::an_immutable_tag_is_neither_moved_nor_deleted(store).await;
    bounds::what_an_immutable_tag_points_to_stays_what_it_is(store).await;
    bounds::what_does_not_fit_is_refused(store).await;
    bounds::repositories_of_a_namespace_share_its_quota(store).await;
    lists::tags_come_in_pages_in_byte_order(store).await;
    lists::referrers_come_in_pages_by_digest(store).await;
    uploads::what_is_created_is_found_until_deleted(store).await;
    uploads::an_update_needs_the_revision_before_it(store).await;
    uploads::the_longest_expired_come_first(store).await;
}

/// What garbage collection works on.
pub trait Collected: MetadataStore + CollectionStore + RetentionStore {}

impl<T: MetadataStore + CollectionStore + RetentionStore> Collected for T {}

/// Runs the suite of [`CollectionStore`] and [`RetentionStore`]. The store must be empty.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn collected_store(store: &dyn Collected) {
    collection::what_a_manifest_or_a_new_link_needs_is_not_unused(store).await;
    collection::the_condemned_can_be_read_until_forgotten(store).await;
    collection::only_the_condemned_are_forgotten(store).await;
    collection::whoever_needs_a_condemned_blob_takes_it_back(store).await;
    collection::a_promise_renews_an_old_link_only(store).await;
    collection::unused_and_condemned_come_in_pages(store).await;
    generations::what_is_forgotten_has_the_generation_of_its_record(store).await;
    generations::a_new_generation_takes_a_condemned_blob_back(store).await;
    generations::what_is_forsaken_is_never_linked(store).await;
    generations::only_what_no_record_knows_is_forsaken(store).await;
    generations::what_was_replaced_is_told_until_it_is_forsaken(store).await;
    generations::what_is_found_takes_the_place_of_what_is_lost(store).await;
    retention::contents_are_told_without_bytes(store).await;
    retention::a_tag_that_was_set_again_stays(store).await;
    retention::a_manifest_that_is_used_stays(store).await;
    retention::losing_a_tag_is_a_use(store).await;
    retention::losing_a_holder_is_a_use(store).await;
    retention::a_manifest_that_was_used_since_stays(store).await;
    retention::references_to_blobs_are_counted(store).await;
    bounds::what_is_stored_is_counted(store).await;
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
    Blob::new(Digest::sha256(content.as_bytes()), content.len() as u64)
}

/// The same content, published once more in a store that gives each publication a name.
fn published(blob: &Blob) -> Blob {
    Blob {
        generation: Some(Generation::random()),
        ..blob.clone()
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

async fn put(
    store: &(impl MetadataStore + ?Sized),
    repository: &RepositoryName,
    manifest: &NewManifest,
) {
    let put = store.put_manifest(repository, manifest).await.unwrap();
    assert_eq!(put, PutManifest::Stored);
}
