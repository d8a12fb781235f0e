//! What is told of a migration. Alone in its process: others would open databases with nobody to be told.
#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use berth_metadata::SqliteMetadata;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

const INITIAL: &str = include_str!("../../../migrations/sqlite/2026-11-24-000000_initial/up.sql");
const APPLIED: &str = "
    CREATE TABLE __diesel_schema_migrations (
        version VARCHAR(50) PRIMARY KEY NOT NULL,
        run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    INSERT INTO __diesel_schema_migrations (version) VALUES ('20261124000000');
    INSERT INTO repositories VALUES (1, 'team/app', 1000);
";

fn make_old(path: &Path) {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    for statements in [INITIAL, APPLIED] {
        connection.batch_execute(statements).unwrap();
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn whoever_waits_for_a_migration_is_told() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let read = || String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [new, old] = ["new", "old"].map(|name| folder.path().join(name));
    drop(SqliteMetadata::open(&new).unwrap());
    assert_eq!(read(), "");
    make_old(&old);
    drop(SqliteMetadata::open(&old).unwrap());
    let told = read();
    assert!(
        told.contains(" INFO ") && told.contains("bringing the metadata to the schema"),
        "{told}"
    );
    drop(SqliteMetadata::open(&old).unwrap());
    assert_eq!(read(), told);
}
