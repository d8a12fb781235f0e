use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use berth_metadata::MetadataError;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, NopErrorHandler, Pool, PooledConnection};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::warn;

use crate::PostgresOptions;
use crate::address::Address;

/// How long somebody waits while others have all connections. Whoever comes into a longer queue is told so, instead of waiting
/// until his client has gone.
const QUEUE: Duration = Duration::from_secs(15);

/// How long to wait before the next attempt to connect.
const PAUSE: Duration = Duration::from_millis(200);

/// What a server says that will take connections soon, though it takes none now; and what the relay for TLS says instead of one
/// that is not there.
const SOON: [&str; 6] = [
    "starting up",
    "shutting down",
    "recovery mode",
    "too many",
    "cannot be reached",
    "does not answer within",
];

/// A pool of connections, and who may use one.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool<Manager>,
    address: Address,
    /// Lets waiting happen here, and not on blocking threads.
    permits: Arc<Semaphore>,
    /// Fewer than those: writers wait for each other's locks, and readers must not wait for them.
    writers: Arc<Semaphore>,
}

/// What somebody wants of the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It waits for nobody.
    Read,
    /// It may wait for locks.
    Write,
}

/// That of a writer, and that of everybody.
type Permits = (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit);

/// A connection of the pool.
pub(crate) struct Pooled {
    pub(crate) database: PgConnection,
    /// It goes instead of back into the pool.
    pub(crate) is_lost: bool,
}

impl Connections {
    /// A pool that connects when somebody needs it.
    pub(crate) fn new(address: Address, options: &PostgresOptions) -> Self {
        let connections = options.connections.get();
        let manager = Manager {
            address: address.clone(),
            session: session(options),
        };
        let pool = Pool::builder()
            .max_size(connections)
            .min_idle(Some(0))
            // It would cost a round trip each time. Whoever finds that a connection is lost takes another.
            .test_on_check_out(false)
            .connection_timeout(options.reach_timeout.max(PAUSE))
            // The last error is in the answer to whoever waits.
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(manager);
        Self {
            pool,
            address,
            permits: Arc::new(Semaphore::new(connections as usize)),
            writers: Arc::new(Semaphore::new((connections - connections / 4) as usize)),
        }
    }

    /// Does work that blocks, on a blocking thread, when there is a connection for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        access: Access,
        work: impl FnOnce(&Self) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let permits = timeout(QUEUE, self.permits(access)).await;
        let permits = permits.map_err(|_| self.address.failed(&self.all_taken()))?;
        let permits = permits.map_err(|error| stopped(&error))?;
        let connections = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _permits = permits;
            work(&connections)
        });
        work.await.map_err(|error| stopped(&error))?
    }

    async fn permits(&self, access: Access) -> Result<Permits, AcquireError> {
        let writer = match access {
            Access::Read => None,
            Access::Write => Some(Arc::clone(&self.writers).acquire_owned().await?),
        };
        Ok((writer, Arc::clone(&self.permits).acquire_owned().await?))
    }

    fn all_taken(&self) -> String {
        let (most, seconds) = (self.most(), QUEUE.as_secs());
        format!("all {most} connections were in use for {seconds} seconds: try again")
    }

    /// A connection. Blocks.
    pub(crate) fn get(&self) -> Result<PooledConnection<Manager>, MetadataError> {
        self.pool.get().map_err(|error| self.address.failed(&error))
    }

    /// How many connections there may be.
    pub(crate) fn most(&self) -> u32 {
        self.pool.max_size()
    }
}

fn stopped(error: &dyn std::fmt::Display) -> MetadataError {
    MetadataError::Database(error.to_string())
}

/// What every session is told. Durability: what is committed is in the log on disk. A stricter or laxer way to wait for
/// standbys is for the owner of the database to choose, but not to wait for nothing at all. What was chosen when the session
/// began is set in any case: it does not become `off` because the server's configuration does.
fn session(options: &PostgresOptions) -> String {
    let milliseconds = |duration: Duration| duration.as_millis().clamp(1, i32::MAX as u128);
    format!(
        "SET application_name = 'berth';
        SET statement_timeout = {statement};
        SET lock_timeout = {lock};
        SET idle_in_transaction_session_timeout = {idle};
        SELECT set_config(
            'synchronous_commit',
            coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'),
            false
        );",
        statement = milliseconds(options.statement_timeout),
        lock = milliseconds(options.lock_timeout),
        // A process that was stopped in a transaction is not waited for in vain: what it has locked, those that wait get.
        idle = milliseconds(options.lock_timeout / 2),
    )
}

/// Makes connections.
pub(crate) struct Manager {
    address: Address,
    session: String,
}

/// Connects without any settings of a session.
pub(crate) fn connect(address: &Address) -> Result<PgConnection, MetadataError> {
    PgConnection::establish(address.url()).map_err(|error| address.failed(&error))
}

/// [`connect`], while the server cannot be reached again and again for so long. Blocks.
pub(crate) fn connect_patiently(
    address: &Address,
    patience: Duration,
) -> Result<PgConnection, MetadataError> {
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        let error = match PgConnection::establish(address.url()) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        if begun.elapsed() >= patience || is_final(&error.to_string()) {
            return Err(address.failed(&error));
        }
        if !is_told {
            warn!(
                error = %address.failed(&error),
                seconds = patience.as_secs(),
                "the database cannot be reached yet, and is waited for"
            );
            is_told = true;
        }
        thread::sleep(PAUSE);
    }
}

/// Whether the server has answered, and will not answer otherwise in a while.
fn is_final(error: &str) -> bool {
    let is_soon = SOON.iter().any(|soon| error.contains(soon));
    error.contains("FATAL:") && !is_soon
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = MetadataError;

    fn connect(&self) -> Result<Pooled, MetadataError> {
        let mut database = connect(&self.address)?;
        database
            .batch_execute(&self.session)
            .map_err(|error| self.address.failed(&error))?;
        Ok(Pooled {
            database,
            is_lost: false,
        })
    }

    fn is_valid(&self, connection: &mut Pooled) -> Result<(), MetadataError> {
        let answered = connection.database.batch_execute("SELECT 1");
        answered.map_err(|error| self.address.failed(&error))
    }

    fn has_broken(&self, connection: &mut Pooled) -> bool {
        // A panic may have left a transaction open.
        connection.is_lost || std::thread::panicking()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::database_url::DatabaseUrl;

    fn connections() -> Connections {
        let url = DatabaseUrl::parse(&"postgresql://localhost/none".into()).unwrap();
        let options = PostgresOptions {
            connections: NonZeroU32::new(4).unwrap(),
            ..PostgresOptions::default()
        };
        Connections::new(Address::open(&url).unwrap(), &options)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_too_long_is_told_so() {
        let connections = connections();
        let _all = connections.permits.acquire_many(4).await.unwrap();
        let told = connections.run(Access::Read, |_| Ok(())).await.unwrap_err();
        assert!(
            told.to_string().contains("all 4 connections were in use"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn writers_leave_connections_to_readers() {
        let connections = connections();
        let _writing = connections.writers.acquire_many(3).await.unwrap();
        assert_eq!(connections.writers.available_permits(), 0);
        connections.run(Access::Read, |_| Ok(())).await.unwrap();
    }
}
