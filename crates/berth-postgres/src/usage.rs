use berth_metadata::sql;
use berth_metadata::sql::schema::{namespaces, repositories};
use berth_metadata::{Bounds, Scope, Usage};
use berth_spec::RepositoryName;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::failure::Failure;

/// How much a scope holds. A namespace must have been counted.
pub(crate) fn of(connection: &mut PgConnection, scope: &Scope) -> Result<Usage, Failure> {
    let found: Option<(i64, i64)> = match scope {
        Scope::Repository(name) => repositories::table
            .filter(repositories::name.eq(name.as_str()))
            .select((repositories::stored_bytes, repositories::tag_count))
            .first(connection)
            .optional()?,
        Scope::Namespace(name) => namespaces::table
            .find(name.as_str())
            .select((namespaces::stored_bytes, namespaces::tag_count))
            .first(connection)
            .optional()?,
    };
    Ok(sql::usage::usage(found)?)
}

/// Gives a namespace a row, if it has none, which triggers keep from then on.
pub(crate) fn count(
    connection: &mut PgConnection,
    namespace: &RepositoryName,
) -> Result<(), Failure> {
    let name = namespace.as_str();
    let row = namespaces::table.find(name).select(namespaces::name);
    let counted: Option<String> = row.first(connection).optional()?;
    if counted.is_some() {
        return Ok(());
    }
    // What is under way and is counted has asked for locks of this table, and is waited for; what comes later finds the row.
    connection.batch_execute("LOCK TABLE namespaces IN EXCLUSIVE MODE")?;
    // `0` comes after `/`.
    diesel::sql_query(
        "INSERT INTO namespaces (name, stored_bytes, tag_count)
         SELECT $1, coalesce(sum(stored_bytes), 0)::bigint, coalesce(sum(tag_count), 0)::bigint
         FROM repositories WHERE name = $1 OR (name > $2 AND name < $3)
         ON CONFLICT DO NOTHING",
    )
    .bind::<Text, _>(name)
    .bind::<Text, _>(format!("{name}/"))
    .bind::<Text, _>(format!("{name}0"))
    .execute(connection)?;
    Ok(())
}

/// [`sql::usage::add_within`], for this database. The row of the repository must be locked. The change locks those of the
/// namespaces that it adds to, so what they hold after it is true until this transaction ends.
pub(crate) fn add_within<T>(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    bounds: &Bounds,
    change: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    sql::usage::add_within(connection, repository, bounds, of, change)
}
