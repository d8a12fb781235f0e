use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use secrecy::{ExposeSecret, SecretString};

use crate::sql::pages::users_page;
use crate::sql::rows::UserRow;
use crate::sql::schema::users;
use crate::{MetadataError, UserRecord};

pub(super) fn add(
    connection: &mut SqliteConnection,
    user: &UserRecord,
) -> Result<bool, MetadataError> {
    let added = diesel::insert_into(users::table)
        .values(UserRow::of(user)?)
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(added > 0)
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<UserRecord>, MetadataError> {
    let row: Option<UserRow> = users::table.find(name).first(connection).optional()?;
    row.map(UserRow::record).transpose()
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
    let rows: Vec<UserRow> = users_page(last, limit).load(connection)?;
    rows.into_iter().map(UserRow::record).collect()
}
