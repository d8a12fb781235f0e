use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use secrecy::ExposeSecret;

use crate::sqlite::schema::robot_tokens;
use crate::store::{milliseconds, time_of};
use crate::{MetadataError, RobotTokenRecord};

#[derive(Queryable)]
struct RobotTokenRow {
    id: String,
    name: String,
    secret_hash: String,
    scope: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

pub(super) fn add(
    connection: &mut SqliteConnection,
    token: &RobotTokenRecord,
) -> Result<bool, MetadataError> {
    let added = diesel::insert_into(robot_tokens::table)
        .values((
            robot_tokens::id.eq(&token.id),
            robot_tokens::name.eq(&token.name),
            robot_tokens::secret_hash.eq(token.secret_hash.expose_secret()),
            robot_tokens::scope.eq(&token.scope),
            robot_tokens::created_at.eq(milliseconds(token.created_at)),
            robot_tokens::expires_at.eq(token.expires_at.map(milliseconds)),
            robot_tokens::revoked_at.eq(token.revoked_at.map(milliseconds)),
        ))
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
    Ok(row.map(record))
}

pub(super) fn find_named(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<RobotTokenRecord>, MetadataError> {
    let row: Option<RobotTokenRow> = in_use(name).first(connection).optional()?;
    Ok(row.map(record))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn in_use<'a>(name: &'a str) -> _ {
    robot_tokens::table
        .filter(robot_tokens::name.eq(name))
        .filter(robot_tokens::revoked_at.is_null())
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
    let rows: Vec<RobotTokenRow> = robot_tokens::table
        .filter(robot_tokens::id.gt(last))
        .order(robot_tokens::id)
        .limit(i64::from(limit))
        .load(connection)?;
    Ok(rows.into_iter().map(record).collect())
}

fn record(row: RobotTokenRow) -> RobotTokenRecord {
    RobotTokenRecord {
        id: row.id,
        name: row.name,
        secret_hash: row.secret_hash.into(),
        scope: row.scope,
        created_at: time_of(row.created_at),
        expires_at: row.expires_at.map(time_of),
        revoked_at: row.revoked_at.map(time_of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan::plan;

    #[test]
    fn a_name_is_found_by_its_index() {
        let plan = plan(&in_use("ci"));
        assert!(
            plan.starts_with("SEARCH robot_tokens USING INDEX robot_tokens_by_name"),
            "{plan}"
        );
    }
}
