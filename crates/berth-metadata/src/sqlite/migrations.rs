use diesel::migration::MigrationSource;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::MetadataError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Brings the schema to this version's. Each migration is a transaction.
pub(super) fn run(connection: &mut SqliteConnection) -> Result<(), MetadataError> {
    refuse_newer(connection)?;
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| failed(&error))?;
    Ok(())
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
