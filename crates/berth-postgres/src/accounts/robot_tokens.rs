use berth_metadata::RobotTokenRecord;
use berth_metadata::sql::pages::{robot_token_named, robot_tokens_page};
use berth_metadata::sql::rows::RobotTokenRow;
use berth_metadata::sql::schema::robot_tokens;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::failure::Failure;

pub(crate) fn add(
    connection: &mut PgConnection,
    token: &RobotTokenRecord,
) -> Result<bool, Failure> {
    let added = diesel::insert_into(robot_tokens::table)
        .values(RobotTokenRow::of(token))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(added > 0)
}

pub(crate) fn find(
    connection: &mut PgConnection,
    id: &str,
) -> Result<Option<RobotTokenRecord>, Failure> {
    let row: Option<RobotTokenRow> = robot_tokens::table
        .find(id)
        .filter(robot_tokens::revoked_at.is_null())
        .first(connection)
        .optional()?;
    Ok(row.map(RobotTokenRow::record))
}

pub(crate) fn find_named(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Option<RobotTokenRecord>, Failure> {
    let row: Option<RobotTokenRow> = robot_token_named(name).first(connection).optional()?;
    Ok(row.map(RobotTokenRow::record))
}

pub(crate) fn revoke(
    connection: &mut PgConnection,
    id: &str,
    revoked_at: i64,
) -> Result<bool, Failure> {
    let revoked = diesel::update(robot_tokens::table.find(id))
        .filter(robot_tokens::revoked_at.is_null())
        .set(robot_tokens::revoked_at.eq(revoked_at))
        .execute(connection)?;
    Ok(revoked > 0)
}

/// Tokens after the id `last`.
pub(crate) fn list(
    connection: &mut PgConnection,
    last: &str,
    limit: u32,
) -> Result<Vec<RobotTokenRecord>, Failure> {
    let rows: Vec<RobotTokenRow> = robot_tokens_page(last, limit).load(connection)?;
    Ok(rows.into_iter().map(RobotTokenRow::record).collect())
}
