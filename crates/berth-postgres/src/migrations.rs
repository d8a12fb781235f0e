use std::time::Duration;

use berth_metadata::MetadataError;
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tracing::warn;

use crate::address::Address;
use crate::connections::connect_patiently;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The advisory lock that whoever migrates holds: "berth" in ASCII.
const LOCK: &str = "SELECT pg_advisory_lock(422608794728)";

/// A migration may take its time, and so may waiting for another replica that migrates. But a change of a table that
/// has to wait keeps everybody else from that table meanwhile, so it does not wait for long.
const PATIENT: &str = "SET statement_timeout = 0; SET lock_timeout = 0;";
const IMPATIENT: &str = "SET lock_timeout = '10s';";

#[derive(QueryableByName)]
struct Server {
    #[diesel(sql_type = Text)]
    encoding: String,
    #[diesel(sql_type = Text)]
    fsync: String,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    is_there: bool,
}

/// Brings the schema to this version's. Of several that come at once, one does so and the others wait for it. Each migration
/// is a transaction.
pub(crate) fn run(address: &Address, patience: Duration) -> Result<(), MetadataError> {
    let mut connection = connect_patiently(address, patience)?;
    check(&mut connection, address)?;
    let failed = |error: &dyn std::fmt::Display| {
        address.failed(&format!("the schema cannot be migrated: {error}"))
    };
    for statements in [PATIENT, LOCK, IMPATIENT] {
        let done = connection.batch_execute(statements);
        done.map_err(|error| failed(&error))?;
    }
    refuse_newer(&mut connection, address)?;
    let migrated = connection.run_pending_migrations(MIGRATIONS);
    migrated.map_err(|error| failed(&error))?;
    // The lock goes with the connection.
    Ok(())
}

/// Whether anybody has ever done so.
pub(crate) fn have_run(address: &Address, patience: Duration) -> Result<bool, MetadataError> {
    let mut connection = connect_patiently(address, patience)?;
    let found: Found =
        diesel::sql_query("SELECT to_regclass('repositories') IS NOT NULL AS is_there")
            .get_result(&mut connection)
            .map_err(|error| address.failed(&error))?;
    Ok(found.is_there)
}

/// What the server must be like.
fn check(connection: &mut PgConnection, address: &Address) -> Result<(), MetadataError> {
    let settings =
        "SELECT current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync";
    let server: Server = diesel::sql_query(settings)
        .get_result(connection)
        .map_err(|error| address.failed(&error))?;
    if server.encoding != "UTF8" {
        let encoding = &server.encoding;
        return Err(address.failed(&format!(
            "it is encoded in {encoding}; create a database with ENCODING 'UTF8'"
        )));
    }
    if server.fsync == "off" {
        warn!(
            "the database has fsync = off: what is acknowledged is lost when its machine crashes"
        );
    }
    Ok(())
}

/// A schema that this version does not know must not be written to.
fn refuse_newer(connection: &mut PgConnection, address: &Address) -> Result<(), MetadataError> {
    let failed = |error: &dyn std::fmt::Display| address.failed(error);
    let known: Vec<String> = MigrationSource::<Pg>::migrations(&MIGRATIONS)
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
        Some(version) => Err(failed(&format!(
            "a newer version of berth has changed the metadata (migration {version}); run that version"
        ))),
        None => Ok(()),
    }
}
