use berth_metadata::SigningKeyRecord;
use berth_metadata::sql::rows::{self, SigningKeyRow};
use berth_metadata::sql::schema::signing_keys;
use berth_metadata::sql::stored::milliseconds;
use diesel::connection::SimpleConnection;
use diesel::dsl::exists;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use secrecy::ExposeSecret;

use crate::failure::Failure;

/// All of them, the newest first. They are few.
pub(crate) fn list(connection: &mut PgConnection) -> Result<Vec<SigningKeyRecord>, Failure> {
    let rows: Vec<SigningKeyRow> = signing_keys::table
        .order((signing_keys::created_at.desc(), signing_keys::id.desc()))
        .load(connection)?;
    Ok(rows.into_iter().map(rows::signing_key).collect())
}

pub(crate) fn add(
    connection: &mut PgConnection,
    key: &SigningKeyRecord,
    unless_since: i64,
) -> Result<bool, Failure> {
    lock(connection)?;
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

pub(crate) fn forget(connection: &mut PgConnection, before: i64) -> Result<u64, Failure> {
    lock(connection)?;
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

/// What is newest stays so until this transaction ends.
fn lock(connection: &mut PgConnection) -> QueryResult<()> {
    connection.batch_execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
}
