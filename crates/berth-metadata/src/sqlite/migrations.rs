use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tracing::info;

use crate::MetadataError;
use crate::sql::schema::repositories;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Brings the schema to this version's. Each migration is a transaction.
pub(super) fn run(connection: &mut SqliteConnection) -> Result<(), MetadataError> {
    refuse_newer(connection)?;
    let pending = connection
        .pending_migrations(MIGRATIONS)
        .map_err(|error| failed(&error))?;
    if !pending.is_empty() && has_content(connection)? {
        let migrations = pending.len();
        info!(
            migrations,
            "bringing the metadata to the schema of this version; with much in it, this takes minutes"
        );
    }
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| failed(&error))?;
    Ok(())
}

/// Whether there is a repository. A new file has not even their table.
fn has_content(connection: &mut SqliteConnection) -> Result<bool, MetadataError> {
    let applied = connection
        .applied_migrations()
        .map_err(|error| failed(&error))?;
    if applied.is_empty() {
        return Ok(false);
    }
    let first = repositories::table
        .select(repositories::id)
        .first::<i64>(connection);
    Ok(first.optional()?.is_some())
}

/// A schema that this version does not know must not be written to.
fn refuse_newer(connection: &mut SqliteConnection) -> Result<(), MetadataError> {
    let known: Vec<String> = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)
        .map_err(|error| failed(&error))?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    let applied = connection
        .applied_migrations()
        .map_err(|error| failed(&error))?;
    let unknown = applied
        .iter()
        .map(ToString::to_string)
        .find(|version| !known.contains(version));
    match unknown {
        Some(version) => Err(MetadataError::Database(format!(
            "a newer version of berth has changed the metadata (migration {version}); run that version"
        ))),
        None => Ok(()),
    }
}

fn failed(error: &dyn std::fmt::Display) -> MetadataError {
    MetadataError::Database(format!("the schema cannot be migrated: {error}"))
}
