use berth_spec::SessionId;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::sql::pages::expired_uploads;
use crate::sql::rows::{UploadRow, parse_all};
use crate::sql::schema::uploads;
use crate::sql::stored::to_integer;
use crate::{MetadataError, UploadRecord, UploadRevision};

pub(super) fn create(
    connection: &mut SqliteConnection,
    upload: &UploadRecord,
) -> Result<(), MetadataError> {
    diesel::insert_into(uploads::table)
        .values(UploadRow::of(upload)?)
        .execute(connection)?;
    Ok(())
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    id: SessionId,
) -> Result<Option<UploadRecord>, MetadataError> {
    let row: Option<UploadRow> = uploads::table
        .find(id.to_string())
        .first(connection)
        .optional()?;
    row.map(UploadRow::record).transpose()
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
        .set(UploadRow::of(upload)?)
        .execute(connection)?;
    Ok(updated > 0)
}

/// Removes a record that still has this revision.
pub(super) fn delete(
    connection: &mut SqliteConnection,
    upload: &UploadRevision,
) -> Result<bool, MetadataError> {
    let deleted = diesel::delete(uploads::table.find(upload.id.to_string()))
        .filter(uploads::revision.eq(to_integer(upload.revision)?))
        .execute(connection)?;
    Ok(deleted > 0)
}

/// Removes the record of a session whose blob is recorded in the same transaction.
pub(super) fn finish(
    connection: &mut SqliteConnection,
    upload: &UploadRevision,
) -> Result<(), MetadataError> {
    match delete(connection, upload)? {
        true => Ok(()),
        false => Err(MetadataError::UploadChanged(upload.id)),
    }
}

/// Sessions that expired by `now`, in milliseconds.
pub(super) fn expired(
    connection: &mut SqliteConnection,
    now: i64,
    limit: u32,
) -> Result<Vec<SessionId>, MetadataError> {
    let ids: Vec<String> = expired_uploads(now, limit).load(connection)?;
    parse_all(&ids)
}
