use std::fs::File;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;

use crate::MetadataError;

/// What every connection needs. The cache is in KiB, if negative.
const ALL: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -8192;
";

/// A committed transaction is on the disk: WAL and FULL. What the log grew to in a busy hour is
/// given back.
const WRITER: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA journal_size_limit = 67108864;
";

const READER: &str = "PRAGMA query_only = ON;";

#[derive(QueryableByName)]
struct Journal {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

pub(super) fn open_writer(path: &Path) -> Result<SqliteConnection, MetadataError> {
    let mut connection =
        SqliteConnection::establish(&url(path)?).map_err(|error| unusable(path, &error))?;
    connection
        .batch_execute(ALL)
        .and_then(|()| connection.batch_execute(WRITER))
        .map_err(|error| unusable(path, &error))?;
    let journal: Journal = diesel::sql_query("PRAGMA journal_mode")
        .get_result(&mut connection)
        .map_err(|error| unusable(path, &error))?;
    if journal.journal_mode != "wal" {
        let why = "its file system cannot share memory between connections; use a local disk";
        return Err(unusable(path, &why));
    }
    Ok(connection)
}

/// Gives a connection what every one needs.
pub(super) fn configure(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(ALL)
}

/// Makes a connection one that only reads.
pub(super) fn configure_reader(connection: &mut SqliteConnection) -> QueryResult<()> {
    configure(connection)?;
    connection.batch_execute(READER)
}

/// Diesel takes paths as text.
pub(super) fn url(path: &Path) -> Result<String, MetadataError> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| unusable(path, &"its path is not UTF-8"))
}

/// Makes the file itself durable: SQLite syncs its content.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), MetadataError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| unusable(path, &error))
}

pub(super) fn unusable(path: &Path, error: &dyn std::fmt::Display) -> MetadataError {
    MetadataError::Database(format!("{} cannot be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::sql_types::BigInt;

    #[derive(QueryableByName)]
    struct Settings {
        #[diesel(sql_type = Text)]
        journal_mode: String,
        #[diesel(sql_type = BigInt)]
        synchronous: i64,
        #[diesel(sql_type = BigInt)]
        foreign_keys: i64,
    }

    #[derive(QueryableByName)]
    struct BuildOption {
        #[diesel(sql_type = BigInt)]
        is_used: i64,
    }

    /// It is an option of the build, which is easily lost.
    #[test]
    fn a_statement_with_a_bound_limit_is_compiled_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = open_writer(&folder.path().join("metadata.sqlite3")).unwrap();
        let query = "SELECT sqlite_compileoption_used('ENABLE_QPSG') AS is_used";
        let option: BuildOption = diesel::sql_query(query)
            .get_result(&mut connection)
            .unwrap();
        assert_eq!(option.is_used, 1);
    }

    #[test]
    fn what_is_committed_is_synced_and_foreign_keys_hold() {
        const FULL: i64 = 2;
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open_writer(&folder.path().join("metadata.sqlite3")).unwrap();
        let settings: Settings = diesel::sql_query(
            "SELECT journal_mode, synchronous, foreign_keys
             FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys",
        )
        .get_result(&mut writer)
        .unwrap();
        assert_eq!(settings.journal_mode, "wal");
        assert_eq!(settings.synchronous, FULL);
        assert_eq!(settings.foreign_keys, 1);
    }
}
