use berth_spec::{Digest, RepositoryName};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::upsert::excluded;

use super::{generations, now, repositories as repository_rows, usage};
use crate::sql::LIVE;
use crate::sql::pages::linked_blob;
use crate::sql::rows::{LinkedRow, blob_of, generation_text};
use crate::sql::schema::{blobs, manifest_blobs, manifests, repositories, repository_blobs};
use crate::sql::stored::{to_integer, to_number};
use crate::{Blob, Bounds, MetadataError};

/// Records a blob and links it to a repository.
pub(super) fn link(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    blob: &Blob,
    bounds: &Bounds,
) -> Result<(), MetadataError> {
    generations::refuse_forsaken(connection, blob)?;
    let blob_id = record(connection, blob)?;
    usage::add_within(connection, repository, bounds, |connection| {
        Ok(link_to(connection, repository, blob_id, &blob.digest)?)
    })
}

/// Id, size and generation of a blob.
type FromRow = (i64, i64, Option<String>);

/// A blob that a repository is linked to: this one, or any.
fn linked_from(
    connection: &mut SqliteConnection,
    from: Option<&RepositoryName>,
    digest: &Digest,
) -> QueryResult<Option<FromRow>> {
    let linked = repository_blobs::table
        .inner_join(blobs::table)
        .inner_join(repositories::table)
        .filter(blobs::digest.eq(digest.as_str()))
        .select((blobs::id, blobs::size, blobs::generation));
    match from {
        Some(from) => linked
            .filter(repositories::name.eq(from.as_str()))
            .first(connection)
            .optional(),
        None => linked.first(connection).optional(),
    }
}

/// The blob that would be mounted.
pub(super) fn mountable(
    connection: &mut SqliteConnection,
    from: Option<&RepositoryName>,
    digest: Digest,
) -> Result<Option<Blob>, MetadataError> {
    let found = linked_from(connection, from, &digest)?;
    let blob = found.map(|(_, size, generation)| blob_of(digest, size, generation));
    blob.transpose()
}

/// Links a blob that another repository has.
pub(super) fn mount(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    from: Option<&RepositoryName>,
    digest: &Digest,
    bounds: &Bounds,
) -> Result<Option<Blob>, MetadataError> {
    let found = linked_from(connection, from, digest)?;
    let Some((blob_id, size, generation)) = found else {
        return Ok(None);
    };
    make_live(connection, blob_id)?;
    usage::add_within(connection, repository, bounds, |connection| {
        Ok(link_to(connection, repository, blob_id, digest)?)
    })?;
    blob_of(digest.clone(), size, generation).map(Some)
}

/// The blob, if the repository is linked to it.
pub(super) fn find(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    digest: Digest,
) -> Result<Option<Blob>, MetadataError> {
    let found: Option<LinkedRow> = linked_blob(repository.as_str(), digest.as_str())
        .first(connection)
        .optional()?;
    let blob = found.map(|(size, generation, _, _)| blob_of(digest, size, generation));
    blob.transpose()
}

/// A blob that a repository is linked to.
#[derive(Clone, Copy, Queryable)]
pub(super) struct LinkedBlob {
    pub(super) id: i64,
    condemned_at: Option<i64>,
}

impl LinkedBlob {
    /// Takes the blob back, if it is condemned.
    pub(super) fn keep(self, connection: &mut SqliteConnection) -> QueryResult<()> {
        match self.condemned_at {
            Some(_) => make_live(connection, self.id),
            None => Ok(()),
        }
    }
}

/// The blob, if the repository of this id is linked to it.
pub(super) fn linked(
    connection: &mut SqliteConnection,
    repository_id: i64,
    digest: &Digest,
) -> QueryResult<Option<LinkedBlob>> {
    repository_blobs::table
        .inner_join(blobs::table)
        .filter(repository_blobs::repository_id.eq(repository_id))
        .filter(blobs::digest.eq(digest.as_str()))
        .select((blobs::id, blobs::condemned_at))
        .first(connection)
        .optional()
}

/// The blob, if the repository is linked to it, and whether that is no promise yet that it stays.
pub(super) fn find_promised(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    digest: Digest,
    renew_before: i64,
) -> Result<Option<(Blob, bool)>, MetadataError> {
    let found: Option<LinkedRow> = linked_blob(repository.as_str(), digest.as_str())
        .first(connection)
        .optional()?;
    let Some((size, generation, condemned_at, linked_at)) = found else {
        return Ok(None);
    };
    let needs_promise = condemned_at.is_some() || linked_at < renew_before;
    Ok(Some((blob_of(digest, size, generation)?, needs_promise)))
}

/// Renews the link between a repository and a blob, if there is one still, and takes the blob back
/// if it is condemned.
pub(super) fn promise(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Blob>, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(None);
    };
    let Some(blob) = linked(connection, repository_id, digest)? else {
        return Ok(None);
    };
    blob.keep(connection)?;
    diesel::update(repository_blobs::table.find((repository_id, blob.id)))
        .set(repository_blobs::linked_at.eq(now()))
        .execute(connection)?;
    find(connection, repository, digest.clone())
}

/// Cuts the links of a repository and of its manifests to a blob.
pub(super) fn unlink(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(false);
    };
    let Some(LinkedBlob { id: blob_id, .. }) = linked(connection, repository_id, digest)? else {
        return Ok(false);
    };
    let link = repository_blobs::table.find((repository_id, blob_id));
    diesel::delete(link).execute(connection)?;
    cut_links(repository_id, blob_id).execute(connection)?;
    Ok(true)
}

/// The row of a blob, made or made live again where needed, with the generation that was published last.
fn record(connection: &mut SqliteConnection, blob: &Blob) -> Result<i64, MetadataError> {
    let size = to_integer(blob.size)?;
    let generation = generation_text(blob.generation);
    let found: Option<(i64, i64, Option<String>)> = blobs::table
        .filter(blobs::digest.eq(blob.digest.as_str()))
        .select((blobs::id, blobs::size, blobs::generation))
        .first(connection)
        .optional()?;
    let Some((id, recorded, older)) = found else {
        return Ok(diesel::insert_into(blobs::table)
            .values((
                blobs::digest.eq(blob.digest.as_str()),
                blobs::size.eq(size),
                blobs::generation.eq(generation),
                blobs::state.eq(LIVE),
                blobs::stored_at.eq(now()),
            ))
            .returning(blobs::id)
            .get_result(connection)?);
    };
    if recorded != size {
        return Err(MetadataError::SizeConflict {
            digest: blob.digest.clone(),
            recorded: to_number(recorded)?,
            given: blob.size,
        });
    }
    make_live(connection, id)?;
    if older != generation {
        generations::replace(connection, id, &blob.digest, older, generation)?;
    }
    Ok(id)
}

pub(super) fn make_live(connection: &mut SqliteConnection, blob_id: i64) -> QueryResult<()> {
    diesel::update(blobs::table.find(blob_id))
        .filter(blobs::state.ne(LIVE))
        .set((blobs::state.eq(LIVE), blobs::condemned_at.eq(None::<i64>)))
        .execute(connection)?;
    Ok(())
}

fn link_to(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    blob_id: i64,
    digest: &Digest,
) -> QueryResult<()> {
    let repository_id = repository_rows::find_or_create(connection, repository)?;
    diesel::insert_into(repository_blobs::table)
        .values((
            repository_blobs::repository_id.eq(repository_id),
            repository_blobs::blob_id.eq(blob_id),
            repository_blobs::linked_at.eq(now()),
        ))
        .on_conflict((repository_blobs::repository_id, repository_blobs::blob_id))
        .do_update()
        .set(repository_blobs::linked_at.eq(excluded(repository_blobs::linked_at)))
        .execute(connection)?;
    restore_links(repository_id, digest, blob_id).execute(connection)?;
    Ok(())
}

/// Takes the links to a blob from the manifests of a repository. Whether a manifest is of the repository
/// is looked up for each link to the blob, in all repositories: most blobs have few, while a
/// repository may have a hundred thousand manifests.
fn cut_links(repository_id: i64, blob_id: i64) -> impl Change {
    let links = manifest_blobs::table
        .filter(manifest_blobs::blob_id.eq(blob_id))
        .filter(exists(manifest_of_link(repository_id)));
    diesel::update(links).set(manifest_blobs::blob_id.eq(None::<i64>))
}

/// Gives manifests of a repository back the links that [`cut_links`] took.
fn restore_links(repository_id: i64, digest: &Digest, blob_id: i64) -> impl Change {
    let links = manifest_blobs::table
        .filter(manifest_blobs::digest.eq(digest.as_str()))
        .filter(manifest_blobs::blob_id.is_null())
        .filter(exists(manifest_of_link(repository_id)));
    diesel::update(links).set(manifest_blobs::blob_id.eq(blob_id))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn manifest_of_link(repository_id: i64) -> _ {
    manifests::table
        .filter(manifests::id.eq(manifest_blobs::manifest_id))
        .filter(manifests::repository_id.eq(repository_id))
}

/// A statement that changes rows.
trait Change: QueryFragment<Sqlite> + QueryId + RunQueryDsl<SqliteConnection> {}

impl<T: QueryFragment<Sqlite> + QueryId + RunQueryDsl<SqliteConnection>> Change for T {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan::plan;

    #[test]
    fn links_are_found_by_their_blob_and_not_by_the_manifests_of_the_repository() {
        let digest = Digest::sha256(b"");
        for (plan, index) in [
            (plan(&cut_links(1, 1)), "manifest_blobs_of_blob (blob_id=?)"),
            (
                plan(&restore_links(1, &digest, 1)),
                "manifest_blobs_unlinked (digest=?)",
            ),
        ] {
            let (links, manifest) = plan.split_once("; ").unwrap();
            assert!(links.starts_with("SEARCH manifest_blobs"), "{plan}");
            assert!(links.ends_with(index), "{plan}");
            assert!(
                manifest.ends_with("SEARCH manifests USING INTEGER PRIMARY KEY (rowid=?)"),
                "{plan}"
            );
        }
    }
}
