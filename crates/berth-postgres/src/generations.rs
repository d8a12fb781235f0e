//! Which publication of a blob's bytes is meant, and which none ever will be. Who records one and who gives it up must not both succeed,
//! and there is no row yet that both could lock: so both lock a number that is made of its name.

use std::collections::{BTreeSet, HashSet};

use berth_metadata::sql::rows::{BlobNameRow, blob_name, generation_text};
use berth_metadata::sql::schema::{blobs, forsaken_blobs};
use berth_metadata::{Blob, MetadataError};
use berth_spec::{BlobName, Generation};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Integer;

use crate::failure::Failure;

/// The first number of these advisory locks; the second is that of a generation. "gene" in ASCII.
const GENERATIONS: i32 = 0x6765_6e65;

/// Makes sure that a blob which is about to be recorded is not forsaken, nor will be before the end of this transaction.
pub(crate) fn claim(connection: &mut PgConnection, blob: &Blob) -> Result<(), Failure> {
    let Some(generation) = blob.generation else {
        return Ok(());
    };
    lock(connection, number(generation))?;
    // By another statement, which sees what those who had the lock before have committed.
    let forsaken = forsaken_blobs::table
        .find(generation.to_string())
        .select(forsaken_blobs::generation)
        .first::<String>(connection);
    match forsaken.optional()? {
        Some(_) => Err(MetadataError::Forsaken(blob.name()).into()),
        None => Ok(()),
    }
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

/// Sees to it that those of these names that are not recorded never will be, if they have a generation.
pub(crate) fn forsake(
    connection: &mut PgConnection,
    names: &[BlobName],
) -> Result<Vec<BlobName>, Failure> {
    let generations = names.iter().filter_map(|name| name.generation);
    // In one order, so that nobody waits in a circle: whoever records one holds its lock before all others.
    let numbers: BTreeSet<i32> = generations.map(number).collect();
    for number in numbers {
        lock(connection, number)?;
    }
    let mut forsaken: Vec<BlobName> = unrecorded(connection, names)?.into_iter().collect();
    forsaken.retain(|name| name.generation.is_some());
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
    Ok(forsaken)
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
