use std::path::Path;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::r2d2::{self, ConnectionManager, CustomizeConnection, Pool};
use diesel::sqlite::SqliteConnection;
use tokio::sync::Semaphore;

use super::connection::{configure_reader, unusable, url};
use crate::MetadataError;

/// How many reads go on at once. They come from the page cache, so more than a few for each core
/// would only queue elsewhere.
const CONNECTIONS: u32 = 8;

/// Connections that only read.
pub(super) struct Readers {
    pool: Pool<ConnectionManager<SqliteConnection>>,
    /// Lets waiting happen here, and not on blocking threads.
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, MetadataError> {
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .test_on_check_out(false)
            .connection_customizer(Box::new(ReadOnly))
            .build(ConnectionManager::new(url(path)?))
            .map_err(|error| unusable(path, &error))?;
        Ok(Self {
            pool,
            permits: Arc::new(Semaphore::new(CONNECTIONS as usize)),
        })
    }

    /// Runs reads in one transaction: they see one state of the metadata.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(failed)?;
        let pool = self.pool.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut connection = pool.get().map_err(failed)?;
            SqliteConnection::transaction(&mut connection, work)
        });
        read.await.map_err(failed)?
    }
}

fn failed(error: impl std::fmt::Display) -> MetadataError {
    MetadataError::Database(error.to_string())
}

#[derive(Debug)]
struct ReadOnly;

impl CustomizeConnection<SqliteConnection, r2d2::Error> for ReadOnly {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), r2d2::Error> {
        configure_reader(connection).map_err(r2d2::Error::QueryError)
    }
}
