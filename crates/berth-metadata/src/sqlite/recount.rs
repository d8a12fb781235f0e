//! Whether what triggers keep of the use of repositories and namespaces is what there is, and corrections of it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use super::{SqliteMetadata, snapshot};
use crate::MetadataError;
use crate::sql::usage::Count;

/// Of all repositories: each table is read once.
const REPOSITORIES: &str = "
    SELECT name, stored_bytes, tag_count,
        coalesce(of_blobs.bytes, 0) + coalesce(of_manifests.bytes, 0) AS bytes,
        coalesce(of_tags.tags, 0) AS tags
    FROM repositories
    LEFT JOIN (
        SELECT repository_id, sum(size) AS bytes
        FROM repository_blobs CROSS JOIN blobs ON blobs.id = blob_id GROUP BY repository_id
    ) AS of_blobs ON of_blobs.repository_id = repositories.id
    LEFT JOIN (
        SELECT repository_id, sum(size) AS bytes FROM manifests NOT INDEXED GROUP BY repository_id
    ) AS of_manifests ON of_manifests.repository_id = repositories.id
    LEFT JOIN (
        SELECT repository_id, count(*) AS tags FROM tags GROUP BY repository_id
    ) AS of_tags ON of_tags.repository_id = repositories.id
    ORDER BY name";

/// Of one.
const REPOSITORY: &str = "
    SELECT name, stored_bytes, tag_count,
        (SELECT coalesce(sum(size), 0) FROM repository_blobs JOIN blobs ON blobs.id = blob_id
            WHERE repository_id = repositories.id)
        + (SELECT coalesce(sum(size), 0) FROM manifests WHERE repository_id = repositories.id)
            AS bytes,
        (SELECT count(*) FROM tags WHERE repository_id = repositories.id) AS tags
    FROM repositories WHERE name = ?";

/// Of all namespaces that are followed, from what is kept of their repositories. `0` comes after `/`.
const NAMESPACES: &str = "
    SELECT namespaces.name, namespaces.stored_bytes, namespaces.tag_count,
        coalesce(sum(repositories.stored_bytes), 0) AS bytes,
        coalesce(sum(repositories.tag_count), 0) AS tags
    FROM namespaces LEFT JOIN repositories
        ON repositories.name = namespaces.name
        OR (repositories.name > namespaces.name || '/' AND repositories.name < namespaces.name || '0')
    GROUP BY namespaces.name
    ORDER BY namespaces.name";

/// Corrects what is wrong, and tells what that was.
pub(super) async fn recount(store: &SqliteMetadata) -> Result<Vec<String>, MetadataError> {
    let path = store.path.clone();
    // On a connection of its own: readers are few, and this may take minutes. Nor is it for whoever writes to
    // wait for it: only what is found wrong is counted once more, in the transaction that corrects it.
    let counting = tokio::task::spawn_blocking(move || {
        let counts: Vec<Count> =
            diesel::sql_query(REPOSITORIES).load(&mut snapshot::connect(&path)?)?;
        Ok(counts)
    });
    let counts = counting
        .await
        .map_err(|error| MetadataError::Database(error.to_string()))
        .flatten()?;
    let wrong = counts.into_iter().filter(Count::is_wrong);
    let names: Vec<String> = wrong.map(|count| count.name).collect();
    // All at once: the namespaces follow the repositories, right or wrong, until they are corrected too.
    let correcting = store.write(move |connection| {
        let mut corrections = Vec::new();
        for name in &names {
            corrections.extend(correct_repository(connection, name)?);
        }
        corrections.extend(correct_namespaces(connection)?);
        Ok(corrections)
    });
    correcting.await
}

fn correct_repository(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<String>, MetadataError> {
    let count: Option<Count> = diesel::sql_query(REPOSITORY)
        .bind::<Text, _>(name)
        .get_result(connection)
        .optional()?;
    let Some(count) = count.filter(Count::is_wrong) else {
        return Ok(None);
    };
    diesel::sql_query("UPDATE repositories SET stored_bytes = ?, tag_count = ? WHERE name = ?")
        .bind::<BigInt, _>(count.bytes)
        .bind::<BigInt, _>(count.tags)
        .bind::<Text, _>(name)
        .execute(connection)?;
    Ok(Some(count.correction("repository")))
}

fn correct_namespaces(connection: &mut SqliteConnection) -> Result<Vec<String>, MetadataError> {
    let counts: Vec<Count> = diesel::sql_query(NAMESPACES).load(connection)?;
    let mut corrections = Vec::new();
    for count in counts.iter().filter(|count| count.is_wrong()) {
        diesel::sql_query("UPDATE namespaces SET stored_bytes = ?, tag_count = ? WHERE name = ?")
            .bind::<BigInt, _>(count.bytes)
            .bind::<BigInt, _>(count.tags)
            .bind::<Text, _>(&count.name)
            .execute(connection)?;
        corrections.push(count.correction("namespace"));
    }
    Ok(corrections)
}
