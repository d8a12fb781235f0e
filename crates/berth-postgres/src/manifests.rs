use std::collections::{HashMap, HashSet};

use berth_metadata::sql::pages::{manifest_by_digest, manifest_by_tag};
use berth_metadata::sql::rows::{self, ManifestRow};
use berth_metadata::sql::schema::{manifest_blobs, manifest_manifests, manifests, tags};
use berth_metadata::sql::stored::{parse, to_integer};
use berth_metadata::{Bounds, Condition, DeleteTag, NewManifest, PutManifest, StoredManifest};
use berth_spec::{Digest, Reference, RepositoryName, Tag};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::blobs::LockedBlob;
use crate::failure::Failure;
use crate::{blobs, now, repositories as repository_rows, texts, usage};

/// How many rows are inserted by one statement. It may have 65,535 values.
const ROWS: usize = 5000;

/// Stores a manifest, its links and its tags, if all that it needs is there.
pub(crate) fn put(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    manifest: &NewManifest,
    bounds: &Bounds,
) -> Result<PutManifest, Failure> {
    let locked = repository_rows::lock(connection, repository)?;
    if let Some((reference, condition)) = &manifest.condition {
        let current = current_digest(connection, locked, reference)?;
        if !condition.holds(current.as_ref()) {
            return Ok(PutManifest::Refused);
        }
    }
    let linked = lock_blobs(connection, locked, manifest)?;
    let missing = missing(connection, locked, manifest, &linked)?;
    if !missing.is_empty() {
        return Ok(PutManifest::Missing(missing));
    }
    let repository_id = match locked {
        Some(id) => id,
        None => repository_rows::create(connection, repository)?,
    };
    let is_stored = keep_description(connection, repository_id, manifest, bounds)?;
    blobs::keep(connection, &linked)?;
    usage::add_within(connection, repository, bounds, |connection| {
        let manifest_id = store(connection, repository_id, manifest)?;
        if is_stored {
            cut_links(connection, manifest_id)?;
        }
        link_blobs(connection, manifest_id, manifest, &linked)?;
        link_manifests(connection, manifest_id, manifest)?;
        for tag in &manifest.tags {
            point(connection, repository_id, tag, manifest_id, bounds)?;
        }
        Ok(PutManifest::Stored)
    })
}

/// Refuses to describe otherwise what an immutable tag points to: of content that does not tell its media type
/// itself, whoever pushes it says what it is. Whether the manifest is stored already, which stays so while the repository is
/// locked.
fn keep_description(
    connection: &mut PgConnection,
    repository_id: i64,
    manifest: &NewManifest,
    bounds: &Bounds,
) -> Result<bool, Failure> {
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
        return Ok(false);
    };
    let pushed_type = manifest.artifact_type.as_deref().map(texts::artifact_type);
    let is_same = media_type == manifest.media_type.as_str()
        && artifact_type.as_deref() == pushed_type.as_deref()
        && subject.as_deref() == manifest.subject.as_ref().map(Digest::as_str);
    if !is_same {
        let tags = tags_of(connection, id)?;
        tags.iter().try_for_each(|tag| bounds.change_tag(tag))?;
    }
    Ok(true)
}

/// The tags that point to a manifest, in byte order.
fn tags_of(connection: &mut PgConnection, manifest_id: i64) -> Result<Vec<Tag>, Failure> {
    let names: Vec<String> = tags::table
        .filter(tags::manifest_id.eq(manifest_id))
        .order(tags::name)
        .select(tags::name)
        .load(connection)?;
    Ok(rows::parse_all(&names)?)
}

/// The digest of the manifest that a reference leads to.
fn current_digest(
    connection: &mut PgConnection,
    repository_id: Option<i64>,
    reference: &Reference,
) -> Result<Option<Digest>, Failure> {
    let Some(repository_id) = repository_id else {
        return Ok(None);
    };
    match reference {
        Reference::Tag(tag) => Ok(tagged(connection, repository_id, tag)?
            .map(|(_, digest)| parse(&digest))
            .transpose()?),
        Reference::Digest(digest) => {
            let found = find_id(connection, repository_id, digest)?;
            Ok(found.map(|_| digest.clone()))
        }
    }
}

/// The blobs that a manifest refers to and its repository is linked to.
fn lock_blobs(
    connection: &mut PgConnection,
    repository_id: Option<i64>,
    manifest: &NewManifest,
) -> QueryResult<Vec<LockedBlob>> {
    let digests: Vec<&str> = referred_blobs(manifest).map(Digest::as_str).collect();
    match repository_id {
        Some(id) if !digests.is_empty() => blobs::lock_linked(connection, id, &digests),
        _ => Ok(Vec::new()),
    }
}

fn referred_blobs(manifest: &NewManifest) -> impl Iterator<Item = &Digest> {
    let required = manifest.required_blobs.iter();
    required.chain(&manifest.optional_blobs)
}

/// What a manifest needs and the repository lacks, each once.
fn missing(
    connection: &mut PgConnection,
    repository_id: Option<i64>,
    manifest: &NewManifest,
    linked: &[LockedBlob],
) -> QueryResult<Vec<Digest>> {
    let linked: HashSet<&str> = linked.iter().map(|blob| blob.digest.as_str()).collect();
    let needed = manifest.required_manifests.iter().map(Digest::as_str);
    let present = present(connection, repository_id, needed.collect())?;
    let blobs = manifest.required_blobs.iter();
    let blobs = blobs.filter(|digest| !linked.contains(digest.as_str()));
    let manifests = manifest.required_manifests.iter();
    let manifests = manifests.filter(|digest| !present.contains(digest.as_str()));
    let mut reported = HashSet::new();
    let missing = blobs.chain(manifests);
    Ok(missing
        .filter(|digest| reported.insert(*digest))
        .cloned()
        .collect())
}

/// Those of these digests of which the repository has a manifest.
pub(crate) fn present(
    connection: &mut PgConnection,
    repository_id: Option<i64>,
    digests: Vec<&str>,
) -> QueryResult<HashSet<String>> {
    let Some(repository_id) = repository_id.filter(|_| !digests.is_empty()) else {
        return Ok(HashSet::new());
    };
    let present: Vec<String> = manifests::table
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::digest.eq_any(digests))
        .select(manifests::digest)
        .load(connection)?;
    Ok(present.into_iter().collect())
}

pub(crate) fn find_id(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
    repository_id: i64,
    manifest: &NewManifest,
) -> Result<i64, Failure> {
    let artifact_type = manifest.artifact_type.as_deref().map(texts::artifact_type);
    let id = diesel::insert_into(manifests::table)
        .values((
            manifests::repository_id.eq(repository_id),
            manifests::digest.eq(manifest.digest.as_str()),
            manifests::media_type.eq(manifest.media_type.as_str()),
            manifests::artifact_type.eq(artifact_type),
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

/// Removes the links of a manifest to what it needs, which are about to be made anew.
fn cut_links(connection: &mut PgConnection, manifest_id: i64) -> QueryResult<()> {
    let blobs = manifest_blobs::table.filter(manifest_blobs::manifest_id.eq(manifest_id));
    diesel::delete(blobs).execute(connection)?;
    let manifests = manifest_manifests::table.filter(manifest_manifests::parent_id.eq(manifest_id));
    diesel::delete(manifests).execute(connection)?;
    Ok(())
}

fn link_blobs(
    connection: &mut PgConnection,
    manifest_id: i64,
    manifest: &NewManifest,
    linked: &[LockedBlob],
) -> QueryResult<()> {
    let ids = linked.iter().map(|blob| (blob.digest.as_str(), blob.id));
    let ids: HashMap<&str, i64> = ids.collect();
    let links: Vec<_> = referred_blobs(manifest)
        .map(|digest| {
            (
                manifest_blobs::manifest_id.eq(manifest_id),
                manifest_blobs::digest.eq(digest.as_str()),
                manifest_blobs::blob_id.eq(ids.get(digest.as_str()).copied()),
            )
        })
        .collect();
    for links in links.chunks(ROWS) {
        diesel::insert_into(manifest_blobs::table)
            .values(links)
            .on_conflict_do_nothing()
            .execute(connection)?;
    }
    Ok(())
}

fn link_manifests(
    connection: &mut PgConnection,
    manifest_id: i64,
    manifest: &NewManifest,
) -> QueryResult<()> {
    let links: Vec<_> = manifest
        .required_manifests
        .iter()
        .map(|digest| {
            (
                manifest_manifests::parent_id.eq(manifest_id),
                manifest_manifests::child_digest.eq(digest.as_str()),
            )
        })
        .collect();
    for links in links.chunks(ROWS) {
        diesel::insert_into(manifest_manifests::table)
            .values(links)
            .on_conflict_do_nothing()
            .execute(connection)?;
    }
    Ok(())
}

fn point(
    connection: &mut PgConnection,
    repository_id: i64,
    tag: &Tag,
    manifest_id: i64,
    bounds: &Bounds,
) -> Result<(), Failure> {
    if let Some((tagged, _)) = tagged(connection, repository_id, tag)? {
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

/// The manifest that a tag points to: its id, its digest.
fn tagged(
    connection: &mut PgConnection,
    repository_id: i64,
    tag: &Tag,
) -> QueryResult<Option<(i64, String)>> {
    tags::table
        .inner_join(manifests::table)
        .filter(tags::repository_id.eq(repository_id))
        .filter(tags::name.eq(tag.as_str()))
        .select((manifests::id, manifests::digest))
        .first(connection)
        .optional()
}

/// Notes that a manifest is used, or about to lose a tag: retention counts from then.
fn is_used(connection: &mut PgConnection, manifest_id: i64) -> QueryResult<()> {
    diesel::update(manifests::table.find(manifest_id))
        .set(manifests::used_at.eq(now()))
        .execute(connection)?;
    Ok(())
}

/// Notes that the manifests which another one needs, and those about it, are about to lose it.
fn loses_holder(
    connection: &mut PgConnection,
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

pub(crate) fn find(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<StoredManifest>, Failure> {
    let found: Option<ManifestRow> = match reference {
        Reference::Digest(digest) => manifest_by_digest(repository.as_str(), digest.as_str())
            .first(connection)
            .optional()?,
        Reference::Tag(tag) => manifest_by_tag(repository.as_str(), tag.as_str())
            .first(connection)
            .optional()?,
    };
    Ok(found.map(rows::manifest).transpose()?)
}

/// Deletes a manifest. Its tags and links go with it, by cascade. Whether there was one.
pub(crate) fn delete(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    digest: &Digest,
    bounds: &Bounds,
) -> Result<bool, Failure> {
    let Some(repository_id) = repository_rows::lock(connection, repository)? else {
        return Ok(false);
    };
    let Some(manifest_id) = find_id(connection, repository_id, digest)? else {
        return Ok(false);
    };
    let tags = tags_of(connection, manifest_id)?;
    tags.iter().try_for_each(|tag| bounds.change_tag(tag))?;
    loses_holder(connection, repository_id, manifest_id, digest)?;
    diesel::delete(manifests::table.find(manifest_id)).execute(connection)?;
    Ok(true)
}

pub(crate) fn delete_tag(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    tag: &Tag,
    condition: &Condition,
    bounds: &Bounds,
) -> Result<DeleteTag, Failure> {
    let Some(repository_id) = repository_rows::lock(connection, repository)? else {
        return Ok(DeleteTag::Unknown);
    };
    let Some((manifest_id, current)) = tagged(connection, repository_id, tag)? else {
        return Ok(DeleteTag::Unknown);
    };
    if !condition.holds(Some(&parse(&current)?)) {
        return Ok(DeleteTag::Refused);
    }
    bounds.change_tag(tag)?;
    is_used(connection, manifest_id)?;
    diesel::delete(tags::table.find((repository_id, tag.as_str()))).execute(connection)?;
    Ok(DeleteTag::Deleted)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::Planner;
    use crate::test_server::TestServer;

    /// Without statistics too: a database that was filled just now has none.
    #[test]
    fn a_manifest_is_found_by_its_tag_and_not_among_all_of_its_repository() {
        let server = TestServer::shared();
        let plan = Planner::new(&server).plan(&manifest_by_tag("a", "b"));
        for index in ["repositories_name_key", "tags_pkey", "manifests_pkey"] {
            assert!(plan.contains(&format!(" using {index}")), "{plan}");
        }
        assert!(
            !plan.contains("manifests_repository_id_digest_key"),
            "{plan}"
        );
    }
}
