//! How large the database is for what it holds.

use std::path::PathBuf;

use anyhow::Result;

use super::postgres::Postgres;
use super::results::{Sizes, Table};
use super::scale::Scale;
use crate::command::root;

/// How many manifests each repository has.
const MANIFESTS_EACH: usize = 50;

/// Tables with fewer rows are not told.
const FEW_ROWS: f64 = 50.0;

const DATABASE: &str = "sizes";

/// Fills a database as so many pushes would, and measures its tables and their indexes.
pub(super) fn measure(postgres: &Postgres, scale: &Scale) -> Result<Sizes> {
    postgres.query("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
    for migration in migrations()? {
        postgres.run(DATABASE, &migration, &[])?;
    }
    let manifests = scale.manifests;
    let repositories = manifests / MANIFESTS_EACH;
    println!("filling a database with {manifests} manifests");
    let fill = root().join("xtask/src/bench/cluster/sizes/fill.sql");
    let variables = [("manifests", manifests), ("repositories", repositories)];
    postgres.run(DATABASE, &fill, &variables)?;
    // Rows that are updated again and again leave room behind, which pushes of their own would use again.
    postgres.query(DATABASE, "VACUUM FULL repositories")?;
    postgres.query(DATABASE, "VACUUM ANALYZE")?;
    let rows = postgres.query(
        DATABASE,
        "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname",
    )?;
    let mut tables = Vec::new();
    for row in rows {
        let [name, table_bytes, index_bytes] = &row[..] else {
            continue;
        };
        let rows = postgres.number(DATABASE, &format!("SELECT count(*) FROM {name}"))?;
        // A page of a table that is all but empty tells nothing.
        if rows < FEW_ROWS {
            continue;
        }
        tables.push(Table {
            name: name.clone(),
            rows,
            table_bytes: table_bytes.parse()?,
            index_bytes: index_bytes.parse()?,
        });
    }
    Ok(Sizes {
        repositories,
        manifests,
        tables,
    })
}

/// The schema, as berth makes it: in the order of their names.
fn migrations() -> Result<Vec<PathBuf>> {
    let folder = root().join("migrations/postgres");
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let file = entry?.path().join("up.sql");
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
