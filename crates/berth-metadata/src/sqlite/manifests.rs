use std::collections::HashSet;

use berth_spec::{Digest, Reference, RepositoryName, Tag};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel::upsert::excluded;

use super::{blobs, now, repositories as repository_rows, usage};
use crate::sql::pages::{manifest_by_digest, manifest_by_tag};
use crate::sql::rows::{self, ManifestRow};
use crate::sql::schema::{manifest_blobs, manifest_manifests, manifests, repositories, tags};
use crate::sql::stored::{parse, to_integer};
use crate::{
    Bounds, Condition, DeleteTag, MetadataError, NewManifest, PutManifest, StoredManifest,
};

/// Stores a manifest, its links and its tags, if all that it needs is there.
pub(super) fn put(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    manifest: &NewManifest,
    bounds: &Bounds,
) -> Result<PutManifest, MetadataError> {
    if let Some((reference, condition)) = &manifest.condition {
        let current = current_digest(connection, repository, reference)?;
        if !condition.holds(current.as_ref()) {
            return Ok(PutManifest::Refused);
        }
    }
    let repository_id = repository_rows::find(connection, repository)?;
    let missing = missing(connection, repository_id, manifest)?;
    if !missing.is_empty() {
        return Ok(PutManifest::Missing(missing));
    }
    let repository_id = match repository_id {
        Some(id) => id,
        None => repository_rows::find_or_create(connection, repository)?,
    };
    keep_description(connection, repository_id, manifest, bounds)?;
    usage::add_within(connection, repository, bounds, |connection| {
        let manifest_id = store(connection, repository_id, manifest)?;
        link_blobs(connection, repository_id, manifest_id, manifest)?;
        link_manifests(connection, manifest_id, manifest)?;
        for tag in &manifest.tags {
            point(connection, repository_id, tag, manifest_id, bounds)?;
        }
        Ok(PutManifest::Stored)
    })
}

/// Refuses to describe otherwise what an immutable tag points to: of content that does not tell its media type
/// itself, whoever pushes it says what it is.
fn keep_description(
    connection: &mut SqliteConnection,
    repository_id: i64,
    manifest: &NewManifest,
    bounds: &Bounds,
) -> Result<(), MetadataError> {
    let stored: Option<(i64, String, Option<String>, Option<String>)> = manifests::table
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::digest.eq(manifest.digest.as_str()))
        .select((
            manifests::id,
            manifests::media_type,
            manifests::artifact_type,
            manifests::subject_digest,
        ))
        .first(connection)
        .optional()?;
    let Some((id, media_type, artifact_type, subject)) = stored else {
        return Ok(());
    };
    let is_same = media_type == manifest.media_type.as_str()
        && artifact_type == manifest.artifact_type
        && subject.as_deref() == manifest.subject.as_ref().map(Digest::as_str);
    if is_same {
        return Ok(());
    }
    let tags = tags_of(connection, id)?;
    tags.iter().try_for_each(|tag| bounds.change_tag(tag))
}

/// The tags that point to a manifest, in byte order.
fn tags_of(connection: &mut SqliteConnection, manifest_id: i64) -> Result<Vec<Tag>, MetadataError> {
    let names: Vec<String> = tags::table
        .filter(tags::manifest_id.eq(manifest_id))
        .order(tags::name)
        .select(tags::name)
        .load(connection)?;
    rows::parse_all(&names)
}

/// The digest of the manifest that a reference leads to.
fn current_digest(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<Digest>, MetadataError> {
    match reference {
        Reference::Tag(tag) => digest_of(connection, repository, tag),
        Reference::Digest(digest) => {
            let repository_id = repository_rows::find(connection, repository)?;
            let is_there = has_manifest(connection, repository_id, digest)?;
            Ok(is_there.then(|| digest.clone()))
        }
    }
}

/// What a manifest needs and the repository lacks, each once.
fn missing(
    connection: &mut SqliteConnection,
    repository_id: Option<i64>,
    manifest: &NewManifest,
) -> QueryResult<Vec<Digest>> {
    let mut missing = Vec::new();
    let mut reported = HashSet::new();
    for digest in &manifest.required_blobs {
        if !has_blob(connection, repository_id, digest)? && reported.insert(digest) {
            missing.push(digest.clone());
        }
    }
    for digest in &manifest.required_manifests {
        if !has_manifest(connection, repository_id, digest)? && reported.insert(digest) {
            missing.push(digest.clone());
        }
    }
    Ok(missing)
}

fn has_blob(
    connection: &mut SqliteConnection,
    repository_id: Option<i64>,
    digest: &Digest,
) -> QueryResult<bool> {
    match repository_id {
        Some(id) => Ok(blobs::linked(connection, id, digest)?.is_some()),
        None => Ok(false),
    }
}

fn has_manifest(
    connection: &mut SqliteConnection,
    repository_id: Option<i64>,
    digest: &Digest,
) -> QueryResult<bool> {
    match repository_id {
        Some(id) => Ok(find_id(connection, id, digest)?.is_some()),
        None => Ok(false),
    }
}

pub(super) fn find_id(
    connection: &mut SqliteConnection,
    repository_id: i64,
    digest: &Digest,
) -> QueryResult<Option<i64>> {
    manifests::table
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::digest.eq(digest.as_str()))
        .select(manifests::id)
        .first(connection)
        .optional()
}

/// Writes the row of the manifest, and answers its id.
fn store(
    connection: &mut SqliteConnection,
    repository_id: i64,
    manifest: &NewManifest,
) -> Result<i64, MetadataError> {
    let id = diesel::insert_into(manifests::table)
        .values((
            manifests::repository_id.eq(repository_id),
            manifests::digest.eq(manifest.digest.as_str()),
            manifests::media_type.eq(manifest.media_type.as_str()),
            manifests::artifact_type.eq(manifest.artifact_type.as_deref()),
            manifests::subject_digest.eq(manifest.subject.as_ref().map(Digest::as_str)),
            manifests::annotations.eq(rows::annotations(manifest)?),
            manifests::size.eq(to_integer(manifest.content.len() as u64)?),
            manifests::used_at.eq(now()),
            manifests::content.eq(manifest.content.as_ref()),
        ))
        .on_conflict((manifests::repository_id, manifests::digest))
        .do_update()
        .set((
            manifests::media_type.eq(excluded(manifests::media_type)),
            manifests::artifact_type.eq(excluded(manifests::artifact_type)),
            manifests::subject_digest.eq(excluded(manifests::subject_digest)),
            manifests::annotations.eq(excluded(manifests::annotations)),
            manifests::used_at.eq(excluded(manifests::used_at)),
            // The same bytes, unless what is stored is damaged.
            manifests::size.eq(excluded(manifests::size)),
            manifests::content.eq(excluded(manifests::content)),
        ))
        .returning(manifests::id)
        .get_result(connection)?;
    Ok(id)
}

fn link_blobs(
    connection: &mut SqliteConnection,
    repository_id: i64,
    manifest_id: i64,
    manifest: &NewManifest,
) -> QueryResult<()> {
    let old = manifest_blobs::table.filter(manifest_blobs::manifest_id.eq(manifest_id));
    diesel::delete(old).execute(connection)?;
    for digest in manifest
        .required_blobs
        .iter()
        .chain(&manifest.optional_blobs)
    {
        let linked = blobs::linked(connection, repository_id, digest)?;
        let blob_id = linked.map(|blob| blob.id);
        if let Some(blob) = linked {
            blob.keep(connection)?;
        }
        diesel::insert_into(manifest_blobs::table)
            .values((
                manifest_blobs::manifest_id.eq(manifest_id),
                manifest_blobs::digest.eq(digest.as_str()),
                manifest_blobs::blob_id.eq(blob_id),
            ))
            .on_conflict_do_nothing()
            .execute(connection)?;
    }
    Ok(())
}

fn link_manifests(
    connection: &mut SqliteConnection,
    manifest_id: i64,
    manifest: &NewManifest,
) -> QueryResult<()> {
    let old = manifest_manifests::table.filter(manifest_manifests::parent_id.eq(manifest_id));
    diesel::delete(old).execute(connection)?;
    for digest in &manifest.required_manifests {
        diesel::insert_into(manifest_manifests::table)
            .values((
                manifest_manifests::parent_id.eq(manifest_id),
                manifest_manifests::child_digest.eq(digest.as_str()),
            ))
            .on_conflict_do_nothing()
            .execute(connection)?;
    }
    Ok(())
}

fn point(
    connection: &mut SqliteConnection,
    repository_id: i64,
    tag: &Tag,
    manifest_id: i64,
    bounds: &Bounds,
) -> Result<(), MetadataError> {
    let tagged = tagged(connection, repository_id, tag)?;
    if let Some(tagged) = tagged {
        if tagged != manifest_id {
            bounds.change_tag(tag)?;
        }
        is_used(connection, tagged)?;
    }
    diesel::insert_into(tags::table)
        .values((
            tags::repository_id.eq(repository_id),
            tags::name.eq(tag.as_str()),
            tags::manifest_id.eq(manifest_id),
            tags::updated_at.eq(now()),
        ))
        .on_conflict((tags::repository_id, tags::name))
        .do_update()
        .set((
            tags::manifest_id.eq(excluded(tags::manifest_id)),
            tags::updated_at.eq(excluded(tags::updated_at)),
        ))
        .execute(connection)?;
    Ok(())
}

/// The manifest that a tag points to.
fn tagged(
    connection: &mut SqliteConnection,
    repository_id: i64,
    tag: &Tag,
) -> QueryResult<Option<i64>> {
    tags::table
        .find((repository_id, tag.as_str()))
        .select(tags::manifest_id)
        .first(connection)
        .optional()
}

/// Notes that a manifest is used, or about to lose a tag: retention counts from then.
fn is_used(connection: &mut SqliteConnection, manifest_id: i64) -> QueryResult<()> {
    diesel::update(manifests::table.find(manifest_id))
        .set(manifests::used_at.eq(now()))
        .execute(connection)?;
    Ok(())
}

/// Notes that the manifests which another one needs, and those about it, are about to lose it.
fn loses_holder(
    connection: &mut SqliteConnection,
    repository_id: i64,
    manifest_id: i64,
    digest: &Digest,
) -> QueryResult<()> {
    let children = manifest_manifests::table
        .filter(manifest_manifests::parent_id.eq(manifest_id))
        .select(manifest_manifests::child_digest);
    let children = manifests::table
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::digest.eq_any(children));
    let referrers = manifests::table
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::subject_digest.eq(digest.as_str()));
    let used = manifests::used_at.eq(now());
    diesel::update(children).set(used).execute(connection)?;
    diesel::update(referrers).set(used).execute(connection)?;
    Ok(())
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<StoredManifest>, MetadataError> {
    let found: Option<ManifestRow> = match reference {
        Reference::Digest(digest) => manifest_by_digest(repository.as_str(), digest.as_str())
            .first(connection)
            .optional()?,
        Reference::Tag(tag) => manifest_by_tag(repository.as_str(), tag.as_str())
            .first(connection)
            .optional()?,
    };
    found.map(rows::manifest).transpose()
}

/// The digest that a tag points to.
pub(super) fn digest_of(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    tag: &Tag,
) -> Result<Option<Digest>, MetadataError> {
    let digest: Option<String> = tags::table
        .inner_join(manifests::table.inner_join(repositories::table))
        .filter(repositories::name.eq(repository.as_str()))
        .filter(tags::repository_id.eq(repositories::id))
        .filter(tags::name.eq(tag.as_str()))
        .select(manifests::digest)
        .first(connection)
        .optional()?;
    digest.as_deref().map(parse).transpose()
}

/// Deletes a manifest. Its tags and links go with it, by cascade. Answers which tags these were;
/// `None` if there was no such manifest.
pub(super) fn delete(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    digest: &Digest,
    bounds: &Bounds,
) -> Result<Option<Vec<Tag>>, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(None);
    };
    let Some(manifest_id) = find_id(connection, repository_id, digest)? else {
        return Ok(None);
    };
    let tags = tags_of(connection, manifest_id)?;
    tags.iter().try_for_each(|tag| bounds.change_tag(tag))?;
    loses_holder(connection, repository_id, manifest_id, digest)?;
    diesel::delete(manifests::table.find(manifest_id)).execute(connection)?;
    Ok(Some(tags))
}

pub(super) fn delete_tag(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    tag: &Tag,
    condition: &Condition,
    bounds: &Bounds,
) -> Result<DeleteTag, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(DeleteTag::Unknown);
    };
    let Some(current) = digest_of(connection, repository, tag)? else {
        return Ok(DeleteTag::Unknown);
    };
    if !condition.holds(Some(&current)) {
        return Ok(DeleteTag::Refused);
    }
    bounds.change_tag(tag)?;
    if let Some(tagged) = tagged(connection, repository_id, tag)? {
        is_used(connection, tagged)?;
    }
    diesel::delete(tags::table.find((repository_id, tag.as_str()))).execute(connection)?;
    Ok(DeleteTag::Deleted)
}
