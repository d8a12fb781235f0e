use berth_spec::RepositoryName;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::now;
use crate::sql::schema::repositories;

pub(super) fn find(
    connection: &mut SqliteConnection,
    name: &RepositoryName,
) -> QueryResult<Option<i64>> {
    repositories::table
        .filter(repositories::name.eq(name.as_str()))
        .select(repositories::id)
        .first(connection)
        .optional()
}

pub(super) fn find_or_create(
    connection: &mut SqliteConnection,
    name: &RepositoryName,
) -> QueryResult<i64> {
    if let Some(id) = find(connection, name)? {
        return Ok(id);
    }
    diesel::insert_into(repositories::table)
        .values((
            repositories::name.eq(name.as_str()),
            repositories::created_at.eq(now()),
        ))
        .returning(repositories::id)
        .get_result(connection)
}
