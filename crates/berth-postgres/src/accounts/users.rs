use berth_metadata::UserRecord;
use berth_metadata::sql::pages::users_page;
use berth_metadata::sql::rows::UserRow;
use berth_metadata::sql::schema::users;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use crate::failure::Failure;

pub(crate) fn add(connection: &mut PgConnection, user: &UserRecord) -> Result<bool, Failure> {
    let added = diesel::insert_into(users::table)
        .values(UserRow::of(user)?)
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(added > 0)
}

pub(crate) fn find(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Option<UserRecord>, Failure> {
    let row: Option<UserRow> = users::table.find(name).first(connection).optional()?;
    Ok(row.map(UserRow::record).transpose()?)
}

pub(crate) fn set_password_hash(
    connection: &mut PgConnection,
    name: &str,
    password_hash: &SecretString,
) -> Result<bool, Failure> {
    let updated = diesel::update(users::table.find(name))
        .set(users::password_hash.eq(password_hash.expose_secret()))
        .execute(connection)?;
    Ok(updated > 0)
}

pub(crate) fn remove(connection: &mut PgConnection, name: &str) -> Result<bool, Failure> {
    Ok(diesel::delete(users::table.find(name)).execute(connection)? > 0)
}

/// Users after the name `last`.
pub(crate) fn list(
    connection: &mut PgConnection,
    last: &str,
    limit: u32,
) -> Result<Vec<UserRecord>, Failure> {
    let rows: Vec<UserRow> = users_page(last, limit).load(connection)?;
    let records = rows.into_iter().map(UserRow::record);
    Ok(records.collect::<Result<_, _>>()?)
}
