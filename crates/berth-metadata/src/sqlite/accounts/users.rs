use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use secrecy::{ExposeSecret, SecretString};

use crate::sqlite::schema::users;
use crate::store::{milliseconds, time_of};
use crate::{MetadataError, UserRecord};

#[derive(Queryable)]
struct UserRow {
    name: String,
    password_hash: String,
    groups: String,
    created_at: i64,
    expires_at: Option<i64>,
}

pub(super) fn add(
    connection: &mut SqliteConnection,
    user: &UserRecord,
) -> Result<bool, MetadataError> {
    let groups = serde_json::to_string(&user.groups)
        .map_err(|error| MetadataError::Database(format!("groups cannot be written: {error}")))?;
    let added = diesel::insert_into(users::table)
        .values((
            users::name.eq(&user.name),
            users::password_hash.eq(user.password_hash.expose_secret()),
            users::groups.eq(groups),
            users::created_at.eq(milliseconds(user.created_at)),
            users::expires_at.eq(user.expires_at.map(milliseconds)),
        ))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(added > 0)
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<UserRecord>, MetadataError> {
    let row: Option<UserRow> = users::table.find(name).first(connection).optional()?;
    row.map(record).transpose()
}

pub(super) fn set_password_hash(
    connection: &mut SqliteConnection,
    name: &str,
    password_hash: &SecretString,
) -> Result<bool, MetadataError> {
    let updated = diesel::update(users::table.find(name))
        .set(users::password_hash.eq(password_hash.expose_secret()))
        .execute(connection)?;
    Ok(updated > 0)
}

pub(super) fn remove(connection: &mut SqliteConnection, name: &str) -> Result<bool, MetadataError> {
    Ok(diesel::delete(users::table.find(name)).execute(connection)? > 0)
}

/// Users after the name `last`.
pub(super) fn list(
    connection: &mut SqliteConnection,
    last: &str,
    limit: u32,
) -> Result<Vec<UserRecord>, MetadataError> {
    let rows: Vec<UserRow> = users::table
        .filter(users::name.gt(last))
        .order(users::name)
        .limit(i64::from(limit))
        .load(connection)?;
    rows.into_iter().map(record).collect()
}

fn record(row: UserRow) -> Result<UserRecord, MetadataError> {
    let groups = serde_json::from_str(&row.groups).map_err(|error| {
        MetadataError::Damaged(format!("groups of the user {:?}: {error}", row.name))
    })?;
    Ok(UserRecord {
        name: row.name,
        password_hash: row.password_hash.into(),
        groups,
        created_at: time_of(row.created_at),
        expires_at: row.expires_at.map(time_of),
    })
}
