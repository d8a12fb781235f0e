//! Who needs some content. Manifests list manifests that list manifests: this takes a recursive query,
//! which diesel has no words for.

use berth_metadata::sql::rows::parse_all;
use berth_metadata::sql::schema::{
    blobs, manifest_blobs, manifests, repositories, repository_blobs,
};
use berth_metadata::sql::stored::{parse, to_number};
use berth_metadata::{Listed, ManifestUser, MetadataError, TagUser, Users};
use berth_spec::{Digest, RepositoryName};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use crate::failure::Failure;

const NEEDING: &str = "
    WITH RECURSIVE needing (id) AS (
        SELECT unnest($1)
        UNION
        SELECT parent.id
        FROM needing
        JOIN manifests AS child ON child.id = needing.id
        JOIN manifest_manifests ON manifest_manifests.child_digest = child.digest
        JOIN manifests AS parent ON parent.id = manifest_manifests.parent_id
            AND parent.repository_id = child.repository_id
    )";

const MANIFESTS: &str = "
    SELECT repositories.name AS repository, manifests.digest AS name,
        (SELECT count(*) FROM needing) AS total
    FROM needing
    JOIN manifests ON manifests.id = needing.id
    JOIN repositories ON repositories.id = manifests.repository_id
    ORDER BY repositories.name, manifests.digest
    LIMIT $2";

const TAGS: &str = "
    SELECT repositories.name AS repository, tags.name AS name,
        (SELECT count(*) FROM needing JOIN tags ON tags.manifest_id = needing.id) AS total
    FROM needing
    JOIN tags ON tags.manifest_id = needing.id
    JOIN repositories ON repositories.id = tags.repository_id
    ORDER BY repositories.name, tags.name
    LIMIT $2";

pub(crate) fn of_blob(
    connection: &mut PgConnection,
    digest: &Digest,
    limit: u32,
) -> Result<Users, Failure> {
    let linked: Vec<i64> = manifest_blobs::table
        .inner_join(blobs::table)
        .filter(blobs::digest.eq(digest.as_str()))
        .select(manifest_blobs::manifest_id)
        .load(connection)?;
    Ok(Users {
        repositories: linked_repositories(connection, digest, limit)?,
        manifests: needing_manifests(connection, &linked, limit)?,
        tags: needing_tags(connection, &linked, limit)?,
    })
}

pub(crate) fn of_manifest(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    digest: &Digest,
    limit: u32,
) -> Result<Users, Failure> {
    let itself: Vec<i64> = manifests::table
        .inner_join(repositories::table)
        .filter(repositories::name.eq(repository.as_str()))
        .filter(manifests::digest.eq(digest.as_str()))
        .select(manifests::id)
        .load(connection)?;
    let repository = itself.first().map(|_| repository.clone());
    Ok(Users {
        repositories: Listed::of(repository, limit),
        manifests: needing_manifests(connection, &itself, limit)?,
        tags: needing_tags(connection, &itself, limit)?,
    })
}

fn linked_repositories(
    connection: &mut PgConnection,
    digest: &Digest,
    limit: u32,
) -> Result<Listed<RepositoryName>, Failure> {
    let linked = repository_blobs::table
        .inner_join(blobs::table)
        .inner_join(repositories::table)
        .filter(blobs::digest.eq(digest.as_str()));
    let total: i64 = linked.count().first(connection)?;
    let names: Vec<String> = linked
        .order(repositories::name)
        .select(repositories::name)
        .limit(i64::from(limit))
        .load(connection)?;
    Ok(listed(parse_all(&names)?, to_number(total)?))
}

fn listed<T>(first: Vec<T>, total: u64) -> Listed<T> {
    let more = total.saturating_sub(first.len() as u64);
    Listed { first, more }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    repository: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    total: i64,
}

/// These manifests, and all that list them in their own repositories.
fn needing_manifests(
    connection: &mut PgConnection,
    first: &[i64],
    limit: u32,
) -> Result<Listed<ManifestUser>, Failure> {
    list(connection, MANIFESTS, first, limit, |row| {
        Ok(ManifestUser {
            repository: parse(&row.repository)?,
            digest: parse(&row.name)?,
        })
    })
}

/// The tags of these.
fn needing_tags(
    connection: &mut PgConnection,
    first: &[i64],
    limit: u32,
) -> Result<Listed<TagUser>, Failure> {
    list(connection, TAGS, first, limit, |row| {
        Ok(TagUser {
            repository: parse(&row.repository)?,
            tag: parse(&row.name)?,
        })
    })
}

fn list<T>(
    connection: &mut PgConnection,
    list: &str,
    first: &[i64],
    limit: u32,
    entry: impl Fn(&Row) -> Result<T, MetadataError>,
) -> Result<Listed<T>, Failure> {
    let rows: Vec<Row> = diesel::sql_query(format!("{NEEDING} {list}"))
        .bind::<Array<BigInt>, _>(first)
        // One at least: each row tells how many there are.
        .bind::<BigInt, _>(i64::from(limit.max(1)))
        .load(connection)?;
    let total = rows.first().map_or(Ok(0), |row| to_number(row.total))?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let entries = rows.iter().take(limit).map(entry);
    Ok(listed(entries.collect::<Result<_, _>>()?, total))
}
