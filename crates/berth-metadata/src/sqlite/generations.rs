//! Which publication of a blob's bytes is meant, which was until lately, and which none ever will be.

use std::collections::HashSet;

use berth_spec::{BlobName, Digest};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use diesel::upsert::excluded;

use super::now;
use crate::sql::pages::replaced_page;
use crate::sql::rows::{self, BlobNameRow, ReplacedRow, blob_name, generation_text};
use crate::sql::schema::{blobs, forsaken_blobs, replaced_blobs};
use crate::{Blob, MetadataError};

/// Who links a blob has published its bytes before: they may have been removed since, if they were forsaken.
pub(super) fn refuse_forsaken(
    connection: &mut SqliteConnection,
    blob: &Blob,
) -> Result<(), MetadataError> {
    match is_forsaken(connection, &blob.name())? {
        true => Err(MetadataError::Forsaken(blob.name())),
        false => Ok(()),
    }
}

fn is_forsaken(connection: &mut SqliteConnection, name: &BlobName) -> QueryResult<bool> {
    let Some(generation) = generation_text(name.generation) else {
        return Ok(false);
    };
    let forsaken = forsaken_blobs::table
        .find(generation)
        .select(forsaken_blobs::generation)
        .first::<String>(connection);
    Ok(forsaken.optional()?.is_some())
}

/// Those of these names that are not those of a recorded blob.
pub(super) fn unrecorded(
    connection: &mut SqliteConnection,
    names: &[BlobName],
) -> Result<HashSet<BlobName>, MetadataError> {
    let mut unrecorded: HashSet<BlobName> = names.iter().cloned().collect();
    let digests: HashSet<&str> = names.iter().map(|name| name.digest.as_str()).collect();
    let recorded: Vec<BlobNameRow> = blobs::table
        .filter(blobs::digest.eq_any(digests))
        .select((blobs::digest, blobs::generation))
        .load(connection)?;
    for row in recorded {
        unrecorded.remove(&blob_name(row)?);
    }
    Ok(unrecorded)
}

/// Makes a blob mean another generation, and writes down the one that it meant before.
pub(super) fn replace(
    connection: &mut SqliteConnection,
    id: i64,
    digest: &Digest,
    older: Option<String>,
    newer: Option<String>,
) -> QueryResult<()> {
    diesel::update(blobs::table.find(id))
        .set(blobs::generation.eq(&newer))
        .execute(connection)?;
    if let Some(newer) = newer {
        diesel::delete(replaced_blobs::table.find(newer)).execute(connection)?;
    }
    let Some(older) = older else {
        return Ok(());
    };
    diesel::insert_into(replaced_blobs::table)
        .values((
            replaced_blobs::generation.eq(older),
            replaced_blobs::digest.eq(digest.as_str()),
            replaced_blobs::replaced_at.eq(now()),
        ))
        .on_conflict(replaced_blobs::generation)
        .do_update()
        .set(replaced_blobs::replaced_at.eq(excluded(replaced_blobs::replaced_at)))
        .execute(connection)?;
    Ok(())
}

/// What was replaced at some time or before.
pub(super) fn replaced(
    connection: &mut SqliteConnection,
    after: Option<&BlobName>,
    replaced_before: i64,
    limit: u32,
) -> Result<Vec<BlobName>, MetadataError> {
    let digest = after.map(|name| name.digest.as_str()).unwrap_or_default();
    let generation = after.and_then(|name| generation_text(name.generation));
    let generation = generation.unwrap_or_default();
    let page = replaced_page(digest, &generation, replaced_before, limit);
    let rows: Vec<ReplacedRow> = page.load(connection)?;
    rows::replaced(rows)
}

/// Sees to it that those of these names that are not recorded never will be, if they have a generation.
pub(super) fn forsake(
    connection: &mut SqliteConnection,
    names: &[BlobName],
    replaced_before: i64,
) -> Result<Vec<BlobName>, MetadataError> {
    let unrecorded = unrecorded(connection, names)?;
    let generations = names
        .iter()
        .filter_map(|name| generation_text(name.generation));
    let generations: HashSet<String> = generations.collect();
    let lately: HashSet<String> = replaced_blobs::table
        .filter(replaced_blobs::generation.eq_any(&generations))
        .filter(replaced_blobs::replaced_at.gt(replaced_before))
        .select(replaced_blobs::generation)
        .load(connection)?
        .into_iter()
        .collect();
    let is_over = |name: &BlobName| {
        let generation = generation_text(name.generation);
        generation.is_some_and(|generation| !lately.contains(&generation))
    };
    let mut forsaken: Vec<BlobName> = unrecorded.into_iter().filter(is_over).collect();
    forsaken.sort();
    for name in &forsaken {
        let generation = generation_text(name.generation);
        diesel::insert_or_ignore_into(forsaken_blobs::table)
            .values((
                generation.map(|generation| forsaken_blobs::generation.eq(generation)),
                forsaken_blobs::digest.eq(name.digest.as_str()),
            ))
            .execute(connection)?;
    }
    diesel::delete(replaced_blobs::table)
        .filter(replaced_blobs::generation.eq_any(&generations))
        .filter(replaced_blobs::replaced_at.le(replaced_before))
        .execute(connection)?;
    Ok(forsaken)
}

/// Makes a blob mean bytes that were found instead of those that are lost.
pub(super) fn adopt(
    connection: &mut SqliteConnection,
    lost: &BlobName,
    found: &BlobName,
) -> Result<bool, MetadataError> {
    if lost.digest != found.digest || is_forsaken(connection, found)? {
        return Ok(false);
    }
    let older = generation_text(lost.generation);
    let recorded: Option<(i64, Option<String>)> = blobs::table
        .filter(blobs::digest.eq(lost.digest.as_str()))
        .select((blobs::id, blobs::generation))
        .first(connection)
        .optional()?;
    let Some((id, _)) = recorded.filter(|(_, generation)| *generation == older) else {
        return Ok(false);
    };
    if lost != found {
        let newer = generation_text(found.generation);
        replace(connection, id, &lost.digest, older, newer)?;
    }
    Ok(true)
}
