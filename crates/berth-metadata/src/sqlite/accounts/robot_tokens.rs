use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::sql::pages::{robot_token_named, robot_tokens_page};
use crate::sql::rows::RobotTokenRow;
use crate::sql::schema::robot_tokens;
use crate::{MetadataError, RobotTokenRecord};

pub(super) fn add(
    connection: &mut SqliteConnection,
    token: &RobotTokenRecord,
) -> Result<bool, MetadataError> {
    let added = diesel::insert_into(robot_tokens::table)
        .values(RobotTokenRow::of(token))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(added > 0)
}

pub(super) fn find(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Option<RobotTokenRecord>, MetadataError> {
    let row: Option<RobotTokenRow> = robot_tokens::table
        .find(id)
        .filter(robot_tokens::revoked_at.is_null())
        .first(connection)
        .optional()?;
    Ok(row.map(RobotTokenRow::record))
}

pub(super) fn find_named(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<RobotTokenRecord>, MetadataError> {
    let row: Option<RobotTokenRow> = robot_token_named(name).first(connection).optional()?;
    Ok(row.map(RobotTokenRow::record))
}

pub(super) fn revoke(
    connection: &mut SqliteConnection,
    id: &str,
    revoked_at: i64,
) -> Result<bool, MetadataError> {
    let revoked = diesel::update(robot_tokens::table.find(id))
        .filter(robot_tokens::revoked_at.is_null())
        .set(robot_tokens::revoked_at.eq(revoked_at))
        .execute(connection)?;
    Ok(revoked > 0)
}

/// Tokens after the id `last`.
pub(super) fn list(
    connection: &mut SqliteConnection,
    last: &str,
    limit: u32,
) -> Result<Vec<RobotTokenRecord>, MetadataError> {
    let rows: Vec<RobotTokenRow> = robot_tokens_page(last, limit).load(connection)?;
    Ok(rows.into_iter().map(RobotTokenRow::record).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan::plan;

    #[test]
    fn a_name_is_found_by_its_index() {
        let plan = plan(&robot_token_named("ci"));
        assert!(
            plan.starts_with("SEARCH robot_tokens USING INDEX robot_tokens_by_name"),
            "{plan}"
        );
    }
}
