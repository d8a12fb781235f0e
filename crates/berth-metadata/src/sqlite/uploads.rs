use berth_spec::SessionId;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::now;
use super::schema::uploads;
use super::stored::{parse, to_integer, to_number};
use crate::store::time_of;
use crate::{MetadataError, UploadRecord};

pub(super) fn create(
    connection: &mut SqliteConnection,
    upload: &UploadRecord,
) -> Result<(), MetadataError> {
    diesel::insert_into(uploads::table)
        .values((
            uploads::id.eq(upload.id.to_string()),
            uploads::repository.eq(upload.repository.as_str()),
            uploads::algorithm.eq(upload.algorithm.as_str()),
            uploads::offset.eq(to_integer(upload.offset)?),
            uploads::hash_state.eq(&upload.hash_state),
            uploads::revision.eq(to_integer(upload.revision)?),
            uploads::updated_at.eq(now()),
            uploads::expires_at.eq(upload.expires_at_milliseconds()),
        ))
        .execute(connection)?;
    Ok(())
}

#[derive(Queryable)]
struct UploadRow {
    id: String,
    repository: String,
    algorithm: String,
    offset: i64,
    hash_state: Vec<u8>,
    revision: i64,
    _updated_at: i64,
    expires_at: i64,
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    id: SessionId,
) -> Result<Option<UploadRecord>, MetadataError> {
    let row: Option<UploadRow> = uploads::table
        .find(id.to_string())
        .first(connection)
        .optional()?;
    row.map(record).transpose()
}

fn record(row: UploadRow) -> Result<UploadRecord, MetadataError> {
    Ok(UploadRecord {
        id: parse(&row.id)?,
        repository: parse(&row.repository)?,
        algorithm: parse(&row.algorithm)?,
        offset: to_number(row.offset)?,
        hash_state: row.hash_state,
        revision: to_number(row.revision)?,
        expires_at: time_of(row.expires_at),
    })
}

/// Replaces a record that still has the revision before.
pub(super) fn update(
    connection: &mut SqliteConnection,
    upload: &UploadRecord,
) -> Result<bool, MetadataError> {
    let Some(before) = upload.revision.checked_sub(1) else {
        return Ok(false);
    };
    let updated = diesel::update(uploads::table.find(upload.id.to_string()))
        .filter(uploads::revision.eq(to_integer(before)?))
        .set((
            uploads::repository.eq(upload.repository.as_str()),
            uploads::algorithm.eq(upload.algorithm.as_str()),
            uploads::offset.eq(to_integer(upload.offset)?),
            uploads::hash_state.eq(&upload.hash_state),
            uploads::revision.eq(to_integer(upload.revision)?),
            uploads::updated_at.eq(now()),
            uploads::expires_at.eq(upload.expires_at_milliseconds()),
        ))
        .execute(connection)?;
    Ok(updated > 0)
}

pub(super) fn delete(
    connection: &mut SqliteConnection,
    id: SessionId,
) -> Result<bool, MetadataError> {
    let deleted = diesel::delete(uploads::table.find(id.to_string())).execute(connection)?;
    Ok(deleted > 0)
}

/// Sessions that expired by `now`, in milliseconds.
pub(super) fn expired(
    connection: &mut SqliteConnection,
    now: i64,
    limit: u32,
) -> Result<Vec<SessionId>, MetadataError> {
    let ids: Vec<String> = uploads::table
        .filter(uploads::expires_at.le(now))
        .order((uploads::expires_at, uploads::id))
        .select(uploads::id)
        .limit(i64::from(limit))
        .load(connection)?;
    ids.iter().map(|id| parse(id)).collect()
}
