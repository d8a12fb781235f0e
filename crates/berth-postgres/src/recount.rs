//! Whether what triggers keep of the use of repositories and namespaces is what there is, and corrections of it.

use berth_metadata::MetadataError;
use berth_metadata::sql::usage::Count;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::PostgresMetadata;
use crate::failure::Failure;

/// Of all repositories: each table is read once.
const REPOSITORIES: &str = "
    SELECT name, stored_bytes, tag_count,
        (coalesce(of_blobs.bytes, 0) + coalesce(of_manifests.bytes, 0))::bigint AS bytes,
        coalesce(of_tags.tags, 0)::bigint AS tags
    FROM repositories
    LEFT JOIN (
        SELECT repository_id, sum(size) AS bytes
        FROM repository_blobs JOIN blobs ON blobs.id = blob_id GROUP BY repository_id
    ) AS of_blobs ON of_blobs.repository_id = repositories.id
    LEFT JOIN (
        SELECT repository_id, sum(size) AS bytes FROM manifests GROUP BY repository_id
    ) AS of_manifests ON of_manifests.repository_id = repositories.id
    LEFT JOIN (
        SELECT repository_id, count(*) AS tags FROM tags GROUP BY repository_id
    ) AS of_tags ON of_tags.repository_id = repositories.id
    ORDER BY name";

/// Of one, which must be locked.
const REPOSITORY: &str = "
    SELECT name, stored_bytes, tag_count,
        ((SELECT coalesce(sum(size), 0) FROM repository_blobs JOIN blobs ON blobs.id = blob_id
            WHERE repository_id = repositories.id)
        + (SELECT coalesce(sum(size), 0) FROM manifests WHERE repository_id = repositories.id))::bigint
            AS bytes,
        (SELECT count(*) FROM tags WHERE repository_id = repositories.id) AS tags
    FROM repositories WHERE name = $1";

/// Of all namespaces that are followed, from what is kept of their repositories. `0` comes after `/`.
const NAMESPACES: &str = "
    SELECT namespaces.name, namespaces.stored_bytes, namespaces.tag_count,
        coalesce(sum(repositories.stored_bytes), 0)::bigint AS bytes,
        coalesce(sum(repositories.tag_count), 0)::bigint AS tags
    FROM namespaces LEFT JOIN repositories
        ON repositories.name = namespaces.name
        OR (repositories.name > namespaces.name || '/' AND repositories.name < namespaces.name || '0')
    GROUP BY namespaces.name
    ORDER BY namespaces.name";

/// Corrects what is wrong, and tells what that was.
pub(crate) async fn recount(store: &PostgresMetadata) -> Result<Vec<String>, MetadataError> {
    // Nobody waits for this: only what is found wrong is counted once more, by the transaction that corrects it.
    let counts: Vec<Count> = store
        .read_state(|connection| {
            connection.batch_execute("SET LOCAL statement_timeout = 0")?;
            Ok(diesel::sql_query(REPOSITORIES).load(connection)?)
        })
        .await?;
    let mut corrections = Vec::new();
    for count in counts.into_iter().filter(Count::is_wrong) {
        let correcting = store.write(move |connection| correct_repository(connection, &count.name));
        corrections.extend(correcting.await?);
    }
    // After them: the namespaces follow the repositories, right or wrong, until they are corrected too.
    corrections.extend(store.write(correct_namespaces).await?);
    Ok(corrections)
}

fn correct_repository(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Option<String>, Failure> {
    diesel::sql_query("SELECT 1 FROM repositories WHERE name = $1 FOR NO KEY UPDATE")
        .bind::<Text, _>(name)
        .execute(connection)?;
    let count: Option<Count> = diesel::sql_query(REPOSITORY)
        .bind::<Text, _>(name)
        .get_result(connection)
        .optional()?;
    let Some(count) = count.filter(Count::is_wrong) else {
        return Ok(None);
    };
    diesel::sql_query("UPDATE repositories SET stored_bytes = $1, tag_count = $2 WHERE name = $3")
        .bind::<BigInt, _>(count.bytes)
        .bind::<BigInt, _>(count.tags)
        .bind::<Text, _>(name)
        .execute(connection)?;
    Ok(Some(count.correction("repository")))
}

fn correct_namespaces(connection: &mut PgConnection) -> Result<Vec<String>, Failure> {
    // As for the first count of one.
    connection.batch_execute("LOCK TABLE namespaces IN EXCLUSIVE MODE")?;
    let counts: Vec<Count> = diesel::sql_query(NAMESPACES).load(connection)?;
    let mut corrections = Vec::new();
    for count in counts.iter().filter(|count| count.is_wrong()) {
        diesel::sql_query(
            "UPDATE namespaces SET stored_bytes = $1, tag_count = $2 WHERE name = $3",
        )
        .bind::<BigInt, _>(count.bytes)
        .bind::<BigInt, _>(count.tags)
        .bind::<Text, _>(&count.name)
        .execute(connection)?;
        corrections.push(count.correction("namespace"));
    }
    Ok(corrections)
}
