use berth_metadata::sql::schema::repositories;
use berth_spec::RepositoryName;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::failure::Failure;
use crate::now;

pub(crate) fn find(
    connection: &mut PgConnection,
    name: &RepositoryName,
) -> QueryResult<Option<i64>> {
    repositories::table
        .filter(repositories::name.eq(name.as_str()))
        .select(repositories::id)
        .first(connection)
        .optional()
}

/// As [`find`], and nobody else changes what the repository holds until this transaction ends. To be called before anything else
/// is locked.
pub(crate) fn lock(
    connection: &mut PgConnection,
    name: &RepositoryName,
) -> QueryResult<Option<i64>> {
    repositories::table
        .filter(repositories::name.eq(name.as_str()))
        .select(repositories::id)
        .for_no_key_update()
        .first(connection)
        .optional()
}

/// Makes a repository that [`lock`] has not found.
pub(crate) fn create(connection: &mut PgConnection, name: &RepositoryName) -> Result<i64, Failure> {
    let created: Option<i64> = diesel::insert_into(repositories::table)
        .values((
            repositories::name.eq(name.as_str()),
            repositories::created_at.eq(now()),
        ))
        .on_conflict_do_nothing()
        .returning(repositories::id)
        .get_result(connection)
        .optional()?;
    created.ok_or(Failure::Changed)
}

/// [`lock`], of a repository that is made if it is missing.
pub(crate) fn lock_or_create(
    connection: &mut PgConnection,
    name: &RepositoryName,
) -> Result<i64, Failure> {
    match lock(connection, name)? {
        Some(id) => Ok(id),
        None => create(connection, name),
    }
}
