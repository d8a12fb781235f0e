use berth_metadata::sql::pages::expired_uploads;
use berth_metadata::sql::rows::{UploadRow, parse_all};
use berth_metadata::sql::schema::uploads;
use berth_metadata::sql::stored::to_integer;
use berth_metadata::{MetadataError, UploadRecord, UploadRevision};
use berth_spec::SessionId;
use diesel::dsl::sql;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::failure::Failure;

pub(crate) fn create(connection: &mut PgConnection, upload: &UploadRecord) -> Result<(), Failure> {
    diesel::insert_into(uploads::table)
        .values(UploadRow::of(upload)?)
        .execute(connection)?;
    Ok(())
}

pub(crate) fn find(
    connection: &mut PgConnection,
    id: SessionId,
) -> Result<Option<UploadRecord>, Failure> {
    let row: Option<UploadRow> = uploads::table
        .find(id.to_string())
        .first(connection)
        .optional()?;
    Ok(row.map(UploadRow::record).transpose()?)
}

/// Of who goes by a lease, whether he took the session last. The revision alone would tell it, if none were ever lost: after a
/// failover that loses changes, two may have the same.
fn has_if_leased(
    holder: Option<&str>,
) -> Box<dyn BoxableExpression<uploads::table, Pg, SqlType = Bool> + '_> {
    match holder {
        Some(holder) => Box::new(
            sql::<Bool>("coalesce(holder = ")
                .bind::<Text, _>(holder)
                .sql(", false)"),
        ),
        None => Box::new(true.into_sql::<Bool>()),
    }
}

/// Replaces a record that still has the revision before, and gives its lease back, which was of that one. Of two replicas that do so at once, the second
/// waits for the row, and finds another revision.
pub(crate) fn update(
    connection: &mut PgConnection,
    upload: &UploadRecord,
) -> Result<bool, Failure> {
    let Some(before) = upload.revision.checked_sub(1) else {
        return Ok(false);
    };
    let updated = diesel::update(uploads::table.find(upload.id.to_string()))
        .filter(uploads::revision.eq(to_integer(before)?))
        .filter(has_if_leased(upload.holder.as_deref()))
        .set(UploadRow::of(upload)?)
        .execute(connection)?;
    Ok(updated > 0)
}

/// Removes a record that still has this revision.
pub(crate) fn delete(
    connection: &mut PgConnection,
    upload: &UploadRevision,
) -> Result<bool, Failure> {
    let deleted = diesel::delete(uploads::table.find(upload.id.to_string()))
        .filter(uploads::revision.eq(to_integer(upload.revision)?))
        .filter(has_if_leased(upload.holder.as_deref()))
        .execute(connection)?;
    Ok(deleted > 0)
}

/// Removes the record of a session whose blob is recorded in the same transaction.
pub(crate) fn finish(
    connection: &mut PgConnection,
    upload: &UploadRevision,
) -> Result<(), Failure> {
    match delete(connection, upload)? {
        true => Ok(()),
        false => Err(MetadataError::UploadChanged(upload.id).into()),
    }
}

/// Sessions that expired by `now`, in milliseconds.
pub(crate) fn expired(
    connection: &mut PgConnection,
    now: i64,
    limit: u32,
) -> Result<Vec<SessionId>, Failure> {
    let ids: Vec<String> = expired_uploads(now, limit).load(connection)?;
    Ok(parse_all(&ids)?)
}
