//! Who needs some content. Manifests list manifests that list manifests: this takes a recursive query,
//! which diesel has no words for.

use berth_spec::{Digest, RepositoryName};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use crate::sql::rows::parse_all;
use crate::sql::schema::{blobs, repositories, repository_blobs};
use crate::sql::stored::{parse, to_number};
use crate::{Listed, ManifestUser, MetadataError, TagUser, Users};

/// The manifests that are linked to a blob.
const LINKED_TO_BLOB: &str = "
    SELECT manifest_blobs.manifest_id
    FROM blobs JOIN manifest_blobs ON manifest_blobs.blob_id = blobs.id
    WHERE blobs.digest = ?1";

/// One manifest.
const ITSELF: &str = "
    SELECT manifests.id
    FROM repositories JOIN manifests ON manifests.repository_id = repositories.id
    WHERE manifests.digest = ?1 AND repositories.name = ?2";

const MANIFESTS: &str = "
    SELECT repositories.name AS repository, manifests.digest AS name,
        (SELECT count(*) FROM needing) AS total
    FROM needing
    JOIN manifests ON manifests.id = needing.id
    JOIN repositories ON repositories.id = manifests.repository_id
    ORDER BY repositories.name, manifests.digest
    LIMIT ?3";

const TAGS: &str = "
    SELECT repositories.name AS repository, tags.name AS name,
        (SELECT count(*) FROM needing JOIN tags ON tags.manifest_id = needing.id) AS total
    FROM needing
    JOIN tags ON tags.manifest_id = needing.id
    JOIN repositories ON repositories.id = tags.repository_id
    ORDER BY repositories.name, tags.name
    LIMIT ?3";

pub(super) fn of_blob(
    connection: &mut SqliteConnection,
    digest: &Digest,
    limit: u32,
) -> Result<Users, MetadataError> {
    let needing = Needing {
        first: LINKED_TO_BLOB,
        digest,
        repository: "",
        limit,
    };
    Ok(Users {
        repositories: linked_repositories(connection, digest, limit)?,
        manifests: needing.manifests(connection)?,
        tags: needing.tags(connection)?,
    })
}

pub(super) fn of_manifest(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    digest: &Digest,
    limit: u32,
) -> Result<Users, MetadataError> {
    let needing = Needing {
        first: ITSELF,
        digest,
        repository: repository.as_str(),
        limit,
    };
    let manifests = needing.manifests(connection)?;
    let is_there = manifests.count() > 0;
    Ok(Users {
        repositories: Listed::of(is_there.then(|| repository.clone()), limit),
        manifests,
        tags: needing.tags(connection)?,
    })
}

fn linked_repositories(
    connection: &mut SqliteConnection,
    digest: &Digest,
    limit: u32,
) -> Result<Listed<RepositoryName>, MetadataError> {
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
    listed(parse_all(&names)?, to_number(total)?)
}

fn listed<T>(first: Vec<T>, total: u64) -> Result<Listed<T>, MetadataError> {
    let more = total.saturating_sub(first.len() as u64);
    Ok(Listed { first, more })
}

/// Manifests, and all that list them in their own repositories.
struct Needing<'a> {
    first: &'static str,
    digest: &'a Digest,
    repository: &'a str,
    limit: u32,
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

impl Needing<'_> {
    fn manifests(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Listed<ManifestUser>, MetadataError> {
        self.list(connection, MANIFESTS, |row| {
            Ok(ManifestUser {
                repository: parse(&row.repository)?,
                digest: parse(&row.name)?,
            })
        })
    }

    fn tags(&self, connection: &mut SqliteConnection) -> Result<Listed<TagUser>, MetadataError> {
        self.list(connection, TAGS, |row| {
            Ok(TagUser {
                repository: parse(&row.repository)?,
                tag: parse(&row.name)?,
            })
        })
    }

    fn list<T>(
        &self,
        connection: &mut SqliteConnection,
        list: &str,
        entry: impl Fn(&Row) -> Result<T, MetadataError>,
    ) -> Result<Listed<T>, MetadataError> {
        let first = self.first;
        let rows: Vec<Row> = diesel::sql_query(format!(
            "WITH RECURSIVE needing (id) AS ({first}
                UNION
                SELECT parent.id
                FROM needing
                JOIN manifests AS child ON child.id = needing.id
                JOIN manifest_manifests ON manifest_manifests.child_digest = child.digest
                JOIN manifests AS parent ON parent.id = manifest_manifests.parent_id
                    AND parent.repository_id = child.repository_id
            ) {list}"
        ))
        .bind::<Text, _>(self.digest.as_str())
        .bind::<Text, _>(self.repository)
        // One at least: each row tells how many there are.
        .bind::<BigInt, _>(i64::from(self.limit.max(1)))
        .load(connection)?;
        let total = rows.first().map_or(Ok(0), |row| to_number(row.total))?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let first = rows.iter().take(limit).map(entry);
        listed(first.collect::<Result<_, _>>()?, total)
    }
}
