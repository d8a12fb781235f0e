use std::fs::{self, File};
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use super::SqliteMetadata;
use super::connection::{configure, sync_folder_of, unusable, url};
use super::private;
use crate::MetadataError;
use crate::sql::schema::{blobs, forsaken_blobs, replaced_blobs, uploads};

/// What a checkpoint did.
#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = BigInt)]
    busy: i64,
}

impl SqliteMetadata {
    /// Writes a copy of the metadata, as it is at one moment, into a new file, while reading and writing
    /// go on. Upload sessions are left out: their bytes are not metadata. Only its owner may read the file. It is
    /// durable when this answers, and complete by itself; after an error or a crash, what is there is not.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if the file is there already, or cannot be written.
    pub async fn backup_to(&self, path: &Path) -> Result<(), MetadataError> {
        Self::copy(&self.path, path).await
    }

    /// As [`SqliteMetadata::backup_to`], of a file that another process may be serving: nothing is written to it.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if there is no such database, the copy is there already, or it cannot be written.
    pub async fn copy(original: &Path, copy: &Path) -> Result<(), MetadataError> {
        let (original, copy) = (original.to_owned(), copy.to_owned());
        // On a connection of its own: readers are few, and this may take minutes.
        let copying = tokio::task::spawn_blocking(move || {
            if !original.is_file() {
                return Err(unusable(&original, &"there is none"));
            }
            write_copy(&original, &copy)
        });
        copying
            .await
            .map_err(|error| MetadataError::Database(error.to_string()))?
    }

    /// Makes all blobs those of a store that has at most one of each digest: for a copy of the metadata, when the
    /// bytes have been copied into such a store.
    ///
    /// # Errors
    /// [`MetadataError`] if the metadata cannot be changed.
    pub async fn drop_generations(&self) -> Result<(), MetadataError> {
        self.write(|connection| {
            diesel::delete(forsaken_blobs::table).execute(connection)?;
            diesel::delete(replaced_blobs::table).execute(connection)?;
            diesel::update(blobs::table.filter(blobs::generation.is_not_null()))
                .set(blobs::generation.eq(None::<String>))
                .execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Closes the metadata so that its file alone holds all of it, and can be moved: the log beside
    /// it is emptied into it and removed. Blocks.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if somebody else has the file open.
    pub fn close_into_file(self) -> Result<(), MetadataError> {
        let path = self.path.clone();
        drop(self);
        let mut connection = connect(&path)?;
        let checkpoint: Checkpoint =
            diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(&mut connection)?;
        if checkpoint.busy != 0 {
            return Err(unusable(&path, &"somebody else has it open"));
        }
        drop(connection);
        // The last connection to be closed has removed them, if it was the last.
        for end in ["-wal", "-shm"] {
            remove_if_there(&beside(&path, end)).map_err(|error| unusable(&path, &error))?;
        }
        sync(&path)
    }
}

fn write_copy(original: &Path, copy: &Path) -> Result<(), MetadataError> {
    private::make_new(copy)?;
    let place = url(copy)?;
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(&place)
        .execute(&mut connect(original)?)?;
    diesel::delete(uploads::table).execute(&mut connect(copy)?)?;
    sync(copy)
}

pub(super) fn connect(path: &Path) -> Result<SqliteConnection, MetadataError> {
    let mut connection =
        SqliteConnection::establish(&url(path)?).map_err(|error| unusable(path, &error))?;
    configure(&mut connection)?;
    Ok(connection)
}

fn sync(path: &Path) -> Result<(), MetadataError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| unusable(path, &error))?;
    sync_folder_of(path)
}

/// A file that SQLite keeps beside another.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
