use berth_metadata::sql::LIVE;
use berth_metadata::sql::pages::linked_blob;
use berth_metadata::sql::rows::{LinkedRow, blob_of, generation_text};
use berth_metadata::sql::schema::{
    blobs, manifest_blobs, manifests, repositories, repository_blobs,
};
use berth_metadata::sql::stored::{to_integer, to_number};
use berth_metadata::{Blob, Bounds, MetadataError};
use berth_spec::{Digest, RepositoryName};
use diesel::dsl::exists;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::failure::Failure;
use crate::{generations, now, repositories as repository_rows, usage};

/// Records a blob and links it to a repository.
pub(crate) fn link(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    blob: &Blob,
    bounds: &Bounds,
) -> Result<(), Failure> {
    generations::claim(connection, blob)?;
    let repository_id = repository_rows::lock_or_create(connection, repository)?;
    let blob_id = record(connection, blob)?;
    usage::add_within(connection, repository, bounds, |connection| {
        Ok(link_to(connection, repository_id, blob_id, &blob.digest)?)
    })
}

/// Links a blob that another repository has.
pub(crate) fn mount(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    from: Option<&RepositoryName>,
    digest: &Digest,
    bounds: &Bounds,
) -> Result<Option<Blob>, Failure> {
    // First without a lock: what cannot be mounted makes no repository.
    let Some(source_id) = source(connection, from, digest)? else {
        return Ok(None);
    };
    let repository_id = repository_rows::lock_or_create(connection, repository)?;
    let locked = lock_linked(connection, source_id, &[digest.as_str()])?;
    let blob = locked.first().ok_or(Failure::Changed)?;
    keep(connection, &locked)?;
    usage::add_within(connection, repository, bounds, |connection| {
        Ok(link_to(connection, repository_id, blob.id, digest)?)
    })?;
    let generation = blob.generation.clone();
    Ok(Some(blob_of(digest.clone(), blob.size, generation)?))
}

/// The blob that would be mounted.
pub(crate) fn mountable(
    connection: &mut PgConnection,
    from: Option<&RepositoryName>,
    digest: &Digest,
) -> Result<Option<Blob>, Failure> {
    let linked = repository_blobs::table
        .inner_join(blobs::table)
        .inner_join(repositories::table)
        .filter(blobs::digest.eq(digest.as_str()))
        .select((blobs::size, blobs::generation));
    let found: Option<(i64, Option<String>)> = match from {
        Some(from) => linked
            .filter(repositories::name.eq(from.as_str()))
            .first(connection)
            .optional()?,
        None => linked.first(connection).optional()?,
    };
    let blob = found.map(|(size, generation)| blob_of(digest.clone(), size, generation));
    Ok(blob.transpose()?)
}

/// The id of a repository that is linked to a blob: of this one, or any.
fn source(
    connection: &mut PgConnection,
    from: Option<&RepositoryName>,
    digest: &Digest,
) -> QueryResult<Option<i64>> {
    let linked = repository_blobs::table
        .inner_join(blobs::table)
        .inner_join(repositories::table)
        .filter(blobs::digest.eq(digest.as_str()))
        .select(repositories::id);
    let found = match from {
        Some(from) => linked
            .filter(repositories::name.eq(from.as_str()))
            .first(connection),
        None => linked.first(connection),
    };
    found.optional()
}

/// The blob, if the repository is linked to it.
pub(crate) fn find(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Blob>, Failure> {
    let found: Option<LinkedRow> = linked_blob(repository.as_str(), digest.as_str())
        .first(connection)
        .optional()?;
    let blob = found.map(|(size, generation, _, _)| blob_of(digest.clone(), size, generation));
    Ok(blob.transpose()?)
}

/// A blob that is locked.
#[derive(Clone, Debug, Queryable)]
pub(crate) struct LockedBlob {
    pub(crate) id: i64,
    pub(crate) digest: String,
    size: i64,
    generation: Option<String>,
    condemned_at: Option<i64>,
}

/// The columns of a [`LockedBlob`].
type LockedColumns = (
    blobs::id,
    blobs::digest,
    blobs::size,
    blobs::generation,
    blobs::condemned_at,
);

const LOCKED: LockedColumns = (
    blobs::id,
    blobs::digest,
    blobs::size,
    blobs::generation,
    blobs::condemned_at,
);

/// Those of these blobs that the repository of this id is linked to. They stay until this transaction ends: they are neither
/// condemned meanwhile nor forgotten.
///
/// Whoever needs a blob holds this lock, which many may hold, and whoever wants to take blobs away wants it for himself;
/// both ask for the locks of several blobs in the order of their digests, so nobody waits in a circle.
pub(crate) fn lock_linked(
    connection: &mut PgConnection,
    repository_id: i64,
    digests: &[&str],
) -> QueryResult<Vec<LockedBlob>> {
    // In a subquery: the link itself must not be locked, since whoever forgets the blob takes it away, blob first.
    let link = repository_blobs::table
        .filter(repository_blobs::blob_id.eq(blobs::id))
        .filter(repository_blobs::repository_id.eq(repository_id));
    blobs::table
        .filter(blobs::digest.eq_any(digests))
        .filter(exists(link))
        .order(blobs::digest)
        .select(LOCKED)
        .for_key_share()
        .load(connection)
}

/// Takes those of these blobs back that are condemned. They must be locked as [`lock_linked`] does.
pub(crate) fn keep(connection: &mut PgConnection, locked: &[LockedBlob]) -> QueryResult<()> {
    let condemned = locked.iter().filter(|blob| blob.condemned_at.is_some());
    let condemned: Vec<i64> = condemned.map(|blob| blob.id).collect();
    match condemned.is_empty() {
        true => Ok(()),
        false => make_live(connection, &condemned),
    }
}

/// Makes blobs live that are condemned, if no one else does.
pub(crate) fn make_live(connection: &mut PgConnection, ids: &[i64]) -> QueryResult<()> {
    let condemned: Vec<i64> = blobs::table
        .filter(blobs::id.eq_any(ids))
        .filter(blobs::state.ne(LIVE))
        .order(blobs::digest)
        .select(blobs::id)
        .for_no_key_update()
        .load(connection)?;
    diesel::update(blobs::table.filter(blobs::id.eq_any(condemned)))
        .set((blobs::state.eq(LIVE), blobs::condemned_at.eq(None::<i64>)))
        .execute(connection)?;
    Ok(())
}

/// The blob, if the repository is linked to it, and whether that is no promise yet that it stays.
pub(crate) fn find_promised(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    digest: &Digest,
    renew_before: i64,
) -> Result<Option<(Blob, bool)>, Failure> {
    let found: Option<LinkedRow> = linked_blob(repository.as_str(), digest.as_str())
        .first(connection)
        .optional()?;
    let Some((size, generation, condemned_at, linked_at)) = found else {
        return Ok(None);
    };
    let blob = blob_of(digest.clone(), size, generation)?;
    let needs_promise = condemned_at.is_some() || linked_at < renew_before;
    Ok(Some((blob, needs_promise)))
}

/// Renews the link between a repository and a blob, if there is one still, and takes the blob back
/// if it is condemned.
pub(crate) fn promise(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Blob>, Failure> {
    // Not locked: this changes nothing that the repository holds.
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(None);
    };
    let linked = lock_linked(connection, repository_id, &[digest.as_str()])?;
    let Some(blob) = linked.first() else {
        return Ok(None);
    };
    keep(connection, &linked)?;
    // Another replica's clock may be ahead, and its promise counts as well.
    diesel::update(repository_blobs::table.find((repository_id, blob.id)))
        .filter(repository_blobs::linked_at.lt(now()))
        .set(repository_blobs::linked_at.eq(now()))
        .execute(connection)?;
    find(connection, repository, digest)
}

/// Cuts the links of a repository and of its manifests to a blob.
pub(crate) fn unlink(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool, Failure> {
    let Some(repository_id) = repository_rows::lock(connection, repository)? else {
        return Ok(false);
    };
    let linked = lock_linked(connection, repository_id, &[digest.as_str()])?;
    let Some(blob) = linked.first() else {
        return Ok(false);
    };
    let link = repository_blobs::table.find((repository_id, blob.id));
    diesel::delete(link).execute(connection)?;
    // Whether a manifest is of the repository is looked up for each link to the blob, in all repositories: most blobs
    // have few, while a repository may have a hundred thousand manifests.
    let links = manifest_blobs::table
        .filter(manifest_blobs::blob_id.eq(blob.id))
        .filter(exists(manifest_of_link(repository_id)));
    diesel::update(links)
        .set(manifest_blobs::blob_id.eq(None::<i64>))
        .execute(connection)?;
    Ok(true)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn manifest_of_link(repository_id: i64) -> _ {
    manifests::table
        .filter(manifests::id.eq(manifest_blobs::manifest_id))
        .filter(manifests::repository_id.eq(repository_id))
}

/// The row of a blob, made or made live again where needed, with the generation that was published last, and locked at least as
/// [`lock_linked`] does.
fn record(connection: &mut PgConnection, blob: &Blob) -> Result<i64, Failure> {
    let size = to_integer(blob.size)?;
    let row = blobs::table
        .filter(blobs::digest.eq(blob.digest.as_str()))
        .select(LOCKED);
    // Whoever will change the row asks for that at once: who has a weaker lock by then may have to wait for one who waits for it.
    let found: Vec<LockedBlob> = match blob.generation {
        Some(_) => row.for_no_key_update().load(connection)?,
        None => row.for_key_share().load(connection)?,
    };
    let Some(row) = found.first() else {
        return insert(connection, blob, size);
    };
    if row.size != size {
        return Err(Failure::Metadata(MetadataError::SizeConflict {
            digest: blob.digest.clone(),
            recorded: to_number(row.size)?,
            given: blob.size,
        }));
    }
    keep(connection, &found)?;
    let generation = generation_text(blob.generation);
    if row.generation != generation {
        generations::replace(
            connection,
            row.id,
            &blob.digest,
            &row.generation,
            generation,
        )?;
    }
    Ok(row.id)
}

fn insert(connection: &mut PgConnection, blob: &Blob, size: i64) -> Result<i64, Failure> {
    let inserted: Option<i64> = diesel::insert_into(blobs::table)
        .values((
            blobs::digest.eq(blob.digest.as_str()),
            blobs::size.eq(size),
            blobs::generation.eq(generation_text(blob.generation)),
            blobs::state.eq(LIVE),
            blobs::stored_at.eq(now()),
        ))
        .on_conflict_do_nothing()
        .returning(blobs::id)
        .get_result(connection)
        .optional()?;
    inserted.ok_or(Failure::Changed)
}

fn link_to(
    connection: &mut PgConnection,
    repository_id: i64,
    blob_id: i64,
    digest: &Digest,
) -> QueryResult<()> {
    diesel::insert_into(repository_blobs::table)
        .values((
            repository_blobs::repository_id.eq(repository_id),
            repository_blobs::blob_id.eq(blob_id),
            repository_blobs::linked_at.eq(now()),
        ))
        .on_conflict((repository_blobs::repository_id, repository_blobs::blob_id))
        .do_update()
        .set(
            repository_blobs::linked_at.eq(diesel::dsl::case_when(
                repository_blobs::linked_at.lt(excluded(repository_blobs::linked_at)),
                excluded(repository_blobs::linked_at),
            )
            .otherwise(repository_blobs::linked_at)),
        )
        .execute(connection)?;
    // Manifests of the repository get the links back that `unlink` took.
    let links = manifest_blobs::table
        .filter(manifest_blobs::digest.eq(digest.as_str()))
        .filter(manifest_blobs::blob_id.is_null())
        .filter(exists(manifest_of_link(repository_id)));
    diesel::update(links)
        .set(manifest_blobs::blob_id.eq(blob_id))
        .execute(connection)?;
    Ok(())
}
