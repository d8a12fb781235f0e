//! How work is done in transactions: which locks and isolation the operations need is told in the documentation of the crate.

use std::thread;
use std::time::Duration;

use berth_metadata::MetadataError;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::result::Error;

use crate::connections::{Connections, Pooled};
use crate::failure::{Failure, is_conflict, is_lost, told};

/// How often a transaction is done that is in the way of others.
const ATTEMPTS: u32 = 12;

/// How long to wait at most before the second attempt; before each later one, twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(2);

/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Reads with one statement, which sees one state by itself.
pub(crate) fn read<T>(
    connections: &Connections,
    mut work: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, MetadataError> {
    repeat(connections, |connection, _| work(connection))
}

/// Reads with several statements that see one state.
pub(crate) fn read_state<T>(
    connections: &Connections,
    mut work: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, MetadataError> {
    repeat(connections, |connection, _| {
        let mut transaction = connection.build_transaction().repeatable_read().read_only();
        transaction.run(&mut work)
    })
}

/// Changes something in one transaction. Each statement sees what was committed before it, so what is looked at after a row was
/// locked cannot be older than the lock.
pub(crate) fn write<T>(
    connections: &Connections,
    mut work: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, MetadataError> {
    repeat(connections, |connection, progress| {
        let mut transaction = connection.build_transaction().read_committed().read_write();
        transaction.run(|connection| {
            let done = work(connection)?;
            *progress = Progress::Committing;
            Ok(done)
        })
    })
}

/// What may have come of a transaction that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing: the server rolls back whatever is not committed.
    Working,
    /// It may have been committed.
    Committing,
}

/// Does work until it is not in the way of other work, and on connections that are there.
fn repeat<T>(
    connections: &Connections,
    mut work: impl FnMut(&mut PgConnection, &mut Progress) -> Result<T, Failure>,
) -> Result<T, MetadataError> {
    let mut lost = 0;
    let mut attempt = 0;
    loop {
        let mut progress = Progress::Working;
        let mut connection = connections.get()?;
        let error = match work(&mut connection.database, &mut progress) {
            Ok(done) => return Ok(done),
            Err(Failure::Metadata(error)) => return Err(error),
            Err(Failure::Changed) => None,
            Err(Failure::Database(error)) => Some(error),
        };
        connection.is_lost = error
            .as_ref()
            .is_some_and(|error| is_gone(error, &mut connection));
        let is_lost = connection.is_lost;
        drop(connection);
        match error {
            Some(_) if is_lost && progress == Progress::Committing => return Err(unknown()),
            // After the server was started again, every connection of the pool is one of these.
            Some(error) if is_lost => {
                lost += 1;
                if lost > connections.most() {
                    return Err(told(&error));
                }
                continue;
            }
            Some(error) if !is_conflict(&error) => return Err(told(&error)),
            _ => attempt += 1,
        }
        if attempt == ATTEMPTS {
            return Err(busy());
        }
        thread::sleep(wait(attempt));
    }
}

fn is_gone(error: &Error, connection: &mut Pooled) -> bool {
    if is_lost(error) {
        return true;
    }
    // What is refused for a reason of its own leaves a connection that answers.
    matches!(error, Error::DatabaseError(..))
        && connection.database.batch_execute("SELECT 1").is_err()
}

/// A different time for each, or those that met would meet again.
fn wait(attempt: u32) -> Duration {
    let most = FIRST_WAIT.saturating_mul(1 << attempt.min(16));
    let most = most.min(LONGEST_WAIT);
    most.mul_f64(rand::random_range(0.5..1.0))
}

fn unknown() -> MetadataError {
    MetadataError::Database(
        "the connection was lost while a change was being committed: it may have been made, or not"
            .to_owned(),
    )
}

fn busy() -> MetadataError {
    MetadataError::Database(format!(
        "others have changed the same rows in each of {ATTEMPTS} attempts: try again"
    ))
}
