use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use secrecy::ExposeSecret;

use crate::sqlite::schema::signing_keys;
use crate::store::{milliseconds, time_of};
use crate::{MetadataError, SigningKeyRecord};

/// All of them, the newest first. They are few.
pub(super) fn list(
    connection: &mut SqliteConnection,
) -> Result<Vec<SigningKeyRecord>, MetadataError> {
    let rows: Vec<(String, String, i64)> = signing_keys::table
        .order((signing_keys::created_at.desc(), signing_keys::id.desc()))
        .load(connection)?;
    let record = |(id, private_key, created_at): (String, String, i64)| SigningKeyRecord {
        id,
        private_key: private_key.into(),
        created_at: time_of(created_at),
    };
    Ok(rows.into_iter().map(record).collect())
}

pub(super) fn add(
    connection: &mut SqliteConnection,
    key: &SigningKeyRecord,
    unless_since: i64,
) -> Result<bool, MetadataError> {
    let newer = signing_keys::table.filter(signing_keys::created_at.gt(unless_since));
    if diesel::select(exists(newer)).get_result(connection)? {
        return Ok(false);
    }
    let added = diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::id.eq(&key.id),
            signing_keys::private_key.eq(key.private_key.expose_secret()),
            signing_keys::created_at.eq(milliseconds(key.created_at)),
        ))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(added > 0)
}

pub(super) fn forget(connection: &mut SqliteConnection, before: i64) -> Result<u64, MetadataError> {
    let newest: Option<String> = signing_keys::table
        .order((signing_keys::created_at.desc(), signing_keys::id.desc()))
        .select(signing_keys::id)
        .first(connection)
        .optional()?;
    let Some(newest) = newest else {
        return Ok(0);
    };
    let old = signing_keys::table
        .filter(signing_keys::created_at.lt(before))
        .filter(signing_keys::id.ne(newest));
    Ok(diesel::delete(old).execute(connection)? as u64)
}
