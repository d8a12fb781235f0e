use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::cache::Change;
use crate::MetadataError;

/// Something to be written, with somebody waiting for the answer.
pub(super) trait Job: Send {
    /// Does the work in a savepoint of the transaction that is open, and keeps what came of it. It
    /// may be done again if that transaction is rolled back.
    ///
    /// # Errors
    /// If the database failed, so that nothing of the transaction can be relied on. That the work
    /// itself was refused is no such error: only its savepoint is rolled back.
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), MetadataError>;

    /// What it has changed of what may be kept in memory, now that the transaction is committed, or not.
    fn change(&mut self, committed: &Result<(), MetadataError>) -> Option<Change>;

    /// Answers, after [`Job::change`] was asked of all that were committed together.
    fn answer(self: Box<Self>);
}

/// Where the answer to a [`Work`] arrives.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, MetadataError>>;

/// A [`Job`] made of a closure that does the work, and one that tells from what came of it what it has changed.
pub(super) struct Work<T, F, C> {
    work: F,
    changed: Option<C>,
    outcome: Option<Result<T, MetadataError>>,
    waiting: oneshot::Sender<Result<T, MetadataError>>,
}

impl<T, F, C> Work<T, F, C>
where
    F: FnMut(&mut SqliteConnection) -> Result<T, MetadataError>,
    C: FnOnce(&Result<T, MetadataError>) -> Option<Change>,
{
    /// The job, and where its answer will be.
    pub(super) fn new(work: F, changed: C) -> (Self, Answer<T>) {
        let (waiting, answer) = oneshot::channel();
        let job = Self {
            work,
            changed: Some(changed),
            outcome: None,
            waiting,
        };
        (job, answer)
    }
}

impl<T, F, C> Job for Work<T, F, C>
where
    T: Send,
    F: FnMut(&mut SqliteConnection) -> Result<T, MetadataError> + Send,
    C: FnOnce(&Result<T, MetadataError>) -> Option<Change> + Send,
{
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), MetadataError> {
        match connection.transaction(&mut self.work) {
            Err(error @ (MetadataError::Database(_) | MetadataError::StorageFull)) => Err(error),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
    }

    fn change(&mut self, committed: &Result<(), MetadataError>) -> Option<Change> {
        if let Err(error) = committed {
            self.outcome = Some(Err(error.clone()));
        }
        let outcome = self.outcome.get_or_insert_with(never_ran);
        self.changed.take()?(outcome)
    }

    fn answer(self: Box<Self>) {
        // Whoever waited may have gone away; the work is done all the same.
        let _ = self.waiting.send(self.outcome.unwrap_or_else(never_ran));
    }
}

fn never_ran<T>() -> Result<T, MetadataError> {
    Err(MetadataError::Database("the work was not done".to_owned()))
}
