//! Queries that are the same in every database: pages of lists, by an index in their order, and what is asked of rows.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

pub use unused::is_unused;

use super::schema::{
    blobs, manifest_manifests, manifests, replaced_blobs, repositories, repository_blobs,
    robot_tokens, tags, uploads, users,
};

/// Names of repositories after `last`.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn repositories_page<'a>(last: &'a str, limit: u32) -> _ {
    let limit: i64 = limit as i64;
    repositories::table
        .filter(repositories::name.gt(last))
        .order(repositories::name)
        .select(repositories::name)
        .limit(limit)
}

/// Names of tags of a repository after `last`.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn tags_page<'a>(repository_id: i64, last: &'a str, limit: u32) -> _ {
    let limit: i64 = limit as i64;
    tags::table
        .filter(tags::repository_id.eq(repository_id))
        .filter(tags::name.gt(last))
        .order(tags::name)
        .select(tags::name)
        .limit(limit)
}

/// Blobs after the digest `after`: [`BlobRow`](super::rows::BlobRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn blobs_page<'a>(after: &'a str, limit: u32) -> _ {
    let limit: i64 = limit as i64;
    blobs::table
        .filter(blobs::digest.gt(after))
        .order(blobs::digest)
        .select((blobs::digest, blobs::size, blobs::generation))
        .limit(limit)
}

/// Condemned blobs after the digest `after`: [`BlobRow`](super::rows::BlobRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn condemned_page<'a>(after: &'a str, condemned_before: i64, limit: u32) -> _ {
    let limit: i64 = limit as i64;
    blobs::table
        .filter(blobs::condemned_at.le(condemned_before))
        .filter(blobs::digest.gt(after))
        .order(blobs::digest)
        .limit(limit)
        .select((blobs::digest, blobs::size, blobs::generation))
}

/// What was replaced at `replaced_before` or before, after a digest and generation: [`ReplacedRow`](super::rows::ReplacedRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn replaced_page<'a>(
    digest: &'a str,
    generation: &'a str,
    replaced_before: i64,
    limit: u32,
) -> _ {
    let limit: i64 = limit as i64;
    replaced_blobs::table
        .filter(replaced_blobs::replaced_at.le(replaced_before))
        .filter(replaced_blobs::digest.ge(digest))
        .filter(
            replaced_blobs::digest
                .gt(digest)
                .or(replaced_blobs::generation.gt(generation)),
        )
        .order((replaced_blobs::digest, replaced_blobs::generation))
        .limit(limit)
        .select((replaced_blobs::digest, replaced_blobs::generation))
}

/// Live blobs after one digest, up to another, that are unused: [`BlobRow`](super::rows::BlobRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn unused_between<'a>(after: &'a str, last: &'a str, unused_since: i64) -> _ {
    let live: &'static str = super::LIVE;
    let unused: is_unused = is_unused(unused_since);
    blobs::table
        .filter(blobs::digest.gt(after))
        .filter(blobs::digest.le(last))
        .filter(blobs::state.eq(live))
        .filter(unused)
        .order(blobs::digest)
        .select((blobs::digest, blobs::size, blobs::generation))
}

/// The manifests of a repository after one of them: [`InspectedRow`](super::rows::InspectedRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn rest_of_repository<'a>(repository_id: i64, after: &'a str, limit: i64) -> _ {
    manifests::table
        .inner_join(repositories::table)
        .filter(repositories::id.eq(repository_id))
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::digest.gt(after))
        .order(manifests::digest)
        .select((
            repositories::name,
            manifests::digest,
            manifests::media_type,
            manifests::content,
        ))
        .limit(limit)
}

/// The manifests of the repositories after one: [`InspectedRow`](super::rows::InspectedRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn repositories_after<'a>(after: &'a str, limit: i64) -> _ {
    manifests::table
        .inner_join(repositories::table)
        .filter(repositories::name.gt(after))
        .order((repositories::name, manifests::digest))
        .select((
            repositories::name,
            manifests::digest,
            manifests::media_type,
            manifests::content,
        ))
        .limit(limit)
}

/// Sessions that expired by `now`, in milliseconds, the longest expired first.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn expired_uploads(now: i64, limit: u32) -> _ {
    let limit: i64 = limit as i64;
    uploads::table
        .filter(uploads::expires_at.le(now))
        .order((uploads::expires_at, uploads::id))
        .select(uploads::id)
        .limit(limit)
}

/// Users after the name `last`: [`UserRow`](super::rows::UserRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn users_page<'a>(last: &'a str, limit: u32) -> _ {
    let limit: i64 = limit as i64;
    users::table
        .filter(users::name.gt(last))
        .order(users::name)
        .limit(limit)
}

/// Tokens of robots after the id `last`: [`RobotTokenRow`](super::rows::RobotTokenRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn robot_tokens_page<'a>(last: &'a str, limit: u32) -> _ {
    let limit: i64 = limit as i64;
    robot_tokens::table
        .filter(robot_tokens::id.gt(last))
        .order(robot_tokens::id)
        .limit(limit)
}

/// The token of this name that is not revoked.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn robot_token_named<'a>(name: &'a str) -> _ {
    robot_tokens::table
        .filter(robot_tokens::name.eq(name))
        .filter(robot_tokens::revoked_at.is_null())
}

/// The tags of a repository, in order: [`TagRow`](super::rows::TagRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn tags_of_repository(repository_id: i64) -> _ {
    tags::table
        .inner_join(manifests::table)
        .filter(tags::repository_id.eq(repository_id))
        .order(tags::name)
        .select((tags::name, manifests::digest, tags::updated_at))
}

/// The ids of the manifests of a repository with the digests of those that they need, in the order of these.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn edges_of_repository(repository_id: i64) -> _ {
    manifest_manifests::table
        .inner_join(manifests::table)
        .filter(manifests::repository_id.eq(repository_id))
        .order(manifest_manifests::child_digest)
        .select((
            manifest_manifests::parent_id,
            manifest_manifests::child_digest,
        ))
}

/// The manifests of a repository, in order: [`ManifestEntryRow`](super::rows::ManifestEntryRow)s.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn manifests_of_repository(repository_id: i64) -> _ {
    manifests::table
        .filter(manifests::repository_id.eq(repository_id))
        .order(manifests::digest)
        .select((
            manifests::id,
            manifests::digest,
            manifests::size,
            manifests::used_at,
            manifests::subject_digest,
        ))
}

/// The id and the subject of a manifest that has no tag and was not used since `seen_used_at`.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn untagged_manifest<'a>(repository_id: i64, digest: &'a str, seen_used_at: i64) -> _ {
    let tag = tags::table
        .filter(tags::manifest_id.eq(manifests::id))
        .select(tags::name);
    manifests::table
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::digest.eq(digest))
        .filter(manifests::used_at.eq(seen_used_at))
        .filter(not(exists(tag)))
        .select((manifests::id, manifests::subject_digest))
}

/// The other manifests of a repository that need one of this id and digest.
#[diesel::dsl::auto_type(no_type_alias)]
pub fn parents<'a>(repository_id: i64, id: i64, digest: &'a str) -> _ {
    manifest_manifests::table
        .inner_join(manifests::table)
        .filter(manifest_manifests::child_digest.eq(digest))
        .filter(manifest_manifests::parent_id.ne(id))
        .filter(manifests::repository_id.eq(repository_id))
}

/// A blob that a repository is linked to: a [`LinkedRow`](super::rows::LinkedRow).
#[diesel::dsl::auto_type(no_type_alias)]
pub fn linked_blob<'a>(repository: &'a str, digest: &'a str) -> _ {
    repository_blobs::table
        .inner_join(blobs::table)
        .inner_join(repositories::table)
        .filter(repositories::name.eq(repository))
        .filter(blobs::digest.eq(digest))
        .select((
            blobs::size,
            blobs::generation,
            blobs::condemned_at,
            repository_blobs::linked_at,
        ))
}

/// The manifest of a digest: a [`ManifestRow`](super::rows::ManifestRow).
#[diesel::dsl::auto_type(no_type_alias)]
pub fn manifest_by_digest<'a>(repository: &'a str, digest: &'a str) -> _ {
    manifests::table
        .inner_join(repositories::table)
        .filter(repositories::name.eq(repository))
        .filter(manifests::digest.eq(digest))
        .select((manifests::digest, manifests::media_type, manifests::content))
}

/// The manifest that a tag points to: a [`ManifestRow`](super::rows::ManifestRow).
#[diesel::dsl::auto_type(no_type_alias)]
pub fn manifest_by_tag<'a>(repository: &'a str, tag: &'a str) -> _ {
    tags::table
        .inner_join(manifests::table)
        .inner_join(repositories::table)
        .filter(repositories::name.eq(repository))
        .filter(tags::name.eq(tag))
        .select((manifests::digest, manifests::media_type, manifests::content))
}

mod unused {
    #![allow(missing_docs, reason = "the type of the condition, which has its name")]

    use diesel::dsl::{exists, not};
    use diesel::prelude::*;

    use crate::sql::schema::{blobs, manifest_blobs, repository_blobs};

    /// Whether no manifest is linked to the blob of the outer query, and no repository newly.
    #[diesel::dsl::auto_type]
    pub fn is_unused(unused_since: i64) -> _ {
        let manifest = manifest_blobs::table
            .filter(manifest_blobs::blob_id.eq(blobs::id.nullable()))
            .select(manifest_blobs::manifest_id);
        let new_link = repository_blobs::table
            .filter(repository_blobs::blob_id.eq(blobs::id))
            .filter(repository_blobs::linked_at.gt(unused_since))
            .select(repository_blobs::repository_id);
        not(exists(manifest)).and(not(exists(new_link)))
    }
}
