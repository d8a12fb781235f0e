//! Which publication of a blob's bytes is meant, and which none ever will be. Who records one and who gives it up must not both succeed,
//! and there is no row yet that both could lock: so both lock a number that is made of its name.

use std::collections::{BTreeSet, HashSet};

use berth_metadata::sql::pages::replaced_page;
use berth_metadata::sql::rows::{self, BlobNameRow, ReplacedRow, blob_name, generation_text};
use berth_metadata::sql::schema::{blobs, forsaken_blobs, replaced_blobs};
use berth_metadata::{Blob, MetadataError};
use berth_spec::{BlobName, Digest, Generation};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use diesel::upsert::excluded;

use crate::failure::Failure;
use crate::now;

/// The first number of these advisory locks; the second is that of a generation. "gene" in ASCII.
const GENERATIONS: i32 = 0x6765_6e65;

/// Makes sure that a blob which is about to be recorded is not forsaken, nor will be before the end of this transaction.
pub(crate) fn claim(connection: &mut PgConnection, blob: &Blob) -> Result<(), Failure> {
    match is_forsaken(connection, &blob.name())? {
        true => Err(MetadataError::Forsaken(blob.name()).into()),
        false => Ok(()),
    }
}

/// Whether a name is forsaken; if not, it will not be before the end of this transaction.
fn is_forsaken(connection: &mut PgConnection, name: &BlobName) -> QueryResult<bool> {
    let Some(generation) = name.generation else {
        return Ok(false);
    };
    lock(connection, number(generation))?;
    // By another statement, which sees what those who had the lock before have committed.
    let forsaken = forsaken_blobs::table
        .find(generation.to_string())
        .select(forsaken_blobs::generation)
        .first::<String>(connection);
    Ok(forsaken.optional()?.is_some())
}

/// Those of these names that are not those of a recorded blob.
pub(crate) fn unrecorded(
    connection: &mut PgConnection,
    names: &[BlobName],
) -> Result<HashSet<BlobName>, Failure> {
    let mut unrecorded: HashSet<BlobName> = names.iter().cloned().collect();
    let digests: Vec<&str> = names.iter().map(|name| name.digest.as_str()).collect();
    let recorded: Vec<BlobNameRow> = blobs::table
        .filter(blobs::digest.eq_any(digests))
        .select((blobs::digest, blobs::generation))
        .load(connection)?;
    for row in recorded {
        unrecorded.remove(&blob_name(row)?);
    }
    Ok(unrecorded)
}

/// Makes a blob mean another generation, and writes down the one that it meant before. The row must be locked.
pub(crate) fn replace(
    connection: &mut PgConnection,
    id: i64,
    digest: &Digest,
    older: &Option<String>,
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
pub(crate) fn replaced(
    connection: &mut PgConnection,
    after: Option<&BlobName>,
    replaced_before: i64,
    limit: u32,
) -> Result<Vec<BlobName>, Failure> {
    let digest = after.map(|name| name.digest.as_str()).unwrap_or_default();
    let generation = after.and_then(|name| generation_text(name.generation));
    let generation = generation.unwrap_or_default();
    let page = replaced_page(digest, &generation, replaced_before, limit);
    let rows: Vec<ReplacedRow> = page.load(connection)?;
    Ok(rows::replaced(rows)?)
}

/// Sees to it that those of these names that are not recorded never will be, if they have a generation and were not replaced lately.
pub(crate) fn forsake(
    connection: &mut PgConnection,
    names: &[BlobName],
    replaced_before: i64,
) -> Result<Vec<BlobName>, Failure> {
    let generations = names.iter().filter_map(|name| name.generation);
    // In one order, so that nobody waits in a circle: whoever records one holds its lock before all others.
    let numbers: BTreeSet<i32> = generations.clone().map(number).collect();
    for number in numbers {
        lock(connection, number)?;
    }
    let generations: BTreeSet<String> = generations.map(|it| it.to_string()).collect();
    let unrecorded = unrecorded(connection, names)?;
    // By a later statement: whatever replaced one that is unrecorded has written that down.
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
    let rows: Vec<_> = forsaken
        .iter()
        .map(|name| {
            let generation = generation_text(name.generation);
            (
                generation.map(|generation| forsaken_blobs::generation.eq(generation)),
                forsaken_blobs::digest.eq(name.digest.as_str()),
            )
        })
        .collect();
    diesel::insert_into(forsaken_blobs::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(connection)?;
    // Locked in one order first: whoever replaces a blob holds its row meanwhile, and nobody else deletes these.
    let done: Vec<String> = replaced_blobs::table
        .filter(replaced_blobs::generation.eq_any(&generations))
        .filter(replaced_blobs::replaced_at.le(replaced_before))
        .order(replaced_blobs::generation)
        .select(replaced_blobs::generation)
        .for_update()
        .load(connection)?;
    diesel::delete(replaced_blobs::table.filter(replaced_blobs::generation.eq_any(done)))
        .execute(connection)?;
    Ok(forsaken)
}

/// Makes a blob mean bytes that were found instead of those that are lost.
pub(crate) fn adopt(
    connection: &mut PgConnection,
    lost: &BlobName,
    found: &BlobName,
) -> Result<bool, Failure> {
    if lost.digest != found.digest || is_forsaken(connection, found)? {
        return Ok(false);
    }
    let older = generation_text(lost.generation);
    let recorded: Option<(i64, Option<String>)> = blobs::table
        .filter(blobs::digest.eq(lost.digest.as_str()))
        .select((blobs::id, blobs::generation))
        .for_no_key_update()
        .first(connection)
        .optional()?;
    let Some((id, _)) = recorded.filter(|(_, generation)| *generation == older) else {
        return Ok(false);
    };
    if lost != found {
        let newer = generation_text(found.generation);
        replace(connection, id, &lost.digest, &older, newer)?;
    }
    Ok(true)
}

/// Two generations of one number wait for each other, and nothing worse.
fn number(generation: Generation) -> i32 {
    let text = generation.to_string();
    let start = u32::from_str_radix(&text[..8], 16);
    start.unwrap_or_default().cast_signed()
}

fn lock(connection: &mut PgConnection, number: i32) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind::<Integer, _>(GENERATIONS)
        .bind::<Integer, _>(number)
        .execute(connection)?;
    Ok(())
}
